"""What gifts come to: benchmark hours, the badges that are true, and the recent average."""

from __future__ import annotations

import math

import pytest

from server.domain.giving import (
    CORE_MOST,
    Deeds,
    average_credit,
    badges,
    normalised_hours,
    of_a_core,
)
from vmagent.wire.messages import POWER_MOST

DAY = 86_400.0
NOTHING = Deeds(0, 0, 0.0, 0.0, 0, 0)


def names(**deeds: float) -> list[str]:
    """The badges of somebody who did this and nothing else."""
    return [badge.name for badge in badges(Deeds(**{**vars(NOTHING), **deeds}))]


def test_a_machine_gives_its_benchmark_for_a_core_with_each_hour_of_cpu() -> None:
    assert normalised_hours(3_600_000, of_a_core(320.0, 16)) == 20.0
    assert normalised_hours(0, of_a_core(320.0, 16)) == 0.0


def test_a_machine_that_denies_its_cores_makes_no_absurd_hours_of_a_benchmark() -> None:
    assert of_a_core(3200.0, 64) == 50.0
    assert of_a_core(3200.0, 1) == of_a_core(3200.0, 0) == CORE_MOST
    assert CORE_MOST == POWER_MOST, "what a machine may say of itself"


def test_nobody_has_a_badge_for_nothing() -> None:
    assert badges(NOTHING) == []
    assert names(days=4000) == []


@pytest.mark.parametrize(
    ("deeds", "badge"),
    [
        ({"validated": 1}, "The first event"),
        ({"validated": 999_999, "rejected": 1}, "A thousand events"),
        ({"validated": 1_000_000, "rejected": 1}, "A million events"),
        ({"cpu_hours": 24}, "A day of CPU"),
        ({"cpu_hours": 8_765.9}, "A week of CPU"),
        ({"cpu_hours": 8_766}, "A year of CPU"),
        ({"studies": 1}, "In a finished study"),
        ({"machines": 10}, "A fleet"),
    ],
)
def test_a_badge_says_what_is_true_and_no_more(deeds: dict[str, float], badge: str) -> None:
    assert names(**deeds) == [badge]


def test_one_wrong_event_ends_the_badge_of_who_sent_none() -> None:
    assert "Nothing wrong" in names(validated=10_000)
    assert "Nothing wrong" not in names(validated=10_000, rejected=1)
    assert "Nothing wrong" not in names(validated=9_999)


def test_credit_counts_half_after_a_week_and_a_steady_giver_has_what_he_gives_a_day() -> None:
    now = 1e9
    fresh = average_credit([(now, 70.0)], now)
    assert fresh == pytest.approx(70 * math.log(2) / 7)
    assert average_credit([(now - 7 * DAY, 70.0)], now) == pytest.approx(fresh / 2)
    assert average_credit([(now + 1, 70.0)], now) == 0
    steady = [(now - k * DAY / 24, 100.0 / 24) for k in range(24 * 365)]
    assert average_credit(steady, now) == pytest.approx(100.0, rel=0.01)
