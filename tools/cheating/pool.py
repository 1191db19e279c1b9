"""A production in memory on the server's own rules: queue, judge, trust, spots and partners."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import count

from server.domain import trust
from server.domain.faith import Faith, findings, settled_by
from server.domain.intervals import Intervals
from server.domain.joining import join
from server.domain.line import Guard, Line, Waiting
from server.domain.policy import Policy
from server.domain.quorum import Copy, Pending, Rejected, Verdict, judge
from server.domain.trust import History, Standing
from tools.cheating.lies import Makers
from tools.cheating.scene import Outcome, Scene

TURN_S = 60.0  # a host computes one unit in this time
KEY = b"of the tool, not of a server"
BLOCK = 10  # events


@dataclass(frozen=True)
class Task:
    """A range that a host had; every host is of an account with its own number."""

    id: int
    unit: int
    first: int
    last: int
    host: int

    @property
    def account(self) -> int:
        """The same number."""
        return self.host


@dataclass
class Unit:
    """A work unit with all that came of it."""

    first: int
    last: int
    open: bool = True
    tasks: dict[int, Task] = field(default_factory=dict)
    copies: list[Copy] = field(default_factory=list)
    settled: list[tuple[int, int, int]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    ready: dict[int, Waiting] = field(default_factory=dict)


@dataclass
class Range:
    """A range that shall wait."""

    id: int
    unit: int
    first: int
    last: int


class Pool:
    """Hosts that work in turns until every unit is over."""

    def __init__(self, scene: Scene, policy: Policy) -> None:
        """With every unit's first copies waiting."""
        self.scene, self.policy, self.now = scene, policy, 1e9
        self.makers = Makers(scene.cheat, scene.unit)
        self.random = random.Random(scene.seed)
        self.ids = count(1)
        self.line = Line(lambda: next(self.ids))
        self.key = KEY + scene.seed.to_bytes(4, "big")
        self.histories: dict[int, History] = {}
        self.copies = self.stuck = 0
        self.wrong = self.marked = 0
        self.alone: dict[int, int] = {}  # wrong events on the word of a host not caught since
        self.spots: dict[int, Intervals] = {}
        self.here: tuple[set[int], int] = (set(), scene.hosts)
        self.units = [Unit(k * scene.unit, (k + 1) * scene.unit) for k in range(scene.units)]
        for number, unit in enumerate(self.units):
            rows = [
                Range(next(self.ids), number, unit.first, unit.last)
                for _ in range(policy.first_copies)
            ]
            self._wait(rows, {})

    def run(self) -> Outcome:
        """Turn after turn until nothing is open that anybody can do."""
        idle = 0
        while any(unit.open for unit in self.units) and idle < 60:
            idle = 0 if self._turn() else idle + 1
        self.stuck += sum(unit.last - unit.first for unit in self.units if unit.open)
        honest = set(self.histories) - self.scene.cheats
        blamed = sum(self.histories[host].caught > 0 for host in honest)
        return Outcome(self.wrong, self.marked, self.copies, self.stuck, blamed)

    def _turn(self) -> bool:
        hosts = list(range(1, self.scene.hosts + 1))
        self.random.shuffle(hosts)
        known = {host for host in hosts if self._standing(host) is Standing.TRUSTED}
        self.here = known, len(hosts) - len(known)
        tasks = [task for host in hosts for task in self._lease(host)]
        self.random.shuffle(tasks)
        for task in tasks:
            lies = task.host in self.scene.cheats
            if self.scene.cheat.sleeps:
                lies = lies and task.host in known
            digests = self.makers.sent(task.unit, task.first, task.last, task.host, lies)
            copy = Copy(task.id, task.host, task.host, task.first, task.last, digests)
            self.units[task.unit].copies.append(copy)
            self.copies += task.last - task.first
        self.now += TURN_S
        for number in dict.fromkeys(task.unit for task in tasks):
            self._settle(number)
        return bool(tasks)

    def _lease(self, host: int) -> list[Task]:
        """As much as a host computes in a turn; no range is cut, all of them fit."""
        tasks, left = [], self.scene.unit
        while left > 0:
            taken = self.line.take(host, "", left, lambda first, last, events: last)
            if taken is None:
                break
            unit = self.units[taken.waiting.unit]
            if taken.rest is None:
                unit.ready.pop(taken.waiting.id, None)
            else:
                unit.ready[taken.waiting.id] = taken.waiting
            number = taken.waiting.id if taken.rest is None else next(self.ids)
            task = Task(number, taken.waiting.unit, taken.first, taken.last, host)
            unit.tasks[task.id] = task
            tasks.append(task)
            left -= taken.last - taken.first
        return tasks

    def _standing(self, host: int) -> Standing:
        own = self.histories.get(host)
        if own is None:
            return Standing.NEW
        needed = self.policy.trust_events
        alone = trust.disgraced([own], needed, self.now)
        return trust.standing(own, alone, needed, self.now)

    def _faith(self, number: int) -> Faith:
        unit = self.units[number]
        standings = {task.host: self._standing(task.host) for task in unit.tasks.values()}
        if not self.policy.adaptive:
            return Faith(standings, None)
        if number not in self.spots:
            bounds, share = (unit.first, unit.last), self.policy.spot_checks
            self.spots[number] = trust.spots(self.key, 1, number, bounds, BLOCK, share)
        return Faith(standings, self.spots[number])

    def _settle(self, number: int) -> None:
        unit = self.units[number]
        if not unit.open:
            return
        settled = Intervals((a, b) for a, b, _ in unit.settled)
        pending = [Pending(None, ready.first, ready.last) for ready in unit.ready.values()]

        def judged(faith: Faith) -> Verdict:
            return judge(
                unit.first, unit.last, 1, self.policy.quorum, settled,
                [_believed(copy, faith) for copy in unit.copies], pending,
                self.policy.most_copies, unit.rejected, faith.spots,
            )  # fmt: skip

        faith, verdict = settled_by(self._faith(number), judged)
        unit.settled += [(part.first, part.last, part.task) for part in verdict.settled]
        unit.rejected += verdict.rejected
        taken = [(part.first, part.last, part.task) for part in verdict.trusted]
        over = Intervals((a, b) for a, b, _ in [*unit.settled, *taken])
        self._learn(verdict, faith, unit)
        if over.covers(unit.first, unit.last):
            self._close(number, taken)
        elif verdict.exhausted:
            unit.open = False
            self.stuck += unit.last - unit.first
            self.line.drop(number)
        else:
            held = Intervals((copy.first, copy.last) for copy in unit.copies)
            parts = join(verdict.shortage, unit.copies, BLOCK)
            rows = [
                Range(next(self.ids), number, part.first, part.last)
                for part in parts
                for _ in range(part.copies)
            ]
            again = [row for row in rows if held.overlaps(row.first, row.last)]
            self._wait(rows, {row.id: self._guard(number) for row in again})

    def _wait(self, rows: list[Range], guards: dict[int, Guard]) -> None:
        back = bool(guards)
        for row in rows:
            self.line.add([row], back, guards if self.policy.adaptive else {})
            waiting = self.line.back[-1] if back else self.line.fresh[-1]
            if waiting is not None:
                self.units[row.unit].ready[row.id] = waiting

    def _guard(self, number: int) -> Guard:
        (known, others), since = self.here, self.now

        def may(account: int) -> bool:
            waited = trust.reach(len(known), others, self.now - since)
            return trust.place(self.key, 1, number, account, account in known) < waited

        return may

    def _learn(self, verdict: Verdict, faith: Faith, unit: Unit) -> None:
        for host, said in findings(verdict, faith, unit.tasks).items():
            before = self.histories.get(host, History())
            if said.against:
                self.histories[host] = trust.caught(before, self.now)
                self.marked += self.alone.pop(host, 0)
            else:
                self.histories[host] = trust.agreed(before, said.agreed, said.by, self.now)

    def _close(self, number: int, taken: list[tuple[int, int, int]]) -> None:
        """The unit is written; who is caught later has its wrong events marked."""
        unit = self.units[number]
        unit.open = False
        self.line.drop(number)
        self.line.forget_unit(number)
        copies: dict[int, list[Copy]] = {}
        for copy in unit.copies:
            copies.setdefault(copy.task, []).append(copy)
        for parts, alone in ((unit.settled, False), (taken, True)):
            for first, last, task in parts:
                copy = copies[task][0]
                digests = copy.digests[first - copy.first : last - copy.first]
                wrong = len(self.makers.wrong(number, first, tuple(digests)))
                self.wrong += wrong
                if wrong and alone:
                    self.alone[copy.host] = self.alone.get(copy.host, 0) + wrong
        unit.copies, unit.tasks = [], {}


def _believed(copy: Copy, faith: Faith) -> Copy:
    flags = faith.flags(copy.host)
    return Copy(copy.task, copy.host, copy.account, copy.first, copy.last, copy.digests, *flags)
