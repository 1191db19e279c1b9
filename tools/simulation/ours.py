"""Our server on the virtual clock: the domain's rules, with lists where the services have tables.

What the use cases of `server.services` do around the rules is done here in the same order: an ask
takes from the queue (`dispatch`), an end of a lease lets go and has its unit judged (`report`), a
verdict is carried out (`settle`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import simpy

from server.domain import joining, sizing
from server.domain.intervals import Intervals
from server.domain.line import Line
from server.domain.poison import Poison
from server.domain.policy import Policy
from server.domain.quorum import Copy, Verdict, judge
from server.domain.split import unit_range, units_total
from tools.simulation.desk import RETRY_S, Desk, Task
from tools.simulation.ending import Ending, hasten, is_swift
from tools.simulation.hosts import Host
from tools.simulation.ledger import Ledger
from tools.simulation.trusting import Faith, Keeper
from tools.simulation.unit import Unit
from tools.simulation.workload import Workload

WINDOW, UNROLL = 20_000, 500  # as server.services.deps.Limits and server.services.refill have them
SHUN_S, REST_MOST_S = 600.0, 600.0  # as server.services.report and .cards
PROBED = 20  # reference events (notes on event services, 3.3)
SPEEDS = 1001  # so many hosts' speeds stand for all


class Row(NamedTuple):
    """A task that is to wait."""

    id: int
    unit: int
    first: int
    last: int


@dataclass(frozen=True)
class Rules:
    """Our policy, or ours with one thing changed: how leases are sized, whether frames stream."""

    streams: bool = True
    fixed_s: float | None = None
    unit: int = 60
    block: int = 1
    flush_s: float = 27.0
    probes: bool = True
    adaptive: bool = False
    hastens: bool = True


class Ours(Desk):
    """A production on our server."""

    def __init__(
        self,
        env: simpy.Environment,
        workload: Workload,
        ledger: Ledger,
        seed: int,
        rate: float,
        rules: Rules,
        policy: Policy,
        hosts: Sequence[Host],
    ) -> None:
        """One production of this workload, under these rules."""
        super().__init__(env, workload, ledger, seed, rate)
        self.rules, self.policy = rules, policy
        self.streams, self.flush_s = rules.streams, rules.flush_s
        self.line = Line(self.number)
        self.units: dict[int, Unit] = {}
        self.next_unit = self.aside = 0
        self.reach = rules.block
        self.keeper = Keeper(policy, hosts, seed)
        self.ending = Ending(policy, rules.block)
        self._places: dict[int, set[int]] = {}
        self._trimmed: set[int] = set()
        self.running: dict[int, tuple[Unit, Task]] = {}
        self._speeds: list[float] = []
        env.process(self._duties())
        if rules.hastens:
            env.process(hasten(self))

    def ask(self, host: Host) -> Task | None:
        """What `server.services.dispatch` does."""
        self._refill()
        if host.seconds is None and self.rules.probes:
            host.seconds = self._probe(host)
        told = self._told_left(host)
        if told is not None and not sizing.in_time(host.seconds, told, self.rules.block):
            return None
        swift = not self.line.rush or self.is_swift(host)
        most = self._how_many(host)
        taken = self.line.take(host.account, host.person.klass, most, self._cut, swift=swift)
        if taken is None:
            return None
        unit = self.units[taken.waiting.unit]
        unit.take(taken)
        task_id = taken.waiting.id if taken.rest is None else self.number()
        now = self.env.now
        task = Task(
            task_id, unit.number, taken.first, taken.last, host, now, taken.first, taken.first
        )
        if unit.has(host.account, taken.first, taken.last):
            self.ledger.fault(f"account {host.account} has some of [{taken.first}, {taken.last})")
        unit.lease(task)
        self.running[task.id] = (unit, task)
        self.leased += 1
        self.ledger.leases += 1
        return task

    def is_swift(self, host: Host) -> bool:
        """Whether the last events are given to this host."""
        return is_swift(host, self.keeper.standing(host, self.env.now))

    def _probe(self, host: Host) -> float:
        """What the reference events tell of a host's speed, which they do not tell exactly."""
        shape = self.workload.shape
        spread = math.log(1 + shape.cv**2 / PROBED)
        guess = math.exp(self.chance.gauss(-spread / 2, math.sqrt(spread)))
        return shape.event_s / (host.speed * host.person.rush) * guess

    def _refill(self) -> None:
        while len(self.line) * 2 < WINDOW and not self.line.ended:
            total = units_total(self.workload.events, self.rules.unit)
            low, high = self.next_unit, min(total, self.next_unit + UNROLL)
            rows = []
            for number in range(low, high):
                first, last = unit_range(number, self.rules.unit, self.workload.events)
                self.units[number] = unit = Unit(number, first, last)
                for _ in range(self.policy.first_copies):
                    row = Row(self.number(), number, first, last)
                    unit.ready[row.id] = (first, last)
                    rows.append(row)
            self.line.add(rows)
            self.next_unit, self.line.ended = high, high == total

    def _how_many(self, host: Host) -> int:
        if self.rules.fixed_s is not None:
            return max(1, int(self.rules.fixed_s / self.workload.shape.event_s))
        left = self.workload.events - self.next_unit * self.rules.unit
        waiting = self.line.events + max(0, left) * self.policy.first_copies
        return sizing.lease_events(
            host.seconds,
            self._told_left(host),
            sizing.share_events(waiting, self.leased),
            self.policy.longest_s,
            sizing.least_events(host.seconds, self.rules.block),
        )

    def _told_left(self, host: Host) -> float | None:
        """For how long the host says it will be there, in s."""
        return None if host.life.told is None else host.life.told - self.env.now

    def _cut(self, first: int, last: int, events: int) -> int:
        if last - first <= events:
            return last
        return sizing.cut(first, last, events, self.rules.block, 1)

    def deliver(self, task: Task) -> None:
        """All of it is in hand."""
        if task.leased:
            task.host.failures, task.host.rests_until = 0, 0.0
            task.host.proven += 1
            self._end(task, "deliver")

    def give_back(self, task: Task) -> None:
        """Its host is warned, or drained."""
        self._end(task, "give-back")

    def fail(self, task: Task, event: int) -> None:
        """The payload died: a rest for the host if it goes on so, an error of the unit, a shun."""
        host, now, unit = task.host, self.env.now, self.units[task.unit]
        host.failures += 1
        if host.failures > 1:
            host.rests_until = now + min(REST_MOST_S, 2.0 ** min(host.failures - 1, 30))
        unit.failed(host.account, event)
        if task.leased:
            self._end(task, "fail", judge_it=False)
            self.line.shun(task.unit, host.account, task.first, task.last, now + SHUN_S)
            found = unit.set_aside(self.policy, self.policy.most_set_aside - self.aside)
            if found:
                self._put_aside(unit, found)
            self.judge(unit)

    def _put_aside(self, unit: Unit, found: list[Poison]) -> None:
        """What `server.services.aside` does: what waits is made anew, its hosts are forgiven."""
        events = sum(one.last - one.first for one in found)
        self.aside += events
        self.ledger.put_aside(self.env.now, events)
        self._withdraw(unit)
        self.line.forgive(self.env.now, unit.number)

    def silent(self, task: Task) -> None:
        """Nobody tells the server: the lease slides no more, and runs out."""
        if not task.leased:
            return
        task.silent_since = since = self.env.now

        def over() -> None:
            if task.leased and task.silent_since == since:
                task.host.lost += 1
                self._end(task, "expire")

        self.after(self.policy.lease_s, over)

    def back(self, task: Task) -> bool:
        """It is heard of again; what it sends late is taken while its unit is open."""
        task.silent_since = None
        if task.leased:
            return True
        unit = self.units.get(task.unit)
        if unit is not None and unit.late(task):
            self.line.hold(unit.number, task.host.account, task.first, task.acked)
            self.judge(unit)
        return False

    def _end(self, task: Task, cause: str, judge_it: bool = True) -> None:
        unit, now = self.units[task.unit], self.env.now
        unit.hear(task, now, self)
        done, took = task.acked - task.first, now - task.leased_at
        if cause in {"deliver", "give-back"} and done and took > 0:
            task.host.seconds = sizing.measured(task.host.seconds, took / done)
            if len(self._speeds) < SPEEDS:
                self._speeds.append(task.host.seconds)
        task.end(cause)
        unit.ended(task)
        self.running.pop(task.id, None)
        self.leased -= 1
        if cause != "deliver":
            keeps = [(task.first, task.acked)] if task.acked > task.first else []
            self.line.let_go(unit.number, task.host.account, task.first, task.last, keeps)
        if self.policy.adaptive and task.acked > task.first:
            self._places.setdefault(task.host.id, set()).add(unit.number)
        plain = cause == "deliver" and not self.policy.adaptive
        if judge_it and not unit.over and not (plain and unit.alone(task)):
            self.judge(unit)

    def judge(self, unit: Unit) -> None:
        """What `server.services.settle` does with one unit."""
        if unit.over:
            return
        now = self.env.now
        faith, verdict = self._verdict(unit)
        copies = unit.copies()
        for part in verdict.settled:
            unit.settle(part, now, self)
        unit.reject(verdict.rejected, self)
        caught = self.keeper.book(verdict, faith, unit.owners, now)
        taken = Intervals((part.first, part.last) for part in verdict.trusted)
        unit.over = unit.decided.union(taken).covers(unit.first, unit.last)
        if unit.over:
            for part in verdict.trusted:
                unit.settle(part, now, self)
            self._close(unit)
        else:
            self._ask_for_more(unit, verdict, copies, faith)
            self._stop_losers(unit)
        for host in caught:
            for number in self._places.pop(host, ()):
                if number != unit.number:
                    self.judge(self.units[number])

    def _verdict(self, unit: Unit) -> tuple[Faith, Verdict]:
        """The verdict, and how far hosts were believed for it: nobody whom it catches."""
        now = self.env.now
        hosts = {task.host.id: task.host for task in unit.owners.values()}.values()
        faith = self.keeper.faith(unit.number, (unit.first, unit.last), hosts, now)
        while True:
            copies = unit.marked(faith) if self.policy.adaptive else unit.copies()
            verdict = judge(
                unit.first, unit.last, 1, self.policy.quorum, unit.decided,
                copies, unit.pending(faith, late=True), self.policy.most_copies, None, faith.spots,
            )  # fmt: skip
            less = faith.without({wrong.host for wrong in verdict.rejected})
            if less is faith:
                return faith, verdict
            faith = less

    def _ask_for_more(self, unit: Unit, verdict: Verdict, copies: list[Copy], faith: Faith) -> None:
        if not copies and not unit.leased:
            self.line.free(unit.number)
        if unit.held:
            return
        if unit.errors >= self.policy.most_errors or verdict.exhausted:
            self._hold(unit)
            return
        wanted = joining.join(verdict.shortage, copies, self._reach(), unit.aside)
        rushed = []
        if any(task.late for task in unit.leased.values()):
            pending, sure = unit.pending(faith, late=True), unit.pending(faith)
            rushed = self.ending.copies(unit, copies, pending, sure, wanted)
        rows = [
            Row(self.number(), unit.number, part.first, part.last)
            for part in (*wanted, *rushed)
            for _ in range(part.copies)
        ]
        if rushed or unit.number in self._trimmed:
            self.line.rush.update((row.id, self.env.now) for row in rows)
        self._trimmed.discard(unit.number)
        unit.ready.update((row.id, (row.first, row.last)) for row in rows)
        guards = {}
        if self.policy.adaptive:
            held = Intervals((copy.first, copy.last) for copy in copies)
            guard = self.keeper.guard(unit.number, lambda: self.env.now)
            guards = {row.id: guard for row in rows if held.overlaps(row.first, row.last)}
        self.line.add(rows, back=True, guards=guards)

    def trim(self, unit: Unit, task: Task, keep: int) -> bool:
        """Cut a lease after about so many events; False if nothing of it is left to cut."""
        last = self._cut(task.acked, task.last, keep) if task.acked < task.last else task.last
        if not task.acked < last < task.last:
            return False
        self.line.let_go(
            unit.number, task.host.account, task.first, task.last, [(task.first, last)]
        )
        task.last, task.trimmed = last, True
        self._trimmed.add(unit.number)
        self.told(task)
        return True

    def _stop_losers(self, unit: Unit) -> None:
        """Who has nothing left to do that is not settled is told to stop."""
        for task in list(unit.leased.values()):
            first = unit.missing_from(task)
            if first < task.last and unit.decided.covers(first, task.last):
                self._end(task, "abort", judge_it=False)
                self.told(task)

    def _reach(self) -> int:
        if len(self._speeds) < SPEEDS:
            self.reach = joining.reach(self.rules.block, self._speeds[:50])
        return self.reach

    def _hold(self, unit: Unit) -> None:
        """An operator has to look; nobody does here."""
        unit.held = True
        self._withdraw(unit)
        rest = (unit.last - unit.first) - unit.decided.events
        self.ledger.put_aside(self.env.now, rest)
        self._ask_whether_over()

    def _withdraw(self, unit: Unit) -> None:
        self.line.drop(unit.number)
        unit.ready.clear()

    def _close(self, unit: Unit) -> None:
        # Copies that came after their events were settled are compared once, at the end.
        late = judge(
            unit.first, unit.last, 1, self.policy.quorum, unit.decided,
            unit.copies(), (), self.policy.most_copies, unit.rejected,
        )  # fmt: skip
        unit.reject(late.rejected, self)
        unit.check(self)
        self._withdraw(unit)
        self.keeper.forget(unit.number)
        self.line.forget_unit(unit.number)
        for task in list(unit.leased.values()):
            self._end(task, "abort", judge_it=False)
            self.told(task)
        self.units[unit.number] = unit.closed()
        self._ask_whether_over()

    def _ask_whether_over(self) -> None:
        if self.ledger.settled + self.ledger.set_aside >= self.workload.events:
            self.finish()

    def _duties(self) -> simpy.events.ProcessGenerator:
        """Every few seconds: hosts that wait ask again; who failed long ago may try again."""
        while not self.over:
            yield self.env.timeout(RETRY_S)
            self.ledger.polls += self.parked
            if self.line.shunned and self.line.shunned[0][0] <= self.env.now:
                self.line.forgive(self.env.now)
            if len(self.line) or not self.line.ended:
                self.wake_some(4 * len(self.line) + WINDOW * (not self.line.ended))
