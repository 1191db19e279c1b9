"""Which fault happens when and to whom: made from a seed and nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

SETTLE_S = 3.0  # the first seconds are left alone, so that there is something to disturb
SPAN_S = 120.0


@dataclass(frozen=True)
class Kind:
    """A kind of fault: whom it hits, how often in two minutes, and what happens."""

    name: str
    where: str
    often: int
    about: str


KINDS = (
    Kind("kill-server", "server", 4, "kill -9 of the server"),
    Kind("crash-server", "server", 5, "the server dies between two chosen system calls"),
    Kind("power-server", "server", 5, "the server's machine loses power: unsynced writes are gone"),
    Kind("full-server", "server", 2, "no space is left on the server's disk, for seconds"),
    Kind("locked", "server", 3, "another process holds the database's write lock for seconds"),
    Kind("clock-server", "server", 3, "the server's wall clock jumps by up to six hours"),
    Kind("restore", "server", 2, "the server is put back to a backup of a while ago"),
    Kind("upgrade-server", "server", 2, "SIGTERM, the next release, db upgrade, start"),
    Kind("kill-database", "server", 4, "kill -9 of PostgreSQL (with --database postgresql alone)"),
    Kind("kill-agent", "agent", 8, "kill -9 of an agent and all it started"),
    Kind("crash-agent", "agent", 8, "an agent dies between two chosen system calls"),
    Kind("power-agent", "agent", 8, "an agent's machine loses power: unsynced writes are gone"),
    Kind("kill-payload", "agent", 6, "kill -9 of a payload alone"),
    Kind("full-agent", "agent", 4, "no space is left on an agent's disk, for seconds"),
    Kind("clock-agent", "agent", 4, "an agent's wall clock jumps by up to six hours"),
    Kind("clone", "agent", 3, "a copy of an agent's state folder runs beside it"),
    Kind("upgrade-agent", "agent", 2, "SIGTERM, and the agent's next release starts"),
    Kind("cut-request", "line", 10, "the connection ends in the middle of a request"),
    Kind("cut-answer", "line", 12, "the request arrives, its answer does not"),
    Kind("truncate", "line", 10, "the answer ends in its middle"),
    Kind("duplicate", "line", 12, "a request arrives twice"),
    Kind("delay", "line", 8, "a request arrives seconds late"),
    Kind("answer-500", "line", 8, "500 instead of the server's answer"),
    Kind("answer-503", "line", 8, "503 with Retry-After, the server is not asked"),
    Kind("away", "line", 4, "no connection of an agent gets through, for seconds"),
)
NAMES = tuple(kind.name for kind in KINDS)
OF_POSTGRESQL = ("kill-database",)
OF_A_FILE = tuple(name for name in NAMES if name not in OF_POSTGRESQL)


@dataclass(frozen=True)
class Fault:
    """One fault: its kind, its second, its victim (an agent's number), and a draw of its own.

    ``draw`` (0 to 1) says how long, how far, or before which call; ``mode`` which variety.
    """

    at: float
    kind: Kind
    victim: int
    draw: float
    mode: int


def plan(
    seed: int, seconds: float, agents: int, chosen: Sequence[str] = NAMES
) -> tuple[Fault, ...]:
    """The faults of a run in the order of their time; the same for the same arguments.

    Every chosen kind happens at least once. Raises ValueError for a kind that is not known.
    """
    unknown = sorted(set(chosen) - set(NAMES))
    if unknown:
        raise ValueError(f"no such fault: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    found = []
    for kind in KINDS:
        if kind.name not in chosen:
            continue
        # A stream of its own for each kind: to choose fewer kinds leaves the others as they were.
        chance = random.Random(f"{seed} {kind.name}")
        wanted = kind.often * seconds / SPAN_S
        count = max(1, int(wanted) + (chance.random() < wanted % 1))
        for _ in range(count):
            at = chance.uniform(min(SETTLE_S, seconds / 4), seconds * 0.97)
            victim, draw, mode = (
                chance.randrange(agents),
                chance.random(),
                chance.randrange(1 << 30),
            )
            found.append(Fault(round(at, 3), kind, victim, draw, mode))
    return tuple(sorted(found, key=lambda fault: (fault.at, fault.kind.name)))
