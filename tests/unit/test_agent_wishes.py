"""What the readings of all sources come to: a table, and what happens as time passes."""

from __future__ import annotations

import pytest

from vmagent.wishes import (
    DRAIN,
    NONE,
    REST,
    STOP,
    SUSPEND,
    USEFUL_S,
    Reading,
    Wish,
    decide,
    seconds_left,
)

GOODBYE_S = 20.0
NOW = 1000.0


def after(*readings: Reading, before: Wish = Wish(), now: float = NOW) -> Wish:  # noqa: B008
    return decide(readings, before, now, GOODBYE_S)


def ends(in_s: float, then: str = STOP) -> Reading:
    return Reading("ends", by=NOW + in_s, then=then)


@pytest.mark.parametrize(
    ("readings", "kind", "reason", "by"),
    [
        ([], NONE, "", None),
        ([Reading("a", SUSPEND)], SUSPEND, "a", None),
        ([Reading("a", SUSPEND), Reading("b", DRAIN)], DRAIN, "b", None),
        ([Reading("a", REST), Reading("b", SUSPEND)], REST, "a", None),
        ([Reading("a", STOP), Reading("b", DRAIN), Reading("c", STOP)], STOP, "a", None),
        ([ends(3600)], NONE, "", NOW + 3600),
        ([ends(3600), ends(1800)], NONE, "", NOW + 1800),
        ([ends(GOODBYE_S + USEFUL_S + 1)], NONE, "", NOW + GOODBYE_S + USEFUL_S + 1),
        ([ends(GOODBYE_S + USEFUL_S)], DRAIN, "ends", NOW + GOODBYE_S + USEFUL_S),
        ([ends(GOODBYE_S)], STOP, "ends", NOW + GOODBYE_S),
        ([ends(-5000)], STOP, "ends", NOW - 5000),
        ([ends(GOODBYE_S + 1, REST)], NONE, "", NOW + GOODBYE_S + 1),
        ([ends(GOODBYE_S, REST)], REST, "ends", NOW + GOODBYE_S),
        ([ends(60), Reading("a", SUSPEND)], SUSPEND, "a", NOW + 60),
        ([Reading("spot", DRAIN, NOW + 120, STOP)], DRAIN, "spot", NOW + 120),
        ([Reading("spot", DRAIN, NOW + 19, STOP)], STOP, "spot", NOW + 19),
    ],
)
def test_the_strongest_reading_is_the_wish_and_the_nearest_end_its_time(
    readings: list[Reading], kind: str, reason: str, by: float | None
) -> None:
    wish = after(*readings)
    assert (wish.kind, wish.reason, wish.by) == (kind, reason, by)


@pytest.mark.parametrize("kind", [DRAIN, STOP])
def test_an_order_to_leave_is_not_taken_back_by_silence(kind: str) -> None:
    wish = after(before=after(Reading("a", kind)), now=NOW + 9999)
    assert (wish.kind, wish.reason) == (kind, "a")


def test_a_drain_can_become_a_stop() -> None:
    assert after(Reading("b", STOP), before=after(Reading("a", DRAIN))).kind == STOP


def test_a_rest_begins_at_once_and_ends_after_some_calm() -> None:
    loud = Reading("busy", SUSPEND, calm_s=30)
    wish = after(loud)
    assert wish.kind == SUSPEND
    wish = after(before=wish, now=NOW + 10)
    assert (wish.kind, wish.reason) == (SUSPEND, "busy")
    wish = after(loud, before=wish, now=NOW + 20)
    wish = after(before=wish, now=NOW + 45)
    assert wish.kind == SUSPEND, "the calm begins anew with every disturbance"
    assert after(before=wish, now=NOW + 51).kind == NONE


def test_a_suspension_that_lasts_gives_the_leases_back() -> None:
    loud = Reading("busy", SUSPEND, calm_s=30, patience_s=100)
    wish = after(loud)
    wish = after(loud, before=wish, now=NOW + 99)
    assert wish.kind == SUSPEND
    wish = after(loud, before=wish, now=NOW + 100)
    assert wish.kind == REST
    wish = after(loud, before=wish, now=NOW + 110)
    assert wish.kind == REST, "and does not freeze what is no longer there"
    assert after(before=wish, now=NOW + 141).kind == NONE


def test_what_is_left_for_work_is_less_than_what_is_left() -> None:
    assert seconds_left(after(ends(100)), NOW, GOODBYE_S) == 100 - GOODBYE_S
    assert seconds_left(after(ends(5)), NOW, GOODBYE_S) == 0.0
    assert seconds_left(after(), NOW, GOODBYE_S) is None


def test_an_end_that_slides_a_little_is_no_news() -> None:
    assert after(ends(1000.4)).told() == after(ends(1000.9)).told()
    assert after(ends(1000)).told() != after(ends(900)).told()
