"""Quotas fall with what came to nothing, and recover with what was delivered."""

from __future__ import annotations

from server.domain.quota import (
    DAY_S,
    REST_MOST,
    Quota,
    at_once,
    delivered,
    forgiven,
    left,
    rest_s,
    spoilt,
    wait_s,
)

NOON = 10 * DAY_S + DAY_S / 2


def test_a_host_that_spoils_everything_has_fewer_tries_each_day_and_one_at_last() -> None:
    held: Quota | None = None
    tries = []
    for day in range(12):
        now, count = NOON + day * DAY_S, 0
        while left(held, 100, 0, now) > 0:
            held, count = spoilt(held, 100, now), count + 1
        tries.append(count)
    assert tries == [50, 25, 13, 6, 3, 2, 1, 1, 1, 1, 1, 1]


def test_each_success_doubles_what_is_allowed_until_nothing_is_held_against_it() -> None:
    held: Quota | None = Quota(1, 1, 10)
    allowed = []
    while held is not None:
        held = delivered(held, 100, NOON + DAY_S)
        allowed.append(held.allowed if held else None)
    assert allowed == [2, 4, 8, 16, 32, 64, None]


def test_open_leases_count_until_they_end() -> None:
    assert left(Quota(10, 3, 10), 100, 4, NOON) == 3
    assert left(Quota(10, 3, 9), 100, 4, NOON) == 6
    assert left(Quota(10, 3, 10), 100, 9, NOON) == 0
    assert left(None, 100, 50, NOON) == 100
    assert wait_s(NOON) == DAY_S / 2


def test_leases_at_once_are_halved_by_each_failure_in_a_row() -> None:
    assert [at_once(4, failures) for failures in range(7)] == [16, 8, 4, 2, 1, 1, 1]


def test_rests_double_from_the_second_failure_on_up_to_the_longest() -> None:
    assert [rest_s(failures) for failures in range(5)] == [0, 0, 2, 4, 8]
    assert rest_s(1000) == REST_MOST


def test_what_was_not_the_fault_of_a_host_is_taken_back_from_its_quota() -> None:
    one = spoilt(None, 100, NOON)
    three = spoilt(spoilt(one, 100, NOON), 100, NOON)
    assert forgiven(one, 1, 100, NOON) is None
    assert forgiven(three, 2, 100, NOON) == one
    assert forgiven(three, 9, 100, NOON) is None
    assert forgiven(three, 1, 100, NOON + DAY_S) == Quota(98, 0, 11)
