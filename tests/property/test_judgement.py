"""The judge says what a slow judge says who looks at one record after another."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.intervals import Intervals
from server.domain.quorum import Copy, Pending, Rejected, Settled, Shortage, Verdict, judge


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
        copies.append(
            Copy(task, 10 * account, account, *events(pair), digests[: pair[1] - pair[0]])
        )
    pending = [
        Pending(draw(st.sampled_from([None, 1, 2, 6])), *events(draw(spans)))
        for _ in range(draw(st.integers(0, 3)))
    ]
    settled = Intervals(map(events, draw(st.lists(spans, max_size=1))))
    quorum, most = draw(st.integers(1, 3)), draw(st.integers(3, 6))
    return Case(last, granule, quorum, most, settled, copies, pending)


@dataclass
class Record:
    """What the slow judge says of one record."""

    agreeing: tuple[int, ...] = ()
    rejected: frozenset[int] = frozenset()
    wanted: int = 0
    exhausted: bool = False


def slowly(case: Case, record: int) -> Record:
    """The rule, word by word."""
    event = record * case.granule
    here = [copy for copy in case.copies if copy.first <= event < copy.last]
    digest = {c.task: c.digests[record - c.first // case.granule] for c in here}
    voices: dict[int, Copy] = {}
    groups: dict[bytes, list[int]] = {}
    winner = None
    for copy in here:
        if copy.account in voices:
            continue
        voices[copy.account] = copy
        group = groups.setdefault(digest[copy.task], [])
        group.append(copy.task)
        if len(group) == case.quorum and winner is None:
            winner = digest[copy.task]
    if winner is not None:
        rejected = frozenset(task for task, found in digest.items() if found != winner)
        return Record(tuple(sorted(groups[winner])), rejected)
    waiting = [item for item in case.pending if item.first <= event < item.last]
    helpful = {item.account for item in waiting if item.account not in {None, *voices}}
    potential = len(helpful) + sum(item.account is None for item in waiting)
    potential += max(map(len, groups.values()), default=0)
    wanted = max(0, case.quorum - potential)
    if wanted and len(here) + len(waiting) + wanted > case.most:
        return Record(exhausted=True)
    return Record(wanted=wanted)


def found_at(verdict: Verdict, event: int) -> Record:
    """What a verdict says of one event."""
    return Record(
        next((part.agreeing for part in verdict.settled if part.first <= event < part.last), ()),
        frozenset(part.task for part in verdict.rejected if part.first <= event < part.last),
        sum(part.copies for part in verdict.shortage if part.first <= event < part.last),
        any(first <= event < last for first, last in verdict.exhausted),
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
