"""Which events are settled, which copies rejected, how many more wanted: the cases one by one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from server.domain.intervals import Intervals
from server.domain.quorum import Copy, Pending, Rejected, Settled, Shortage, Verdict, judge


def copy(who: int, first: int, digests: str, granule: int = 1, last: int | None = None) -> Copy:
    """A copy of task, host and account ``who``; each letter is a digest."""
    end = first + len(digests) * granule if last is None else last
    return Copy(who, 100 + who, who, first, end, [letter.encode() for letter in digests])


def ask(
    copies: Sequence[Copy] = (),
    pending: Sequence[Pending] = (),
    *,
    last: int = 6,
    quorum: int = 2,
    most: int = 8,
    granule: int = 1,
    settled: Intervals | None = None,
    known: Sequence[Rejected] | None = None,
) -> Verdict:
    """Judge events [0, last)."""
    before = settled or Intervals()
    return judge(0, last, granule, quorum, before, copies, pending, most, known)


def test_a_unit_nobody_works_on_wants_a_whole_quorum() -> None:
    assert ask() == Verdict((), (), (Shortage(0, 6, 2),), ())


def test_two_agreeing_copies_settle_and_the_lowest_task_is_taken() -> None:
    verdict = ask([copy(2, 0, "aaaaaa"), copy(1, 0, "aaaaaa")])
    assert verdict == Verdict((Settled(0, 6, 1, (1, 2)),), (), (), ())


def test_the_part_that_two_copies_have_in_common_is_settled_at_once() -> None:
    verdict = ask([copy(1, 0, "abcd"), copy(2, 2, "cdef")])
    assert verdict.settled == (Settled(2, 4, 1, (1, 2)),)
    assert verdict.shortage == (Shortage(0, 2, 1), Shortage(4, 6, 1))


def test_only_the_events_on_which_copies_differ_go_to_a_third_host() -> None:
    verdict = ask([copy(1, 0, "aabbaa"), copy(2, 0, "aaxxaa")])
    assert verdict.settled == (Settled(0, 2, 1, (1, 2)), Settled(4, 6, 1, (1, 2)))
    assert verdict.shortage == (Shortage(2, 4, 1),)
    assert verdict.rejected == ()


def test_the_third_copy_decides_and_the_other_is_rejected() -> None:
    verdict = ask([copy(1, 0, "aaxxaa"), copy(2, 0, "aabbaa"), copy(3, 2, "bb")])
    assert Settled(2, 4, 2, (2, 3)) in verdict.settled
    assert verdict.rejected == (Rejected(2, 4, 1, 101),)
    assert verdict.shortage == ()


def test_three_copies_that_all_differ_settle_nothing() -> None:
    verdict = ask([copy(1, 0, "abaaaa"), copy(2, 0, "acaaab"), copy(3, 0, "adabba")], quorum=3)
    assert verdict.settled == (Settled(0, 1, 1, (1, 2, 3)), Settled(2, 3, 1, (1, 2, 3)))
    assert verdict.shortage == (Shortage(1, 2, 2), Shortage(3, 6, 1))


def test_frames_of_one_task_are_judged_as_one() -> None:
    verdict = ask([copy(1, 0, "aa"), copy(2, 0, "aaa"), copy(1, 2, "aaaa"), copy(2, 3, "aaa")])
    assert verdict == Verdict((Settled(0, 6, 1, (1, 2)),), (), (), ())


def test_an_account_has_one_voice() -> None:
    one = copy(1, 0, "aaaaaa")
    again = Copy(2, 102, 1, 0, 6, one.digests)
    assert ask([one, again]).shortage == (Shortage(0, 6, 1),)
    verdict = ask([one, again, copy(3, 0, "aaaaaa")])
    assert verdict.settled == (Settled(0, 6, 1, (1, 3)),)


def test_the_first_copy_of_an_account_is_its_voice() -> None:
    wrong, right = copy(1, 0, "xxxxxx"), Copy(2, 102, 1, 0, 6, copy(2, 0, "aaaaaa").digests)
    assert ask([wrong, right, copy(3, 0, "aaaaaa")]).shortage == (Shortage(0, 6, 1),)
    verdict = ask([wrong, right, copy(3, 0, "aaaaaa"), copy(4, 0, "aaaaaa")])
    assert verdict.settled == (Settled(0, 6, 3, (3, 4)),)
    assert verdict.rejected == (Rejected(0, 6, 1, 101),)


def test_the_first_group_to_be_complete_settles_even_if_another_grows_larger() -> None:
    early = [copy(1, 0, "aaaaaa"), copy(9, 0, "bbbbbb"), copy(2, 0, "aaaaaa")]
    late = [copy(7, 0, "bbbbbb"), copy(8, 0, "bbbbbb")]
    verdict = ask([*early, *late])
    assert verdict.settled == (Settled(0, 6, 1, (1, 2)),)
    assert [part.task for part in verdict.rejected] == [9, 7, 8]


def test_what_is_under_way_counts_where_it_can_still_help() -> None:
    assert ask([], [Pending(1, 0, 4), Pending(None, 0, 6)]).shortage == (Shortage(4, 6, 1),)
    held = [copy(1, 0, "aaaaaa")]
    assert ask(held, [Pending(2, 0, 3)]).shortage == (Shortage(3, 6, 1),)
    assert ask(held, [Pending(1, 0, 6)]).shortage == (Shortage(0, 6, 1),)


def test_two_tasks_of_one_account_count_once() -> None:
    pending = [Pending(5, 0, 6), Pending(5, 0, 6)]
    assert ask([], pending).shortage == (Shortage(0, 6, 1),)
    assert ask([], [Pending(None, 0, 6), Pending(None, 0, 6)]).shortage == ()


def test_events_that_would_need_too_many_copies_are_exhausted() -> None:
    copies = [copy(1, 0, "aa"), copy(2, 0, "ab"), copy(3, 0, "ac")]
    assert ask(copies, last=2, most=4).shortage == (Shortage(1, 2, 1),)
    assert ask(copies, last=2, most=3).exhausted == ((1, 2),)
    assert ask(copies, [Pending(1, 1, 2)], last=2, most=4).exhausted == ((1, 2),)
    assert ask(copies, [Pending(4, 1, 2)], last=2, most=3).exhausted == ()


def test_nothing_is_said_again_of_what_was_settled_before() -> None:
    copies = [copy(1, 0, "aaaaaa"), copy(2, 0, "aaaaaa"), copy(3, 0, "xxxxxx")]
    verdict = ask(copies, settled=Intervals([(0, 4)]))
    assert verdict.settled == (Settled(4, 6, 1, (1, 2)),)
    assert verdict.rejected == (Rejected(4, 6, 3, 103),)


def test_a_copy_that_comes_after_its_events_were_settled_is_compared_once() -> None:
    copies = [copy(1, 0, "aaaaaa"), copy(2, 0, "aaaaaa"), copy(3, 0, "xxxaaa")]
    everything = Intervals([(0, 6)])
    verdict = ask(copies, settled=everything, known=[Rejected(1, 2, 3, 103)])
    assert verdict == Verdict((), (Rejected(0, 1, 3, 103), Rejected(2, 3, 3, 103)), (), ())
    known = [Rejected(0, 3, 3, 103), Rejected(3, 6, 4, 104)]
    assert ask(copies, settled=everything, known=known) == Verdict((), (), (), ())


def test_what_was_settled_otherwise_is_left_alone() -> None:
    copies = [copy(1, 0, "aaaaaa"), copy(2, 0, "xxxxxx")]
    assert ask(copies, settled=Intervals([(0, 6)]), known=()) == Verdict((), (), (), ())


def test_with_a_quorum_of_one_the_first_copy_settles() -> None:
    verdict = ask([copy(4, 0, "aaa"), copy(2, 0, "aabb")], quorum=1)
    assert verdict.settled == (
        Settled(0, 2, 2, (2, 4)),
        Settled(2, 3, 4, (4,)),
        Settled(3, 4, 2, (2,)),
    )
    assert verdict.rejected == (Rejected(2, 3, 2, 102),)
    assert verdict.shortage == (Shortage(4, 6, 1),)


def test_records_are_granules_and_the_last_may_be_partial() -> None:
    copies = [copy(1, 0, "abc", 4, 10), copy(2, 4, "bx", 4, 10)]
    verdict = ask(copies, last=10, granule=4)
    assert verdict.settled == (Settled(4, 8, 1, (1, 2)),)
    assert verdict.shortage == (Shortage(0, 4, 1), Shortage(8, 10, 1))


def test_copies_may_reach_beyond_the_unit() -> None:
    copies = [copy(1, 0, "abcdefgh"), copy(2, 0, "abcdefgx")]
    assert judge(2, 6, 1, 2, Intervals(), copies, (), 8).settled == (Settled(2, 6, 1, (1, 2)),)
    far = [copy(1, 0, "ab"), copy(2, 8, "ab")]
    assert judge(2, 6, 1, 2, Intervals(), far, (), 8).shortage == (Shortage(2, 6, 2),)


def test_a_copy_without_a_digest_for_each_record_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"task 1, \[0, 6\): digests do not fit"):
        ask([Copy(1, 1, 1, 0, 6, [b"a"])])


def test_a_large_unit_with_many_disagreements_is_judged_whole() -> None:
    right = [number.to_bytes(32, "big") for number in range(5000)]
    wrong = [digest[::-1] if number % 2 else digest for number, digest in enumerate(right)]
    copies = [
        Copy(task, task, task, first, first + 20, digests[first : first + 20])
        for task, digests in ((1, right), (2, wrong), (3, list(right)))
        for first in range(0, 5000, 20)
    ]
    verdict = judge(0, 5000, 1, 2, Intervals(), copies, (), 8)
    assert sum(part.last - part.first for part in verdict.settled) == 5000
    assert {part.host for part in verdict.rejected} == {2}
