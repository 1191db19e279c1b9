"""What the facts of the ledgers count as: leases and their ends, units, frames, copies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from server.domain.rollup import MINUTE, Kind, MachineKind, Measure, Tally, floor
from server.domain.task import TaskState

Facts = dict[Measure, int]

_ENDS = {
    TaskState.DELIVERED: Measure.TASKS_DELIVERED,
    TaskState.RETURNED: Measure.TASKS_RETURNED,
    TaskState.EXPIRED: Measure.TASKS_EXPIRED,
    TaskState.FAILED: Measure.TASKS_FAILED,
    TaskState.ABORTED: Measure.TASKS_ABORTED,
}
_TAKEN_AWAY = (TaskState.RETURNED, TaskState.EXPIRED)
_IN_VAIN = (TaskState.RETURNED, TaskState.EXPIRED, TaskState.FAILED)
_MOST_S = 10.0**8  # three years of one task: what a host says must not overflow a sum
CORES_MOST = 64  # a host says itself what its task used; no more than this many cores all the time
INSTITUTE = "institute"


class Whose(NamedTuple):
    """To what a fact belongs; 0 and empty are nobody's."""

    production: int
    host: int = 0
    account: int = 0
    site: str = ""
    site_kind: str = ""
    country: str = ""
    role: str = ""

    def kinds(self) -> list[tuple[Kind, str]]:
        """What the fact is counted for."""
        found = [(Kind.POOL, ""), (Kind.PRODUCTION, str(self.production))]
        if self.host:
            found.append((Kind.HOST, str(self.host)))
            found.append((Kind.MACHINE, str(machine_kind(self.site_kind, self.role))))
        if self.account:
            found.append((Kind.ACCOUNT, str(self.account)))
            found.append((Kind.CONTRIBUTION, f"{self.account}/{self.production}"))
        if self.site:
            found.append((Kind.SITE, self.site))
        if self.country:
            found.append((Kind.COUNTRY, self.country))
        return found


class Fact(NamedTuple):
    """Something that happened, to be counted."""

    whose: Whose
    at: float
    facts: Facts


def machine_kind(site_kind: str, role: str) -> MachineKind:
    """What kind of machine a host is: as its site says, else as whose it is."""
    if site_kind:
        return MachineKind(site_kind)
    return MachineKind.CLUSTER if role == INSTITUTE else MachineKind.VOLUNTEER


def of_lease() -> Facts:
    """A task was leased."""
    return {Measure.TASKS_LEASED: 1}


def of_end(
    state: TaskState, events: int, held: int, done: int, cpu_s: float, wall_s: float
) -> Facts:
    """A leased task ended: ``held`` of its events are in hand, its host said it had ``done``."""
    facts = {
        _ENDS[state]: 1,
        Measure.CPU_MS: _ms(min(cpu_s, wall_s * CORES_MOST)),
        Measure.WALL_MS: _ms(wall_s),
    }
    if state in _TAKEN_AWAY and held < events:
        facts[Measure.PREEMPTIONS] = 1
    if state in _IN_VAIN and done > held:
        facts[Measure.EVENTS_RECOMPUTED] = done - held
    return facts


def _ms(seconds: float) -> int:
    return round(min(seconds, _MOST_S) * 1000) if seconds > 0 else 0


def of_unit(first: int, last: int, aside: int) -> Facts:
    """A unit was settled, but for the events of it that are set aside."""
    facts = {Measure.EVENTS_SETTLED: last - first - aside}
    if aside:
        facts[Measure.EVENTS_SET_ASIDE] = aside
    return facts


def of_frame(events: int, size: int) -> Facts:
    """A frame is in hand."""
    return {Measure.FRAMES: 1, Measure.EVENTS_RECEIVED: events, Measure.BYTES_RECEIVED: size}


def taken_back(facts: Facts) -> Facts:
    """What was counted counts no more."""
    return {measure: -value for measure, value in facts.items()}


def of_credit(events: int, micros: int) -> Facts:
    """Events of a copy were agreed with, or taken on trust, and booked."""
    return {Measure.EVENTS_VALIDATED: events, Measure.CREDIT_MICROS: micros}


def of_correction(micros: int) -> Facts:
    """Credit was taken back (below 0), or given again."""
    return {Measure.CREDIT_MICROS: micros}


def of_rejection(events: int) -> Facts:
    """Events of a copy disagree with what was settled."""
    return {Measure.EVENTS_REJECTED: events}


def tallied(facts: Iterable[Fact], now: float) -> Tally:
    """Facts added up for all that they are of, but for what would be thinned out at ``now``."""
    alike: dict[tuple[Whose, int], Facts] = {}
    for whose, at, found in facts:
        place = (whose, floor(at, MINUTE))
        sums = alike.get(place)
        if sums is None:
            alike[place] = dict(found)
            continue
        for measure, value in found.items():
            sums[measure] = sums.get(measure, 0) + value
    tally = Tally(now)
    for (whose, minute), sums in alike.items():
        tally.add(whose.kinds(), minute, sums)
    return tally
