"""The end of a production on the simulated server: `server.domain.endgame`, with lists for tables.

What `server.services.endgame` does around those rules is done here in the same order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import simpy

from server.domain import endgame
from server.domain.agreement import Copy
from server.domain.endgame import Hand, Plan, Running
from server.domain.line import Line
from server.domain.policy import Policy
from server.domain.quorum import Pending, Shortage, judge
from server.domain.trust import Standing
from tools.simulation.desk import Task
from tools.simulation.hosts import Host
from tools.simulation.unit import Unit

if TYPE_CHECKING:
    from tools.simulation.ours import Ours

# The server looks every 5 s, which costs too much here; and before the end is near, less often.
HASTEN_S, FAR_S = 15.0, 60.0
BEATS = 3.0  # as server.services.endgame has it


def is_swift(host: Host, standing: Standing) -> bool:
    """Whether the last events are given to this host."""
    if host.seconds is None:
        return False
    return endgame.reliable(host.failures, host.lost, host.proven, standing)


class Ending:
    """Decides what holds a production up, and what of it is made once more."""

    def __init__(self, policy: Policy, block: int) -> None:
        """Nothing is at its end yet."""
        self.policy, self.block = policy, block
        self.flush_s = policy.lease_s / BEATS

    def near(self, line: Line, leased: Iterable[Task], now: float) -> bool:
        """Whether the production is at its end."""
        line.forget_rush(now - endgame.AGAIN * endgame.FLUSHES * self.flush_s)
        if not line.ended:
            return False
        rate = sum(self._rate(task, now) for task in leased) if line.events else 0.0
        line.ending = endgame.ending(line.ending, line.events, rate, self.flush_s)
        return line.ending

    def plan(
        self,
        there: Iterable[tuple[Unit, Task]],
        line: Line,
        idle: Iterable[tuple[Host, Standing]],
        now: float,
    ) -> Plan:
        """What to take from whom."""
        running = [
            self._running(task, unit, line, now)
            for unit, task in there
            if not unit.over and not unit.held
        ]
        return endgame.plan(running, _hands(idle, len(line.rush)), self.flush_s, self.block)

    def copies(
        self,
        unit: Unit,
        made: Sequence[Copy],
        pending: Sequence[Pending],
        sure: Sequence[Pending],
        wanted: Sequence[Shortage],
    ) -> list[Shortage]:
        """What is to be made beside ``wanted`` if only what is ``sure`` of ``pending`` comes."""
        soon = [Pending(None, part.first, part.last) for part in wanted for _ in range(part.copies)]
        most = self.policy.most_copies
        verdict = judge(
            unit.first, unit.last, 1, self.policy.quorum, unit.decided, made, [*sure, *soon], most
        )
        return endgame.spare(verdict.shortage, made, [*pending, *soon], most)

    def _rate(self, task: Task, now: float) -> float:
        grown_s = now - max(task.grown_at, task.leased_at)
        known = 1.0 / task.host.seconds if task.host.seconds else None
        done = task.acked - task.first
        return endgame.rate_of(done, now - task.leased_at, grown_s, known, self.flush_s)

    def _running(self, task: Task, unit: Unit, line: Line, now: float) -> Running:
        at, since = min(task.acked, task.last - 1), task.silent_since
        held = line.holdings.get(unit.number, ())
        doubles = sum(
            waiting.id in line.rush
            and waiting.unit == unit.number
            and waiting.first < task.last
            and waiting.last > at
            for waiting in (line.back if line.rush else ())
        )
        return Running(
            task.id,
            task.host.account,
            line.classes.get(unit.number, ""),
            at,
            task.last,
            task.last - at,
            self._rate(task, now),
            since is not None and now - since > endgame.FLUSHES * self.flush_s,
            task.late,
            unit.number,
            frozenset(h.account for h in held if h.first < task.last and h.last > at),
            doubles,
        )


def _hands(idle: Iterable[tuple[Host, Standing]], waiting: int) -> list[Hand]:
    """The swift hosts that have nothing to do, but for what waits for them already."""
    slots: Counter[int] = Counter()
    hosts: dict[int, tuple[Host, Standing]] = {}
    for host, standing in idle:
        if is_swift(host, standing):
            slots[host.id] += 1
            hosts[host.id] = (host, standing)
    found = []
    for host, standing in hosts.values():
        free = slots[host.id] - min(waiting, slots[host.id])
        waiting -= slots[host.id] - free
        if free and host.seconds:
            rate, trusted = 1.0 / host.seconds, standing is Standing.TRUSTED
            found.append(Hand(host.account, host.person.klass, rate, free, trusted))
    return found


def hasten(server: Ours) -> simpy.events.ProcessGenerator:
    """Every few seconds near the end: what holds it up is cut, or counted on no more."""
    ending, line = server.ending, server.line
    while not server.over:
        yield server.env.timeout(HASTEN_S if line.ending else FAR_S)
        now = server.env.now
        there = list(server.running.values()) if line.ended else []
        if not there:
            continue
        for unit, task in there:
            unit.hear(task, now, server)
        if not ending.near(line, (task for _, task in there), now):
            continue
        idle = ((host, server.keeper.standing(host, now)) for host in server.idle())
        plan = ending.plan(there, line, idle, now)
        trims = {trim.task: trim.keep for trim in plan.trims}
        changed = {}
        for unit, task in there:
            was, task.late = task.late, task.id in plan.late
            unit.heard(task, now, server)
            cut = task.id in trims and server.trim(unit, task, trims[task.id])
            if cut or (task.late and not was):
                changed[unit.number] = unit
        for unit in changed.values():
            server.judge(unit)
        if line.rush:
            server.wake_those(server.is_swift, 4 * len(line.rush))
