"""The hours in which work is allowed."""

from __future__ import annotations

import pytest

from vmagent.hours import DAYS, Hours


def left(text: str, when: str) -> int | None:
    day, _, clock = when.partition(" ")
    hour, _, minute = clock.partition(":")
    return Hours(text).left(DAYS.index(day), int(hour) * 60 + int(minute))


@pytest.mark.parametrize(
    ("text", "when", "minutes"),
    [
        ("22-6", "mon 21:59", 0),
        ("22-6", "mon 22:00", 480),
        ("22-6", "tue 05:59", 1),
        ("22-6", "tue 06:00", 0),
        ("0-24", "wed 12:00", None),
        ("9-17", "sun 16:30", 30),
        ("mon-fri 18:30-7", "fri 23:00", 480),
        ("mon-fri 18:30-7", "sat 06:59", 1),
        ("mon-fri 18:30-7", "sat 23:00", 0),
        ("mon-fri 18:30-7; sat,sun 0-24", "fri 18:30", 3210),
        ("sun 23-1", "mon 00:30", 30),
        ("fri-mon 0-24", "sun 00:00", 2880),
        ("Sat 0-24", "sat 00:00", 1440),
    ],
)
def test_so_many_minutes_are_left(text: str, when: str, minutes: int | None) -> None:
    assert left(text, when) == minutes


@pytest.mark.parametrize("text", ["", "22", "22-25", "9:60-10", "5-5", "noon-18", "mon-foo 1-2"])
def test_what_is_not_understood_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not like|has no length|has a time|has a day"):
        Hours(text)
