"""What happens to an agent: the events its brain is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Union

from vmagent.wire import messages


@dataclass(frozen=True)
class Taken:
    """A lease: verified, and kept on disk."""

    task: int
    production: int
    manifest: str
    first: int
    last: int
    lease_s: float = 120.0


@dataclass(frozen=True)
class Started:
    """The agent is up; these tasks it found on disk, and this was the last command it obeyed,
    and ``hold`` what the server holds it to."""

    found: tuple[Taken, ...] = ()
    seq: int = 0
    hold: str = ""


@dataclass(frozen=True)
class Ticked:
    """A little time has passed."""


@dataclass(frozen=True)
class AskAnswered:
    """The server answered a question for work; ``refused`` leases were not to be believed."""

    taken: tuple[Taken, ...] = ()
    probes: tuple[str, ...] = ()
    retry_after: float = 0.0
    refused: int = 0
    jitter: float = 0.0


@dataclass(frozen=True)
class AskFailed:
    """A question for work was not answered."""

    jitter: float = 0.0
    retry_after: float = 0.0


@dataclass(frozen=True)
class Inquired:
    """A task found on disk, as the server sees it: what is left to send and to make."""

    state: messages.TaskState
    unsent: int
    missing: int


@dataclass(frozen=True)
class Prepared:
    """Manifest and payload of a task are here and believed."""

    task: int
    cores: int = 1


@dataclass(frozen=True)
class Unprepared:
    """A task cannot be run: its manifest, payload or range is not to be believed."""

    task: int
    word: str


@dataclass(frozen=True)
class Spooled:
    """A frame of a task is on disk."""

    task: int
    events: int


@dataclass(frozen=True)
class FrameTaken:
    """The server holds a frame of this task; a task as it sees it."""

    task: int
    state: messages.TaskState


@dataclass(frozen=True)
class FrameRefused:
    """The server will never take this task's frames."""

    task: int
    word: str


@dataclass(frozen=True)
class TaskTold:
    """A task as the server sees it, on a heartbeat."""

    state: messages.TaskState


@dataclass(frozen=True)
class HeartbeatFailed:
    """A sign of life did not get through."""

    jitter: float = 0.0
    retry_after: float = 0.0


@dataclass(frozen=True)
class HeartbeatTaken:
    """A sign of life got through."""


@dataclass(frozen=True)
class RunEnded:
    """A payload has ended with a range; ``word`` is done, stopped, or what it did wrong."""

    task: int
    word: str
    why: str = ""
    failures: tuple[messages.EventFailure, ...] = ()
    wall_s: float = 0.0
    cpu_s: float = 0.0
    rss_mb: float = 0.0
    exit: Optional[int] = None
    log: str = ""
    jitter: float = 0.0


@dataclass(frozen=True)
class Probed:
    """The class of this host for a manifest is known and told."""

    manifest: str


@dataclass(frozen=True)
class ProbeFailed:
    """The reference events of a manifest could not be made; ``told``: the server knows, or never
    will, so that there is nothing to try again soon.
    """

    manifest: str
    jitter: float = 0.0
    retry_after: float = 0.0
    told: bool = False


@dataclass(frozen=True)
class Reported:
    """The server has taken the end of a task, or never will."""

    task: int


@dataclass(frozen=True)
class CallFailed:
    """A call about a task did not get through: inquire, prepare or report."""

    task: int
    jitter: float = 0.0
    retry_after: float = 0.0


@dataclass(frozen=True)
class Commanded:
    """Commands have come."""

    commands: tuple[messages.Command, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class ReleaseFailed:
    """The server could not be told that a command to leave is obeyed."""

    seq: int
    jitter: float = 0.0
    retry_after: float = 0.0


@dataclass(frozen=True)
class StopAsked:
    """Somebody wants the agent to end: nicely the first time, at once the second."""

    reason: str = "stop-asked"


@dataclass(frozen=True)
class FinishAsked:
    """Somebody wants the agent to end after the current event, however long that takes."""

    reason: str = "finish-asked"


@dataclass(frozen=True)
class DrainAsked:
    """Somebody wants the agent to end after the work in hand."""

    reason: str = "drain-asked"


@dataclass(frozen=True)
class Wished:
    """What machine, site and owner want by now (`wishes.KINDS`), why, and when the machine goes."""

    kind: str
    reason: str = ""
    by: Optional[float] = None


@dataclass(frozen=True)
class Throttled:
    """Payloads are to stand still for a moment, or to go on: the owner's share of the processor."""

    still: bool


@dataclass(frozen=True)
class Woke:
    """The machine slept, was paused, or has another address; it was away this many seconds."""

    word: str
    away_s: float = 0.0


@dataclass(frozen=True)
class HostRevoked:
    """The server does not believe this host any more; ``unmanaged``: its owner took it away."""

    unmanaged: bool = False


@dataclass(frozen=True)
class SettingsChanged:
    """The owner's limits or the context's settings are others now: the agent begins anew."""


@dataclass(frozen=True)
class DiskChanged:
    """The disk has become too full to take work, or has room again."""

    low: bool


Stimulus = Union[
    Started,
    Ticked,
    AskAnswered,
    AskFailed,
    Inquired,
    Prepared,
    Unprepared,
    Spooled,
    FrameTaken,
    FrameRefused,
    TaskTold,
    HeartbeatFailed,
    HeartbeatTaken,
    RunEnded,
    Probed,
    ProbeFailed,
    Reported,
    CallFailed,
    Commanded,
    ReleaseFailed,
    StopAsked,
    FinishAsked,
    DrainAsked,
    Wished,
    Throttled,
    Woke,
    HostRevoked,
    SettingsChanged,
    DiskChanged,
]
