"""The judge says what a slow judge says who looks at one record after another."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.intervals import Intervals
from server.domain.quorum import Copy, Pending, Rejected, Settled, Shortage, Verdict, judge

BELIEF = st.sampled_from([(False, False), (True, False), (False, True)])  # trusted, doubted


@dataclass(frozen=True)
class Case:
    """Everything a judge is given."""

    last: int
    granule: int
    quorum: int
    most: int
    settled: Intervals
    copies: list[Copy]
    pending: list[Pending]
    spots: Intervals | None

    def judge(self, known: tuple[Rejected, ...] | None = None) -> Verdict:
        return judge(
            0,
            self.last,
            self.granule,
            self.quorum,
            self.settled,
            self.copies,
            self.pending,
            self.most,
            known,
            self.spots,
        )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Small units with copies of few accounts and few digests, so that they meet often."""
    granule = draw(st.integers(1, 3))
    records = draw(st.integers(1, 6))
    last = records * granule - draw(st.integers(0, granule - 1))
    spans = st.tuples(st.integers(0, records - 1), st.integers(1, records)).filter(
        lambda pair: pair[0] < pair[1]
    )

    def events(pair: tuple[int, int]) -> tuple[int, int]:
        return pair[0] * granule, min(last, pair[1] * granule)

    copies = []
    for task in draw(st.permutations(range(draw(st.integers(0, 6))))):
        pair = draw(spans)
        digests = draw(st.lists(st.sampled_from([b"a", b"a", b"b", b"c"]), min_size=6, max_size=6))
        account = draw(st.integers(1, 5))
        held = digests[: pair[1] - pair[0]]
        copies.append(Copy(task, 10 * account, account, *events(pair), held, *draw(BELIEF)))
    pending = []
    for _ in range(draw(st.integers(0, 3))):
        someone = draw(st.sampled_from([None, 1, 2, 6]))
        belief = (False, False) if someone is None else draw(BELIEF)
        pending.append(Pending(someone, *events(draw(spans)), *belief))
    settled = Intervals(map(events, draw(st.lists(spans, max_size=1))))
    quorum, most = draw(st.integers(1, 3)), draw(st.integers(3, 6))
    spots = draw(st.none() | st.lists(spans, max_size=2).map(lambda at: Intervals(map(events, at))))
    return Case(last, granule, quorum, most, settled, copies, pending, spots)


@dataclass
class Record:
    """What the slow judge says of one record."""

    agreeing: tuple[int, ...] = ()
    rejected: frozenset[int] = frozenset()
    wanted: int = 0
    exhausted: bool = False
    trusted: tuple[int, ...] = ()


def slowly(case: Case, record: int) -> Record:
    """The rule, word by word."""
    event = record * case.granule
    here = [copy for copy in case.copies if copy.first <= event < copy.last]
    digest = {c.task: c.digests[record - c.first // case.granule] for c in here}
    trusts = case.spots is not None
    checked = case.spots is None or case.spots.covers(event, event + 1)
    voices: set[int] = set()
    groups: dict[bytes, list[Copy]] = {}
    winner = None
    for copy in here:
        if copy.account in voices:
            continue
        voices.add(copy.account)
        group = groups.setdefault(digest[copy.task], [])
        group.append(copy)
        believed = not trusts or any(not voice.doubted for voice in group)
        if len(group) >= case.quorum and believed and winner is None:
            winner = digest[copy.task]
    if winner is not None:
        rejected = frozenset(task for task, found in digest.items() if found != winner)
        return Record(tuple(sorted(copy.task for copy in groups[winner])), rejected)
    waiting = [item for item in case.pending if item.first <= event < item.last]
    agreed = len(set(digest.values())) == 1
    if agreed and not checked and any(copy.trusted for copy in here if voice(copy, here)):
        return Record(trusted=tuple(sorted(copy.task for (g,) in [groups.values()] for copy in g)))
    if trusts and not here and waiting:
        return Record()
    if agreed and not checked and any(item.trusted for item in waiting):
        return Record()
    wanted = 1
    while not (trusts and not here) and not may_settle(case, groups, voices, waiting, wanted - 1):
        wanted += 1
    wanted -= not (trusts and not here)
    if wanted and len(here) + len(waiting) + wanted > case.most:
        return Record(exhausted=True)
    return Record(wanted=wanted)


def voice(copy: Copy, here: list[Copy]) -> bool:
    """Whether this is the first copy of its account."""
    return next(other for other in here if other.account == copy.account) is copy


def may_settle(
    case: Case,
    groups: dict[bytes, list[Copy]],
    voices: set[int],
    waiting: list[Pending],
    more: int,
) -> bool:
    """Whether a group settles if all that is waited for, and so many more, agree with it."""
    named = {item.account: item for item in waiting if item.account not in {None, *voices}}
    fresh = more + sum(item.account is None for item in waiting)
    for group in [*groups.values(), []]:
        enough = len(group) + len(named) + fresh >= case.quorum
        people: list[Copy | Pending] = [*group, *(w for w in waiting if w.account in named)]
        believed = fresh or any(not one.doubted for one in people)
        if enough and (believed or case.spots is None):
            return True
    return False


def found_at(verdict: Verdict, event: int) -> Record:
    """What a verdict says of one event."""
    return Record(
        next((part.agreeing for part in verdict.settled if part.first <= event < part.last), ()),
        frozenset(part.task for part in verdict.rejected if part.first <= event < part.last),
        sum(part.copies for part in verdict.shortage if part.first <= event < part.last),
        any(first <= event < last for first, last in verdict.exhausted),
        next((part.agreeing for part in verdict.trusted if part.first <= event < part.last), ()),
    )


@settings(max_examples=400, deadline=None)
@given(cases())
def test_the_judge_agrees_with_a_slow_one(case: Case) -> None:
    verdict, late = case.judge(), case.judge(())
    for event in range(case.last):
        wanted = slowly(case, event // case.granule)
        if case.settled.covers(event, event + 1):
            assert found_at(verdict, event) == Record()
            assert found_at(late, event) == Record(rejected=wanted.rejected)
        else:
            assert found_at(verdict, event) == wanted == found_at(late, event)
    assert all(part.task == min(part.agreeing) for part in verdict.settled)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_intervals_of_a_verdict_are_as_long_as_they_can_be(case: Case) -> None:
    verdict = case.judge(())
    parts: list[Settled | Rejected | Shortage] = [
        *verdict.settled,
        *verdict.rejected,
        *verdict.shortage,
        *verdict.trusted,
    ]
    ends = {(part.last, replace(part, first=0, last=0)) for part in parts}
    assert not any((part.first, replace(part, first=0, last=0)) in ends for part in parts)
    for firsts in (
        [part.first for part in verdict.settled],
        [part.first for part in verdict.rejected],
        [part.first for part in verdict.shortage],
    ):
        assert firsts == sorted(firsts)
    assert tuple(Intervals(verdict.exhausted)) == verdict.exhausted


@settings(max_examples=200, deadline=None)
@given(cases(), st.data())
def test_judging_after_each_copy_is_judging_once(case: Case, data: st.DataObject) -> None:
    once = Case(**vars(case) | {"settled": Intervals()}).judge(())
    settled = Intervals()
    told: tuple[Rejected, ...] = ()
    for count in range(1, len(case.copies) + 1):
        if count < len(case.copies) and data.draw(st.booleans()):
            continue
        step = Case(**vars(case) | {"settled": settled, "copies": case.copies[:count]})
        verdict = step.judge(told)
        told += verdict.rejected
        for part in verdict.settled:
            assert not settled.overlaps(part.first, part.last)
            settled = settled.add(part.first, part.last)
    assert settled == Intervals((part.first, part.last) for part in once.settled)
    last = Case(**vars(case) | {"settled": settled}).judge(told)
    assert last.trusted == once.trusted
    for one in told:
        same = [two for two in told if two.task == one.task]
        assert sum(one.first < two.last and two.first < one.last for two in same) == 1
    assert by_task(told) == by_task(once.rejected)


def by_task(rejected: tuple[Rejected, ...]) -> dict[int, Intervals]:
    tasks = {part.task for part in rejected}
    return {
        task: Intervals((part.first, part.last) for part in rejected if part.task == task)
        for task in tasks
    }
