"""What the duties of operations keep in memory, and what they were told at the start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from server.blobs.base import Blobs
from server.domain.alert import Alert
from server.domain.telling import Flow, Said
from server.domain.upkeep import Paper, Schedule, Space, Thresholds
from server.services.upkeep.channel import Channel
from server.services.upkeep.meter import Meter
from server.services.upkeep.rounds import Rounds


@dataclass(frozen=True)
class Probe:
    """How a part answered when it was asked: how long it took, or why it did not; when."""

    at: float
    took_s: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class Vault:
    """Where backups are made: the database's URL, a folder for them, or blobs and room to copy."""

    database: str
    folder: Path
    blobs: Blobs | None = None


def _no_papers() -> Sequence[Paper]:
    return ()


@dataclass(eq=False)
class Upkeep:
    """The memory of operations; ``alerts`` are the latest of each kind and subject."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    schedule: Schedule = field(default_factory=Schedule)
    paths: tuple[Path, ...] = ()
    papers: Callable[[], Sequence[Paper]] = _no_papers
    channels: tuple[Channel, ...] = ()
    vault: Vault | None = None
    rounds: Rounds = field(default_factory=Rounds)
    meter: Meter = field(default_factory=Meter)
    alerts: dict[tuple[str, str], Alert] = field(default_factory=dict)
    saved: dict[int, Alert] = field(default_factory=dict)
    said: dict[str, dict[int, Said]] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    spaces: tuple[Space, ...] = ()
    known_papers: tuple[Paper, ...] = ()
    probes: dict[str, Probe] = field(default_factory=dict)
    looked_at: float = 0.0
    started_at: float = 0.0
    last_backup_at: float = 0.0
    marked_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    backing_up: asyncio.Lock = field(default_factory=asyncio.Lock)
