"""Whatever hosts do, a production ends with every event exactly once and nothing believed alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from server.domain.errors import IllegalMove
from server.domain.intervals import Intervals
from server.domain.policy import Policy
from server.domain.production import ProductionState
from server.domain.task import MOVES, TaskState
from server.domain.trust import Standing
from server.domain.workunit import UnitState
from tests.kit.pocket import Lease, Pocket, Shape, Unit

ACCOUNTS = st.integers(1, 4)
PICK = st.integers(0, 10**6)
HELPERS = range(1000, 1100)


def right(record: int) -> bytes:
    return b"%d" % record


def wrong(record: int, account: int) -> bytes:
    """Every account lies in its own way: cheats do not collude."""
    return b"%d by %d" % (record, account)


class History(RuleBasedStateMachine):
    """Random lives of a production."""

    @initialize(
        quorum=st.integers(1, 3), granule=st.integers(1, 3), block=st.sampled_from([1, 6]),
        short=st.integers(0, 2), most=st.integers(3, 6), adaptive=st.booleans(),
    )  # fmt: skip
    def start(
        self, quorum: int, granule: int, block: int, short: int, most: int, adaptive: bool
    ) -> None:
        trusts = adaptive and quorum > 1
        policy = Policy(quorum=quorum, most_copies=most, adaptive=trusts, spot_checks=0.3)
        self.pocket = Pocket(Shape(24 - short, 12, granule, block, policy))
        self.pocket.standings.update({1: Standing.TRUSTED, 2: Standing.TRUSTED})
        self.frames: list[tuple[int, int, list[bytes]]] = []
        self.finals: dict[int, TaskState] = {}

    @rule(account=ACCOUNTS, events=st.integers(1, 8), careful=st.booleans())
    def lease(self, account: int, events: int, careful: bool) -> None:
        """A careless scheduler may give an account what it had before; it helps nobody."""
        self.pocket.lease(account, events, careful)

    @rule(pick=PICK, records=st.integers(1, 6), lies=st.booleans())
    def deliver(self, pick: int, records: int, lies: bool) -> None:
        """Some host sends the next frame, of a lease that may long have ended."""
        had = [lease for lease in self.pocket.tasks.values() if lease.account and lease.missing]
        if had:
            self._send(had[pick % len(had)], records, lies and pick % 3 == 0)

    @precondition(lambda self: self.frames)
    @rule(pick=PICK)
    def send_again(self, pick: int) -> None:
        before = snapshot(self.pocket)
        self.pocket.deliver(*self.frames[pick % len(self.frames)])
        assert snapshot(self.pocket) == before

    @rule(pick=PICK, cause=st.sampled_from(["give-back", "expire", "fail"]))
    def end(self, pick: int, cause: str) -> None:
        leased = [t for t in self.pocket.tasks.values() if t.state is TaskState.LEASED]
        if leased:
            self.pocket.end(leased[pick % len(leased)].number, cause)

    @precondition(lambda self: self.pocket.shape.policy.adaptive)
    @rule(account=ACCOUNTS, standing=st.sampled_from(Standing))
    def believe(self, account: int, standing: Standing) -> None:
        self.pocket.believe(account, standing)

    @rule(pick=PICK, events=st.integers(1, 4))
    def trim(self, pick: int, events: int) -> None:
        self.pocket.trim(1 + pick % len(self.pocket.tasks), events)

    @rule(cause=st.sampled_from(["pause", "resume", "hold", "release", "merged", "nonsense"]))
    def move(self, cause: str) -> None:
        before = snapshot(self.pocket)
        try:
            self.pocket.move(cause)
        except IllegalMove:
            assert snapshot(self.pocket) == before

    @rule(pick=PICK, cause=st.sampled_from(sorted({cause for _, cause in MOVES.table})))
    def move_a_task_that_has_ended(self, pick: int, cause: str) -> None:
        ended = [t for t in self.pocket.tasks.values() if t.state in MOVES.finals]
        if ended:
            before = snapshot(self.pocket)
            with pytest.raises(IllegalMove):
                self.pocket.end(ended[pick % len(ended)].number, cause)
            assert snapshot(self.pocket) == before

    @rule()
    def release(self) -> None:
        for number, unit in enumerate(self.pocket.units):
            if unit.state is UnitState.HELD:
                self.pocket.release(number)

    @invariant()
    def nothing_is_settled_without_a_quorum(self) -> None:
        shape = self.pocket.shape
        for event, digest in self.pocket.output.items():
            unit = self.pocket.units[event // shape.unit]
            agreeing = {
                held.account
                for held in unit.copies
                if held.first <= event < held.last and digest == digest_at(held, event, shape)
            }
            if event in self.pocket.taken:
                assert not checks_of(self.pocket, event).covers(event, event + 1)
                continue
            assert len(agreeing) >= shape.policy.quorum
            if shape.policy.quorum > 1:
                assert digest == right(event // shape.granule)
        settled = {e for unit in self.pocket.units for a, b in unit.settled for e in range(a, b)}
        assert settled == set(self.pocket.output)

    @invariant()
    def what_is_not_settled_is_on_its_way(self) -> None:
        for unit in self.pocket.units:
            if unit.state is UnitState.OPEN and not unit.dirty:
                for event in range(unit.first, unit.last):
                    if event not in self.pocket.output:
                        self.is_on_its_way(unit, event)

    def is_on_its_way(self, unit: Unit, event: int) -> None:
        """It may settle with what is under way, or it is being made, or trust is enough."""
        policy, hoped = self.pocket.shape.policy, hope(self.pocket, unit, event)
        if not policy.adaptive or hoped >= policy.quorum:
            assert hoped >= policy.quorum
        elif not any(held.first <= event < held.last for held in unit.copies):
            assert hoped > 0
        else:
            checks = checks_of(self.pocket, event)
            waiting = coming(self.pocket, event)
            trusted = {a for a, s in self.pocket.standings.items() if s is Standing.TRUSTED}
            spoken = {held.account for held in unit.copies if held.first <= event < held.last}
            assert not checks.covers(event, event + 1)
            assert trusted & (spoken | set(waiting))

    @invariant()
    def credit_is_booked_once_for_settled_events(self) -> None:
        assert set(self.pocket.credits.values()) <= {1}
        assert {event for _, event in self.pocket.credits} == set(self.pocket.output)

    @invariant()
    def rejections_are_told_once_and_never_of_what_was_right(self) -> None:
        for unit in self.pocket.units:
            told = [(r.task, e) for r in unit.rejected for e in range(r.first, r.last)]
            assert len(told) == len(set(told))
            assert not set(told) & set(self.pocket.credits)

    @invariant()
    def nothing_leaves_a_final_state(self) -> None:
        for number, state in self.finals.items():
            assert self.pocket.tasks[number].state is state
        for lease in self.pocket.tasks.values():
            if lease.state in MOVES.finals:
                self.finals[lease.number] = lease.state
        settled = [unit.state is UnitState.SETTLED for unit in self.pocket.units]
        assert (self.pocket.state is ProductionState.DONE) == all(settled)

    def teardown(self) -> None:
        """Everyone who was there vanishes; honest helpers finish, whatever was left behind."""
        pocket = self.pocket
        for lease in list(pocket.tasks.values()):
            if pocket.tasks[lease.number].state is TaskState.LEASED:
                pocket.end(lease.number, "expire")
        for helper in HELPERS:
            if pocket.state is ProductionState.DONE:
                break
            wake(pocket)
            while (found := pocket.lease(helper, 5)) is not None:
                self._send(found, 99, lies=False)
        assert pocket.state is ProductionState.DONE
        assert sorted(pocket.output) == list(range(pocket.shape.events))
        self.nothing_is_settled_without_a_quorum()
        self.credit_is_booked_once_for_settled_events()
        self.nothing_leaves_a_final_state()

    def _send(self, lease: Lease, records: int, lies: bool) -> None:
        account, shape = lease.account or 0, self.pocket.shape
        first, last = next(iter(lease.missing))
        start, end = first // shape.granule, -(-last // shape.granule)
        numbers = range(start, min(end, start + records))
        digests = [wrong(n, account) if lies else right(n) for n in numbers]
        self.frames.append((lease.number, first, digests))
        self.pocket.deliver(lease.number, first, digests)


def wake(pocket: Pocket) -> None:
    """An operator comes by."""
    if pocket.state is ProductionState.PAUSED:
        pocket.move("resume")
    if pocket.state is ProductionState.HELD:
        pocket.move("release")
    for number, unit in enumerate(pocket.units):
        if unit.state is UnitState.HELD:
            pocket.release(number)
        elif unit.dirty:
            pocket.settle(number)


def snapshot(pocket: Pocket) -> dict[str, Any]:
    """Everything a production is, to be compared later."""
    return copy.deepcopy(vars(pocket))


def digest_at(held: Any, event: int, shape: Shape) -> bytes:
    found: bytes = held.digests[event // shape.granule - held.first // shape.granule]
    return found


def checks_of(pocket: Pocket, event: int) -> Intervals:
    """The spot checks of the unit of an event."""
    return pocket.spots(event // pocket.shape.unit) or Intervals()


def coming(pocket: Pocket, event: int) -> list[int | None]:
    """The accounts that may still send an event, None for nobody yet."""
    return [
        lease.account
        for lease in pocket.tasks.values()
        if lease.state in (TaskState.READY, TaskState.LEASED)
        and lease.first <= event < lease.last
        and not lease.held.covers(event, event + 1)
    ]


def hope(pocket: Pocket, unit: Unit, event: int) -> int:
    """The most accounts that may agree on an event if all goes well with what is under way."""
    voices: dict[int, bytes] = {}
    for held in unit.copies:
        if held.first <= event < held.last:
            voices.setdefault(held.account, digest_at(held, event, pocket.shape))
    largest = max((list(voices.values()).count(d) for d in voices.values()), default=0)
    waiting = coming(pocket, event)
    named = {account for account in waiting if account is not None} - set(voices)
    return largest + len(named) + waiting.count(None)


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=120, stateful_step_count=60, deadline=None)
