"""What every use case is handed: the database, the bytes, the clock and what is kept in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from weakref import WeakValueDictionary

from server.blobs.base import Blobs
from server.blobs.segments import Segments
from server.db.base import Store
from server.db.frames import NewFrame
from server.domain.line import Line
from server.services.cards import Registry, TaskCard
from server.services.census import Census
from server.services.desk import Desk
from server.services.doors import Doors
from server.services.framelog import FrameLog
from server.services.idling import Idling
from server.services.safe import Safe
from server.services.scans import Scans
from server.services.trouble import Troubles
from server.services.turns import Doorway
from server.services.upkeep.desk import Upkeep


class LeaseValue(NamedTuple):
    """A lease as the use cases know it; the door gives it its text and its proof."""

    task: int
    production: int
    manifest: str
    host: int
    first: int
    last: int
    issued: float
    until: float
    ask: str
    memory_mb: int = 0


class Seal(Protocol):
    """Turns leases into something that proves them, in the order of the batch they are made in."""

    def __call__(self, leases: Sequence[LeaseValue]) -> Any:
        """Take these leases into the signature that is open; what the door answers with."""
        ...


@dataclass(frozen=True)
class Limits:
    """Bounds that are settings: bytes, hosts of one token, asks of one host a minute, tasks."""

    frame_bytes: int = 16_777_216
    hosts_per_token: int = 1000
    work_per_minute: int = 600
    window: int = 20_000
    retry_s: float = 5.0
    reference_host: int = 0
    bad_per_day: int = 100
    slots_per_host: int = 1024
    beats_per_minute: int = 240
    polls_per_minute: int = 300
    idle_most_s: float = 60.0
    idle_asks_per_s: float = 100.0


@dataclass(frozen=True)
class Exports:
    """Where the files for BOINC's statistics sites go, how often, and what credit is in them."""

    folder: Path | None = None
    every_s: float = 0.0
    gflops: float = 4.0


@dataclass(eq=False)
class Signals:
    """Who is to be woken when something happened."""

    judge: asyncio.Event = field(default_factory=asyncio.Event)
    merge: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class Deps:
    """The hands of every use case."""

    store: Store
    blobs: Blobs
    segments: Segments
    clock: Callable[[], float]
    seal: Seal
    limits: Limits = field(default_factory=Limits)
    registry: Registry = field(default_factory=Registry)
    frames: FrameLog = field(default_factory=FrameLog)
    lines: dict[int, Line] = field(default_factory=dict)
    dirty: dict[tuple[int, int], None] = field(default_factory=dict)
    signals: Signals = field(default_factory=Signals)
    surplus: list[TaskCard] = field(default_factory=list)
    idle: set[int] = field(default_factory=set)
    none_over_before: dict[int, float] = field(default_factory=dict)
    keeping: dict[tuple[int, int, int], asyncio.Future[bool] | None] = field(default_factory=dict)
    syncing: dict[tuple[int, int, int], tuple[NewFrame, asyncio.Future[None]]] = field(
        default_factory=dict
    )
    late: WeakValueDictionary[tuple[int, int, int], asyncio.Lock] = field(
        default_factory=WeakValueDictionary
    )
    filling: dict[int, asyncio.Task[bool]] = field(default_factory=dict)
    troubles: Troubles = field(default_factory=Troubles)
    credit_sums: object = None
    idling: Idling = field(default_factory=Idling)
    doorway: Doorway = field(default_factory=Doorway)
    parked: dict[int, set[int]] = field(default_factory=dict)
    scans: Scans = field(default_factory=Scans)
    safe: Safe = field(default_factory=Safe)
    desk: Desk = field(default_factory=Desk)
    doors: Doors = field(default_factory=Doors)
    upkeep: Upkeep = field(default_factory=Upkeep)
    census: Census = field(default_factory=Census)
    exports: Exports = field(default_factory=Exports)

    def line(self, production: int) -> Line:
        """The queue of a production."""
        line = self.lines.get(production)
        if line is None:
            line = self.lines[production] = Line(self.registry.next_task)
        return line

    def mark(self, production: int, unit: int) -> None:
        """A unit wants to be judged."""
        self.dirty[production, unit] = None
        self.signals.judge.set()
