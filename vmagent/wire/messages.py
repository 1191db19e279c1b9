"""Every message of the protocol, version 1: plain frozen values that both sides decode into.

Times are Unix seconds (UTC), events are half-open intervals ``[first, last)`` of non-negative
integers, digests are lower-case hexadecimal SHA-256, byte strings inside JSON are base64url without
padding. A field that is new in a later version has a default, so an older peer stays readable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

PROTOCOL = 1


@dataclass(frozen=True)
class Limit:
    """Bounds of one field, held at the door: of a number its value, of anything else its length."""

    most: Optional[float] = None
    least: Optional[float] = None
    pattern: Optional[str] = None


def bound(
    most: Optional[float] = None, least: Optional[float] = None, pattern: Optional[str] = None
) -> dict[str, Limit]:
    """Field metadata holding a `Limit`."""
    return {"limit": Limit(most, least, pattern)}


WORD = r"^[a-z0-9][a-z0-9_.-]*$"
WORD_OR_NONE = r"^([a-z0-9][a-z0-9_.-]*)?$"
VERSION_OR_NONE = r"^[A-Za-z0-9_.+-]*$"
HEX64 = r"^[0-9a-f]{64}$"
REQUEST_ID = r"^[A-Za-z0-9_-]{8,64}$"
EVENTS_MOST = 2**62
SEQ_MOST = 2**62
LOG_MOST = 65_536
# HS06 or HEPscore23 of a core. Of all the machines in HEPiX's table the best does 35.3
# (https://w3.hepix.org/benchmarking/scores_HS23.html, HS23scores.csv of 2025-07).
POWER_MOST = 100


@dataclass(frozen=True)
class HostFacts:
    """What a host says of itself; believed only as far as it does no harm.

    ``sandbox`` is what payloads run in: ``bubblewrap`` or ``none``; ``network`` whether those that
    ask for the network get it.
    """

    cores: int = field(metadata=bound(least=1, most=4096))
    memory_mb: int = field(metadata=bound(least=1, most=2**30))
    disk_mb: int = field(metadata=bound(least=0, most=2**40))
    arch: str = field(metadata=bound(most=32, pattern=WORD))
    system: str = field(default="linux", metadata=bound(most=64))
    libc: str = field(default="", metadata=bound(most=64))
    python: str = field(default="", metadata=bound(most=32))
    agent: str = field(default="", metadata=bound(most=64))
    paths: list[str] = field(default_factory=list, metadata=bound(most=64))
    sandbox: str = field(default="none", metadata=bound(most=32, pattern=WORD))
    network: bool = False


@dataclass(frozen=True)
class Command:
    """An order to an agent: drain, stop, suspend, resume, abort (args: task), refresh-keys, work.

    With the argument ``stay`` an agent that was told to drain or stop does not end: it rests, and
    works again when told to resume. ``grace_s`` is what it may still take.
    """

    seq: int
    name: str
    args: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EnrolRequest:
    """A machine asks to join with an enrolment token; the same request twice is one host."""

    request: str = field(metadata=bound(most=64, pattern=REQUEST_ID))
    token: str = field(metadata=bound(most=200))
    name: str = field(metadata=bound(most=100, least=1))
    facts: HostFacts


@dataclass(frozen=True)
class Enrolled:
    """The machine is a host now: its id, its secret, and the key statements it shall pin."""

    host: int
    token: str
    account: str
    keys: list[str]
    time: float


@dataclass(frozen=True)
class KeyList:
    """Key statements (JWS), oldest first; each is signed by a release key pinned before it."""

    keys: list[str]


@dataclass(frozen=True)
class AskRequest:
    """A host asks for leases. The same ``ask`` twice is answered with the same leases.

    ``seq`` is the last command that it has obeyed.
    ``sandbox`` and ``network`` are as in its facts, as they are now; without a ``sandbox`` both are
    as they were told last. ``instance`` is a random word of each start of an agent,
    ``agent`` its version. ``hs06`` and ``hepscore23`` are what a core of it does on its site's
    word, 0 if that says nothing; without ``hs06`` both are as they were told last.
    """

    ask: str = field(metadata=bound(most=64, pattern=REQUEST_ID))
    slots: int = field(metadata=bound(least=1, most=4096))
    memory_mb: int = field(metadata=bound(least=0, most=2**30))
    disk_mb: int = field(metadata=bound(least=0, most=2**40))
    seconds_left: Optional[float] = field(default=None, metadata=bound(least=0))
    classes: dict[str, str] = field(default_factory=dict, metadata=bound(most=256))
    most_leases: int = field(default=1, metadata=bound(least=1, most=256))
    seq: int = field(default=0, metadata=bound(least=0, most=SEQ_MOST))
    sandbox: str = field(default="", metadata=bound(most=32, pattern=WORD_OR_NONE))
    network: bool = False
    instance: str = field(default="", metadata=bound(most=64, pattern=WORD_OR_NONE))
    agent: str = field(default="", metadata=bound(most=64, pattern=VERSION_OR_NONE))
    hs06: Optional[float] = field(default=None, metadata=bound(least=0, most=POWER_MOST))
    hepscore23: Optional[float] = field(default=None, metadata=bound(least=0, most=POWER_MOST))


@dataclass(frozen=True)
class Lease:
    """What the work key signs: this host may compute these events until then. Sent as JSON text.

    ``memory_mb`` is what its payload may use, within the manifest's bounds; 0: what that says.
    """

    task: int
    production: int
    manifest: str
    host: int
    first: int
    last: int
    issued: float
    until: float
    ask: str = ""
    v: int = PROTOCOL
    memory_mb: int = 0


@dataclass(frozen=True)
class Proof:
    """One signature over a batch: lease ``k`` of the answer is leaf ``index + k`` of the tree."""

    key: str
    signature: str
    size: int
    index: int
    paths: list[str]


@dataclass(frozen=True)
class AskReply:
    """Leases as exact JSON texts with their proof; or manifests to probe; or when to ask again."""

    time: float
    leases: list[str] = field(default_factory=list)
    proof: Optional[Proof] = None
    probes: list[str] = field(default_factory=list)
    retry_after: float = 0.0
    commands: list[Command] = field(default_factory=list)


@dataclass(frozen=True)
class ClassReport:
    """The digest of the reference events of a manifest as this host computes them.

    If it cannot, ``failed`` is one word why, ``digest`` is 64 zeros and ``log`` its last words.
    """

    manifest: str = field(metadata=bound(most=64, pattern=HEX64))
    digest: str = field(metadata=bound(most=64, pattern=HEX64))
    seconds_per_event: float = field(default=0.0, metadata=bound(least=0))
    failed: str = field(default="", metadata=bound(most=64, pattern=WORD_OR_NONE))
    log: str = field(default="", metadata=bound(most=LOG_MOST))


@dataclass(frozen=True)
class TaskState:
    """A task as the server has it. ``held`` are the events it has durably; ``last`` may shrink."""

    task: int
    state: str
    first: int
    last: int
    held: list[tuple[int, int]]
    until: float


@dataclass(frozen=True)
class FrameReply:
    """A frame is durable (or was already): the task's state after it."""

    task: TaskState
    commands: list[Command] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """How far a running task is, on the host's own word: events finished, spooled or not."""

    task: int
    done: int = field(default=0, metadata=bound(least=0, most=EVENTS_MOST))


@dataclass(frozen=True)
class HeartbeatRequest:
    """A sign of life; renews the leases named. ``seq`` is the last command that was obeyed.

    ``doing`` and ``why`` are said by a host that does not simply work: suspended, resting, draining
    or stopping, and the reason in a word. ``instance`` as in `AskRequest`.
    """

    tasks: list[Progress] = field(default_factory=list, metadata=bound(most=4096))
    seq: int = field(default=0, metadata=bound(least=0, most=SEQ_MOST))
    doing: str = field(default="", metadata=bound(most=16, pattern=WORD_OR_NONE))
    why: str = field(default="", metadata=bound(most=64, pattern=WORD_OR_NONE))
    instance: str = field(default="", metadata=bound(most=64, pattern=WORD_OR_NONE))


@dataclass(frozen=True)
class HeartbeatReply:
    """The tasks named, as the server sees them; one not the host's comes back in state ``gone``."""

    time: float
    tasks: list[TaskState] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


@dataclass(frozen=True)
class EventFailure:
    """Events that failed here and may work elsewhere, with one word why."""

    first: int = field(metadata=bound(least=0, most=EVENTS_MOST))
    last: int = field(metadata=bound(least=1, most=EVENTS_MOST))
    word: str = field(metadata=bound(most=64, pattern=WORD))


@dataclass(frozen=True)
class ReportRequest:
    """The end of a task as the host saw it: delivered, returned (never a fault) or failed."""

    outcome: str = field(metadata=bound(most=16, pattern=r"^(delivered|returned|failed)$"))
    reason: str = field(default="", metadata=bound(most=64))
    failures: list[EventFailure] = field(default_factory=list, metadata=bound(most=1000))
    wall_s: float = field(default=0.0, metadata=bound(least=0))
    cpu_s: float = field(default=0.0, metadata=bound(least=0))
    rss_mb: float = field(default=0.0, metadata=bound(least=0))
    exit: Optional[int] = None
    log: str = field(default="", metadata=bound(most=LOG_MOST))


@dataclass(frozen=True)
class ReportReply:
    """The task after the report."""

    task: TaskState
    commands: list[Command] = field(default_factory=list)


@dataclass(frozen=True)
class CommandsReply:
    """What a long poll brings back: the commands after ``since``, perhaps none."""

    commands: list[Command] = field(default_factory=list)


@dataclass(frozen=True)
class ReleasedRequest:
    """The host has obeyed the command ``seq``: nothing runs any more, and nothing is held back.

    After ``suspend`` all is paused. ``released_at`` is when, by the server's clock as it knows it.
    """

    seq: int = field(metadata=bound(least=1, most=SEQ_MOST))
    released_at: float = field(metadata=bound(least=0))


@dataclass(frozen=True)
class Problem:
    """An error (RFC 9457): thing, rule and cure in ``detail``; ``code`` is for programs."""

    title: str
    status: int
    detail: str
    code: str
    type: str = "about:blank"
    instance: str = ""
    faults: list[str] = field(default_factory=list)
