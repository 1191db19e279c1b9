"""Adaptive replication as BOINC does it, on the same hosts: the baseline.

After BOINC's wiki ("Job replication") and server: a host with ``consecutive_valid`` >= 10 has its
job sent alone, but with probability 1 / ``consecutive_valid``; else two whole results must agree.
A valid result counts one more, an invalid one sets the count to 0. Copies go to different accounts.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from tools.cheating.lies import Makers
from tools.cheating.scene import Outcome, Scene

ENOUGH = 10
MOST = 8


@dataclass
class Job:
    """A unit: who has it, and what came back; ``wanted`` results in all."""

    number: int
    wanted: int = 0
    hosts: list[int] = field(default_factory=list)
    results: list[tuple[int, bool]] = field(default_factory=list)


class Boinc:
    """Hosts that take a job a turn."""

    def __init__(self, scene: Scene) -> None:
        """With every job waiting for its first host."""
        self.scene = scene
        self.random = random.Random(scene.seed)
        self.makers = Makers(scene.cheat, scene.unit)
        self.valid: dict[int, int] = dict.fromkeys(range(1, scene.hosts + 1), 0)
        self.fresh = deque(Job(number) for number in range(scene.units))
        self.again: list[Job] = []
        self.wrong = self.copies = self.stuck = 0
        self.blamed: set[int] = set()

    def run(self) -> Outcome:
        """Turn after turn until no job is left that anybody may have."""
        idle = 0
        while (self.fresh or self.again) and idle < 60:
            idle = 0 if self._turn() else idle + 1
        return Outcome(self.wrong, 0, self.copies, self.stuck, len(self.blamed))

    def _turn(self) -> bool:
        hosts = list(self.valid)
        self.random.shuffle(hosts)
        given = [(host, job) for host in hosts if (job := self._give(host)) is not None]
        for host, job in given:
            lies = host in self.scene.cheats
            if self.scene.cheat.sleeps:
                lies = lies and self.valid[host] > ENOUGH
            job.results.append((host, lies))
            self.copies += self.scene.unit
        for job in {job.number: job for _, job in given}.values():
            self._validate(job)
        return bool(given)

    def _give(self, host: int) -> Job | None:
        job = next((job for job in self.again if host not in job.hosts), None)
        if job is None and self.fresh:
            job = self.fresh.popleft()
            known = self.valid[host]
            job.wanted = 1 if known >= ENOUGH and self.random.random() > 1 / known else 2
            if job.wanted > 1:
                self.again.append(job)
        elif job is not None and len(job.hosts) + 1 >= job.wanted:
            self.again.remove(job)
        if job is not None:
            job.hosts.append(host)
        return job

    def _validate(self, job: Job) -> None:
        if len(job.results) < job.wanted:
            return
        first, last = job.number * self.scene.unit, (job.number + 1) * self.scene.unit
        groups: dict[tuple[bytes, ...], list[int]] = {}
        for host, lies in job.results:
            sent = tuple(self.makers.sent(job.number, first, last, host, lies))
            groups.setdefault(sent, []).append(host)
        enough = 1 if job.wanted == 1 else 2
        winner = next((sent for sent, said in groups.items() if len(said) >= enough), None)
        if winner is None:
            if job.wanted >= MOST:
                self.stuck += self.scene.unit
                return
            job.wanted += 1
            self.again.append(job)
            return
        self.wrong += len(self.makers.wrong(job.number, first, winner))
        for sent, said in groups.items():
            for host in said:
                self.valid[host] = self.valid[host] + 1 if sent == winner else 0
                if sent != winner and host not in self.scene.cheats:
                    self.blamed.add(host)
