"""Trust is earned slowly, lost at once, fades, and is never without checks."""

from __future__ import annotations

from dataclasses import replace
from math import isclose

from hypothesis import given
from hypothesis import strategies as st

from server.domain.intervals import Intervals
from server.domain.trust import (
    DOUBT_S,
    FORGET_S,
    GRACE_S,
    HALF_S,
    PARTNERS,
    STRETCHES,
    History,
    Standing,
    agreed,
    caught,
    chance_caught,
    disgraced,
    place,
    reach,
    spots,
    standing,
    weight,
)

KEY, OTHER = b"k" * 32, b"o" * 32
NOW = 1e9


def good(events: int = 3000) -> History:
    found = History()
    for account in (1, 2, 3):
        found = agreed(found, events // 3, [account], NOW)
    return found


def stands(own: History, *siblings: History, needed: int = 3000, now: float = NOW) -> Standing:
    return standing(own, disgraced([own, *siblings], needed, now), needed, now)


def test_a_host_is_new_until_enough_events_of_it_were_agreed_with() -> None:
    assert stands(History()) is Standing.NEW
    assert stands(good(2997)) is Standing.NEW
    assert stands(good(3000)) is Standing.TRUSTED


def test_agreement_of_two_accounts_alone_earns_nothing_however_often() -> None:
    found = History()
    for _ in range(100):
        found = agreed(found, 1000, [1, 2], NOW)
    assert stands(found) is Standing.NEW
    assert stands(agreed(found, 1, [3], NOW)) is Standing.TRUSTED
    assert agreed(found, 1000, [], NOW) == found


def test_one_event_settled_against_a_host_takes_all() -> None:
    gone = caught(good(1_000_000), NOW)
    assert stands(gone) is Standing.DOUBTED
    assert weight(gone, NOW) == 0
    assert stands(gone, now=NOW + DOUBT_S) is Standing.NEW
    again = gone
    for account in (1, 2, 3):
        again = agreed(again, 1000, [account], NOW + 60)
    assert stands(again, now=NOW + 60) is Standing.TRUSTED
    assert again.caught == 1


def test_trust_that_a_person_gave_is_lost_as_well() -> None:
    assert stands(History(word=Standing.TRUSTED)) is Standing.TRUSTED
    assert stands(caught(History(word=Standing.TRUSTED), NOW)) is Standing.DOUBTED
    assert stands(replace(good(), word=Standing.DOUBTED)) is Standing.DOUBTED
    assert caught(History(word=Standing.DOUBTED), NOW).word is Standing.DOUBTED


def test_trust_fades_while_a_host_is_away_and_coming_back_does_not_restore_it() -> None:
    old = good(4000)
    assert stands(old, now=NOW + GRACE_S) is Standing.TRUSTED
    assert isclose(weight(old, NOW + GRACE_S + HALF_S), old.agreed / 2)
    assert stands(old, now=NOW + GRACE_S + HALF_S) is Standing.NEW
    back = agreed(good(10**6), 10, [1], NOW + FORGET_S)
    assert stands(back, now=NOW + FORGET_S) is Standing.NEW


def test_an_account_answers_for_its_hosts() -> None:
    cheat = caught(good(), NOW)
    assert stands(good(), cheat) is Standing.NEW
    assert stands(History(), cheat) is Standing.DOUBTED
    many = [good()] * 20
    assert stands(good(), cheat, *many) is Standing.TRUSTED
    idle = [History()] * 1000
    assert stands(good(), cheat, *idle) is Standing.NEW


@given(st.integers(0, 9), st.integers(1, 2000), st.integers(1, 50), st.floats(0.01, 1))
def test_spots_are_whole_steps_of_every_unit_and_their_share(
    unit: int, events: int, step: int, share: float
) -> None:
    first = unit * 2000
    found = spots(KEY, 1, unit, (first, first + events), step, share)
    count = -(-events // (step * max(1, -(-events // (step * STRETCHES)))))
    assert count <= STRETCHES
    for a, b in found:
        assert first <= a < b <= first + events
        assert (a - first) % step == 0
        assert (b - first) % step == 0 or b == first + events
    size = step * max(1, -(-events // (step * STRETCHES)))
    stretches = sum(-(-(b - a) // size) for a, b in found)
    assert int(share * count) <= stretches <= int(share * count) + 1


def test_every_unit_of_enough_stretches_has_a_spot_and_the_share_is_kept() -> None:
    total = 0
    for unit in range(500):
        found = spots(KEY, 7, unit, (0, 5000), 100, 0.05)
        assert found.events >= 200
        total += found.events
    assert isclose(total / 500 / 5000, 0.05, rel_tol=0.05)
    few = sum(spots(KEY, 7, unit, (0, 300), 100, 0.05).events for unit in range(2000))
    assert isclose(few / 2000 / 300, 0.05, rel_tol=0.25)


def test_spots_and_places_cannot_be_told_without_the_key() -> None:
    ours = [spots(KEY, 1, unit, (0, 640), 10, 0.1) for unit in range(50)]
    theirs = [spots(OTHER, 1, unit, (0, 640), 10, 0.1) for unit in range(50)]
    again = [spots(KEY, 1, unit, (0, 640), 10, 0.1) for unit in range(50)]
    assert ours == again
    assert sum(a == b for a, b in zip(ours, theirs, strict=True)) < 5
    assert len({tuple(found) for found in ours}) > 40
    assert place(KEY, 1, 2, 3, True) != place(OTHER, 1, 2, 3, True)


def test_a_friend_who_is_always_there_is_rarely_picked() -> None:
    known = 100
    picked = sum(place(KEY, 1, unit, 42, True) < reach(known, 0, 0.0) for unit in range(5000))
    assert isclose(picked / 5000, PARTNERS / known, rel_tol=0.25)
    assert not any(place(KEY, 1, unit, 42, False) < reach(known, 0, 0.0) for unit in range(5000))


def test_in_the_end_anybody_may_have_a_second_copy() -> None:
    worst = max(place(KEY, 1, unit, 1, False) for unit in range(1000))
    assert worst < reach(10_000, 10_000, 600.0)
    assert worst < reach(0, 3, 0.0)


def test_the_chance_to_be_caught_is_that_of_the_formula() -> None:
    assert isclose(chance_caught(44, 0.1), 0.99, abs_tol=0.001)
    altered = Intervals([(k, k + 1) for k in range(0, 640, 32)])
    met = sum(
        any(altered.overlaps(a, b) for a, b in spots(KEY, 3, unit, (0, 640), 1, 0.05))
        for unit in range(2000)
    )
    # 20 altered events of 640 in 64 stretches of 10: spots without replacement, a little better.
    assert chance_caught(20, 0.05) - 0.03 < met / 2000 < 0.9
