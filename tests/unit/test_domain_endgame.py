"""The end-game's rules: when it begins, who is cut, who is doubted, and that nothing grows."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from server.domain.agreement import Copy
from server.domain.endgame import (
    Hand,
    Plan,
    Running,
    Trim,
    ending,
    plan,
    rate_of,
    reliable,
    spare,
)
from server.domain.quorum import Pending, Shortage
from server.domain.trust import Standing

FLUSH = 20.0
FAST = Hand(2, "", 10.0, 1)


def lease(task: int = 1, rest: int = 1000, rate: float = 1.0, **more: object) -> Running:
    facts = {"account": 1, "klass": "", "silent": False, "late": False} | more
    return Running(task=task, at=0, last=rest, rest=rest, rate=rate, **facts)  # type: ignore[arg-type]


def test_the_end_begins_when_nothing_waits_or_two_flushes_of_work() -> None:
    assert ending(False, 0, 0.0, FLUSH)
    assert ending(False, 39, 1.0, FLUSH)
    assert not ending(False, 41, 1.0, FLUSH)
    assert not ending(False, 1, 0.0, FLUSH)


def test_what_the_end_itself_puts_back_does_not_end_it() -> None:
    assert ending(True, 79, 1.0, FLUSH)
    assert not ending(True, 81, 1.0, FLUSH)


def test_a_slow_lease_is_cut_in_proportion_to_speeds() -> None:
    [trim] = plan([lease()], [FAST], FLUSH, 1).trims
    assert trim == Trim(1, int(1000 * 1 / 11 + 20))


def test_equal_hosts_share_a_long_rest_and_leave_a_short_one() -> None:
    [trim] = plan([lease(rate=10.0)], [FAST], FLUSH, 1).trims
    assert trim.keep == 700
    assert plan([lease(rest=390, rate=10.0)], [FAST], FLUSH, 1) == Plan()


def test_who_is_silent_or_stands_still_is_doubted_and_not_cut() -> None:
    for one in (lease(silent=True), lease(rate=0.0001), lease(rest=5, rate=0.01, silent=True)):
        assert plan([one], [FAST], FLUSH, 1) == Plan((), frozenset({1}))


def test_nobody_is_doubted_for_a_host_of_his_account_of_another_class_or_none() -> None:
    for hands in ([], [Hand(1, "", 10.0, 1)], [Hand(2, "c", 10.0, 1)], [Hand(2, "", 0.0, 1)]):
        assert plan([lease(silent=True)], hands, FLUSH, 1) == Plan()


def test_two_copies_of_the_same_events_need_two_accounts() -> None:
    late = [lease(1, silent=True), lease(2, account=4, silent=True)]
    assert len(plan(late, [Hand(2, "", 9.0, 8)], FLUSH, 1).late) == 1
    assert len(plan(late, [Hand(2, "", 9.0, 1), Hand(3, "", 9.0, 1)], FLUSH, 1).late) == 2
    again = lease(2, account=4, silent=True, doubles=1)
    assert plan([again], [Hand(2, "", 9.0, 8)], FLUSH, 1) == Plan()
    held = lease(2, account=4, silent=True, taken=frozenset({2}))
    assert plan([held], [Hand(2, "", 9.0, 8)], FLUSH, 1) == Plan()


def test_a_slower_host_takes_nothing_over() -> None:
    assert plan([lease(rest=100, rate=1.0)], [Hand(2, "", 0.1, 1)], FLUSH, 1) == Plan()


def test_who_was_doubted_stays_so_until_it_is_nearly_done() -> None:
    assert plan([lease(late=True, rate=5.0)], [FAST], FLUSH, 1) == Plan((), frozenset({1}))
    assert plan([lease(late=True, rate=60.0)], [FAST], FLUSH, 1) == Plan()


def test_the_lease_that_would_end_last_gets_the_fastest_hand() -> None:
    slow, slower = lease(1, rate=1.0), lease(2, rate=0.5)
    found = plan([slow, slower], [Hand(3, "", 5.0, 1), Hand(4, "", 50.0, 1)], FLUSH, 1)
    assert [trim.task for trim in found.trims] == [2, 1]
    assert found.trims[0].keep == int(1000 * 0.5 / 50.5 + 10)


LEASES = st.lists(
    st.builds(
        lambda rest, rate, account, silent, late: (rest, rate, account, silent, late),
        st.integers(1, 10**6), st.floats(0, 1e4), st.integers(1, 3), st.booleans(), st.booleans(),
    ),
    max_size=12,
)  # fmt: skip
HANDS = st.lists(
    st.builds(Hand, st.integers(1, 3), st.just(""), st.floats(0, 1e4), st.integers(1, 3)),
    max_size=6,
)


@given(LEASES, HANDS, st.floats(0.1, 100), st.integers(1, 100))
def test_never_more_is_taken_than_the_hands_can_take_up(
    facts: list[tuple[int, float, int, bool, bool]], hands: list[Hand], flush: float, block: int
) -> None:
    leases = [
        lease(n, rest, rate, account=account, silent=silent, late=late)
        for n, (rest, rate, account, silent, late) in enumerate(facts)
    ]
    found = plan(leases, hands, flush, block)
    fresh = [one for one in leases if one.task in found.late and not one.late]
    assert len(found.trims) + len(fresh) <= sum(hand.slots for hand in hands)
    assert not {trim.task for trim in found.trims} & found.late
    for trim in found.trims:
        one = leases[trim.task]
        assert block <= trim.keep <= one.rest - block
        assert not one.silent
        assert any(hand.account != one.account for hand in hands)


def test_a_speed_is_what_was_shown_until_it_stands_still() -> None:
    assert rate_of(100, 60.0, 10.0, 99.0, FLUSH) == 2.0
    assert rate_of(0, 5.0, 5.0, 3.0, FLUSH) == 3.0
    assert rate_of(0, 100.0, 100.0, 3.0, FLUSH) == 0.01
    assert rate_of(100, 1000.0, 900.0, 3.0, FLUSH) == 0.101
    assert rate_of(0, 0.0, 0.0, None, FLUSH) == 1.0


def test_reliable_is_who_delivers_and_rarely_loses() -> None:
    assert reliable(0, 0, 1, Standing.NEW)
    assert reliable(0, 1, 10, Standing.NEW)
    assert not reliable(1, 0, 5, Standing.NEW)
    assert not reliable(0, 0, 0, Standing.NEW)
    assert not reliable(0, 1, 9, Standing.NEW)
    assert not reliable(0, 0, 99, Standing.DOUBTED)


def test_a_trusted_hand_comes_before_faster_ones() -> None:
    fast, trusted = FAST, Hand(3, "", 9.0, 1, trusted=True)
    one = lease(rate=0.0, rest=100)
    two = replace(one, task=8, account=3)  # the trusted hand's own account
    assert plan([two], [fast, trusted], FLUSH, 1).late == {8}
    kept = plan([lease()], [fast, trusted], FLUSH, 1).trims[0].keep
    assert kept == plan([lease()], [trusted], FLUSH, 1).trims[0].keep
    assert kept != plan([lease()], [fast], FLUSH, 1).trims[0].keep


def test_hands_of_another_class_are_passed_over() -> None:
    other = Hand(3, "avx", 50.0, 1)
    assert plan([lease()], [other], FLUSH, 1) == Plan()
    assert plan([lease()], [other, FAST], FLUSH, 1) == plan([lease()], [FAST], FLUSH, 1)


def test_no_event_gets_more_copies_than_it_may_have() -> None:
    made = [Copy(1, 1, 1, 0, 50, [])]
    pending = [Pending(2, 0, 100), Pending(None, 80, 100)]
    wanted = [Shortage(0, 100, 1)]
    assert spare(wanted, made, pending, 3) == [Shortage(0, 100, 1)]
    assert spare(wanted, made, pending, 2) == [Shortage(50, 80, 1)]
    assert spare(wanted, made, pending, 1) == []
