"""The play: watch a production, and disturb it while it runs."""

from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from tools.demonstration.stage import Machine, Stage, StageFailed
from vmagent.wire import frames

AWAY_S = 2.0  # how long the killed machine stays dark
SPOOL = struct.Struct(">4sI32s")  # the head of a record in an agent's spool


@dataclass(frozen=True)
class Finished:
    """What a machine had finished of a task when it was cut off: events on its own disk."""

    task: int
    first: int
    events: int


@dataclass(eq=False)
class Play:
    """A production and the machines that work on it."""

    stage: Stage
    name: str
    chance: random.Random
    say: Callable[[str], None]
    pool: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)
    token: str = ""
    kill_at: float = 0.0
    evict_at: float = 0.0
    killed: Machine | None = None
    evicted: Machine | None = None
    back_at: float = 0.0
    left_behind: list[Finished] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.token = (self.stage.data / "admin.token").read_text().strip()
        self.kill_at = self.chance.uniform(0.08, 0.3)
        self.evict_at = self.chance.uniform(0.4, 0.6)

    def get(self, path: str) -> dict[str, Any]:
        """Ask the server as its administrator."""
        reply = self.pool.request(
            "GET",
            f"{self.stage.url}/api/v1/{path}",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=10.0,
        )
        if reply.status != 200:
            raise StageFailed(f"{path}: {reply.status} {reply.data[:300]!r}")
        return dict(json.loads(reply.data))

    def view(self) -> dict[str, Any]:
        """The production as it stands."""
        return self.get(f"productions/{self.name}")

    def disturb(self, view: dict[str, Any], victim: Machine, guest: Machine) -> None:
        """Kill the victim and evict the guest when their time has come and they are at work."""
        share = view["settled"] / view["events"]
        if self.killed is None and self._now(share, self.kill_at, victim):
            victim.kill()
            self.left_behind += finished_in(victim.folder / "state" / "tasks")
            self.killed, self.back_at = victim, time.monotonic() + AWAY_S
            victim.fate = "killed with SIGKILL in the middle of a range, came back"
            self.say(f"{victim.name}: SIGKILL in the middle of a range")
        if self.killed is victim and self.back_at and time.monotonic() >= self.back_at:
            victim.start()
            self.back_at = 0.0
            self.say(f"{victim.name}: switched on again")
        if self.evicted is None and self._now(share, self.evict_at, guest):
            self.left_behind += finished_in(guest.folder / "state" / "tasks")
            guest.evict()
            self.evicted = guest
            guest.fate = "evicted with SIGTERM in the middle of a range"
            self.say(f"{guest.name}: SIGTERM in the middle of a range")

    def _now(self, share: float, at: float, machine: Machine) -> bool:
        """Whether its time has come, and it has a lease of which not every event is in hand.

        Best in the middle of a range; when that moment does not come, at its beginning.
        """
        if share < at:
            return False
        least = 1 if share < at + 0.1 else 0
        host = machine.status().get("host", 0)
        leases = self.get(f"productions/{self.name}/tasks?state=leased&host={host}")["tasks"]
        return any(least <= task["held"] < task["last"] - task["first"] for task in leases)

    def lost(self) -> int:
        """Events that were finished on a machine that was cut off, and never reached the server."""
        tasks = {t["id"]: t for t in self.get(f"productions/{self.name}/tasks?limit=1000")["tasks"]}
        per_task: dict[int, int] = {}
        for part in self.left_behind:
            per_task[part.task] = per_task.get(part.task, 0) + part.events
        return sum(max(0, events - tasks[task]["held"]) for task, events in per_task.items())


def finished_in(folder: Path) -> list[Finished]:
    """The whole frames in an agent's spool: finished work that must not be lost."""
    found = []
    for path in sorted(folder.glob("*/frames")):
        raw, at = path.read_bytes(), 0
        while at + SPOOL.size <= len(raw):
            magic, length, _ = SPOOL.unpack_from(raw, at)
            frame = raw[at + SPOOL.size : at + SPOOL.size + length]
            if magic != b"WSP1" or len(frame) < length:
                break
            _, first, events, _ = frames.HEAD.unpack_from(frame)
            found.append(Finished(int(path.parent.name), first, events))
            at += SPOOL.size + length
    return found
