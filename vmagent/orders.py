"""What the brain wants done: instructions that the loop carries out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from vmagent.wire import messages


@dataclass(frozen=True)
class Ask:
    """Ask the server for work for this many free slots, and for no longer than is left."""

    slots: int
    seconds_left: Optional[float] = None


@dataclass(frozen=True)
class Inquire:
    """Ask the server what it knows of a task found on disk."""

    task: int


@dataclass(frozen=True)
class Prepare:
    """Get manifest and payload of a task, and check them."""

    task: int


@dataclass(frozen=True)
class Start:
    """Run a task in this slot."""

    task: int
    slot: int


@dataclass(frozen=True)
class Probe:
    """Make the reference events of a manifest in this slot."""

    manifest: str
    slot: int


@dataclass(frozen=True)
class Trim:
    """The range of a running task ends earlier."""

    task: int
    last: int


@dataclass(frozen=True)
class Finish:
    """Let a running task finish its current event, then end it; after ``seconds`` anyway."""

    task: int
    seconds: float


@dataclass(frozen=True)
class Kill:
    """End a running task now."""

    task: int


@dataclass(frozen=True)
class KillProbe:
    """End a probe."""

    manifest: str


@dataclass(frozen=True)
class Pause:
    """Stop a running task where it stands."""

    task: int


@dataclass(frozen=True)
class Resume:
    """Let a paused task go on."""

    task: int


@dataclass(frozen=True)
class PauseProbe:
    """Stop a probe where it stands."""

    manifest: str


@dataclass(frozen=True)
class ResumeProbe:
    """Let a paused probe go on."""

    manifest: str


@dataclass(frozen=True)
class Reconnect:
    """Let go of every connection: they may be dead, and nobody would notice for a minute."""


@dataclass(frozen=True)
class Report:
    """Tell the server how a task ended."""

    task: int
    report: messages.ReportRequest


@dataclass(frozen=True)
class Forget:
    """Let a task go, its spool too."""

    task: int


@dataclass(frozen=True)
class Heartbeat:
    """Give a sign of life with the progress of these tasks; and why they rest, if they do."""

    tasks: tuple[messages.Progress, ...]
    doing: str = ""
    why: str = ""


@dataclass(frozen=True)
class RefreshKeys:
    """Fetch the key list."""


@dataclass(frozen=True)
class Owe:
    """Fetch what the server has news of: ``context``, ``limits`` or ``token``."""

    what: str


@dataclass(frozen=True)
class Remember:
    """Keep the number of the last command obeyed, or a restart would obey it again.

    And what the server holds us to until it says resume, or a restart would forget it.
    """

    seq: int
    hold: str = ""


@dataclass(frozen=True)
class Release:
    """Tell the server that a command to leave is obeyed: nothing runs, or all is paused."""

    seq: int


@dataclass(frozen=True)
class Say:
    """Log one line."""

    action: str
    task: int = 0
    why: str = ""
    grave: bool = False


@dataclass(frozen=True)
class Exit:
    """End the agent with this code; what is spooled stays."""

    code: int


Order = Union[
    Ask,
    Inquire,
    Prepare,
    Start,
    Probe,
    Trim,
    Finish,
    Kill,
    KillProbe,
    Pause,
    Resume,
    PauseProbe,
    ResumeProbe,
    Reconnect,
    Report,
    Forget,
    Heartbeat,
    RefreshKeys,
    Owe,
    Remember,
    Release,
    Say,
    Exit,
]
