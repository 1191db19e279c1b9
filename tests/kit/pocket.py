"""A production that fits into a pocket: the rules of `server.domain` with lists for a database."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from server.domain import production, task, workunit
from server.domain.faith import Faith, settled_by
from server.domain.intervals import Intervals
from server.domain.policy import Policy
from server.domain.production import ProductionState
from server.domain.quorum import Copy, Pending, Rejected, Settled, Verdict, judge
from server.domain.sizing import cut
from server.domain.split import unit_of, unit_range, units_total
from server.domain.task import TaskState
from server.domain.trust import Standing, grain, spots
from server.domain.workunit import UnitState


@dataclass(frozen=True)
class Shape:
    """The figures of a production."""

    events: int = 24
    unit: int = 12
    granule: int = 1
    block: int = 1
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True)
class Lease:
    """A task; ``held`` is what of it has arrived."""

    number: int
    unit: int
    first: int
    last: int
    state: TaskState = TaskState.READY
    account: int | None = None
    held: Intervals = field(default_factory=Intervals)

    @property
    def missing(self) -> Intervals:
        """What of it has not arrived."""
        return self.held.missing(self.first, self.last)


@dataclass
class Unit:
    """A work unit with its copies in the order in which they came."""

    first: int
    last: int
    most_copies: int
    state: UnitState = UnitState.OPEN
    dirty: bool = False
    copies: list[Copy] = field(default_factory=list)
    settled: Intervals = field(default_factory=Intervals)
    rejected: list[Rejected] = field(default_factory=list)


class Pocket:
    """A production from its first lease to its output."""

    def __init__(self, shape: Shape) -> None:
        """A new production with its first tasks ready."""
        self.shape = shape
        self.state = ProductionState.ACTIVE
        self.tasks: dict[int, Lease] = {}
        self.output: dict[int, bytes] = {}
        self.credits: dict[tuple[int, int], int] = {}
        self.units: list[Unit] = []
        self.standings: dict[int, Standing] = {}
        self.taken: set[int] = set()
        for number in range(units_total(shape.events, shape.unit)):
            first, last = unit_range(number, shape.unit, shape.events)
            self.units.append(Unit(first, last, shape.policy.most_copies))
            for _ in range(shape.policy.first_copies):
                self._add(number, first, last)

    def lease(self, account: int, events: int, careful: bool = True) -> Lease | None:
        """Give the account the next range, cut to about so many events.

        If careful, only one that it can help with, having had none of its events before.
        """
        if self.state is not ProductionState.ACTIVE:
            return None
        free = (t for t in list(self.tasks.values()) if t.state is TaskState.READY)
        found = next((t for t in free if not (careful and self._knows(account, t))), None)
        if found is None:
            return None
        end = cut(found.first, found.last, events, self.shape.block, self.shape.granule)
        if end < found.last:
            self._add(found.unit, end, found.last)
        state = task.MOVES.after(found.state, "lease")
        found = self._put(replace(found, account=account, last=end, state=state))
        self.settle(found.unit)
        return found

    def deliver(self, number: int, first: int, digests: list[bytes]) -> None:
        """A frame arrives, whenever it does; what was delivered before is not taken again."""
        lease = self.tasks[number]
        unit, g = self.units[lease.unit], self.shape.granule
        last = min(self.shape.events, (first // g + len(digests)) * g)
        if unit.state is UnitState.SETTLED or lease.held.overlaps(first, last):
            return
        account = lease.account or 0
        unit.copies.append(Copy(number, account, account, first, last, digests))
        lease = self._put(replace(lease, held=lease.held.add(first, last)))
        unit.dirty = True
        if lease.state is TaskState.LEASED and not lease.missing:
            self.end(number, "deliver")
        elif lease.state is not TaskState.LEASED:
            self.settle(lease.unit)

    def end(self, number: int, cause: str) -> None:
        """A lease ends, and its unit is judged."""
        lease = self.tasks[number]
        self._put(replace(lease, state=task.MOVES.after(lease.state, cause)))
        self.units[lease.unit].dirty = True
        self.settle(lease.unit)

    def trim(self, number: int, events: int) -> None:
        """Take the tail of a lease back, of what nothing has arrived."""
        lease = self.tasks[number]
        least = max([lease.first, *(last for _, last in lease.held)])
        if lease.state is TaskState.LEASED and least < lease.last:
            end = cut(least, lease.last, events, self.shape.block, self.shape.granule)
            self._put(replace(lease, last=end))
            self.units[lease.unit].dirty = True
            self.settle(lease.unit)

    def move(self, cause: str) -> None:
        """Pause, resume and the like."""
        self.state = production.MOVES.after(self.state, cause)

    def release(self, number: int) -> None:
        """An operator has looked at a held unit and allows it as many copies again."""
        unit = self.units[number]
        unit.state = workunit.MOVES.after(unit.state, "release")
        unit.most_copies += self.shape.policy.most_copies
        self.settle(number)

    def believe(self, account: int, standing: Standing) -> None:
        """From now on an account is believed as far as that; what is open is judged again."""
        self.standings[account] = standing
        for number in range(len(self.units)):
            self.settle(number)

    def spots(self, number: int) -> Intervals | None:
        """The checks of a unit; None if nobody is trusted."""
        policy, unit = self.shape.policy, self.units[number]
        if not policy.adaptive:
            return None
        step = grain(self.shape.granule, self.shape.block)
        return spots(b"pocket", 1, number, (unit.first, unit.last), step, policy.spot_checks)

    def judged(self, unit: Unit) -> tuple[Faith, Verdict]:
        """What the judge says of a unit now, and how far it believes whom."""
        faith = Faith(dict(self.standings), self.spots(self.units.index(unit)))
        return settled_by(faith, lambda faith: self._judged(unit, faith))

    def _judged(self, unit: Unit, faith: Faith) -> Verdict:
        pending = [
            Pending(lease.account, a, b, *faith.flags(lease.account))
            for lease in self.tasks.values()
            if lease.state in (TaskState.READY, TaskState.LEASED)
            for a, b in lease.missing
            if unit.first <= a < unit.last
        ]
        return judge(
            unit.first,
            unit.last,
            self.shape.granule,
            self.shape.policy.quorum,
            unit.settled,
            [self._copy(copy, faith) for copy in unit.copies],
            pending,
            unit.most_copies,
            unit.rejected,
            faith.spots,
        )

    def settle(self, number: int) -> None:
        """Judge a unit and carry the verdict out."""
        unit = self.units[number]
        if unit.state not in (UnitState.OPEN, UnitState.HELD):
            return
        faith, verdict = self.judged(unit)
        unit.dirty = False
        if faith.spots is not None:
            self.standings |= {wrong.host: Standing.DOUBTED for wrong in verdict.rejected}
        unit.rejected.extend(verdict.rejected)
        for part in (*verdict.settled, *self._take(unit, verdict)):
            unit.settled = unit.settled.add(part.first, part.last)
            for event in range(part.first, part.last):
                self.output[event] = self._digest(unit, part.task, event)
                for winner in part.agreeing:
                    key = winner, event
                    self.credits[key] = self.credits.get(key, 0) + 1
        if unit.settled.covers(unit.first, unit.last):
            self._close(number)
        elif verdict.exhausted and unit.state is UnitState.OPEN:
            unit.state = workunit.MOVES.after(unit.state, "hold")
            self._end_all(number, TaskState.READY, "withdraw")
        elif unit.state is UnitState.OPEN:
            for short in verdict.shortage:
                for _ in range(short.copies):
                    self._add(number, short.first, short.last)

    def _take(self, unit: Unit, verdict: Verdict) -> tuple[Settled, ...]:
        """What is taken on trust: nothing until the unit can be closed with it."""
        whole = unit.settled
        for part in (*verdict.settled, *verdict.trusted):
            whole = whole.add(part.first, part.last)
        if not whole.covers(unit.first, unit.last):
            return ()
        for part in verdict.trusted:
            self.taken.update(range(part.first, part.last))
        return verdict.trusted

    def _close(self, number: int) -> None:
        unit = self.units[number]
        unit.state = workunit.MOVES.after(unit.state, "settle")
        self._end_all(number, TaskState.READY, "withdraw")
        self._end_all(number, TaskState.LEASED, "abort")
        if all(unit.state is UnitState.SETTLED for unit in self.units):
            self.move("settled")
            self.move("merged")

    def _end_all(self, number: int, state: TaskState, cause: str) -> None:
        for lease in list(self.tasks.values()):
            if lease.unit == number and lease.state is state:
                self._put(replace(lease, state=task.MOVES.after(state, cause)))

    def _knows(self, account: int, wanted: Lease) -> bool:
        """Whether the account has had any of these events before."""
        return any(
            lease.account == account and lease.first < wanted.last and wanted.first < lease.last
            for lease in self.tasks.values()
            if lease.state is TaskState.LEASED or lease.held
        )

    def _copy(self, copy: Copy, faith: Faith) -> Copy:
        trusted, doubted = faith.flags(copy.host)
        return replace(copy, trusted=trusted, doubted=doubted)

    def _add(self, unit: int, first: int, last: int) -> None:
        assert unit == unit_of(first, self.shape.unit)
        self._put(Lease(len(self.tasks) + 1, unit, first, last))

    def _put(self, lease: Lease) -> Lease:
        self.tasks[lease.number] = lease
        return lease

    def _digest(self, unit: Unit, number: int, event: int) -> bytes:
        of_task = (copy for copy in unit.copies if copy.task == number)
        copy = next(copy for copy in of_task if copy.first <= event < copy.last)
        return copy.digests[event // self.shape.granule - copy.first // self.shape.granule]
