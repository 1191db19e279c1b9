"""The hours in which the machine's owner lets the agent work; pure.

``22-6`` is every night, ``mon-fri 18:30-7; sat,sun 0-24`` the evenings and nights of work days and
all of the week-end. Times are local; a window that ends before it begins goes on over midnight and
belongs to the day on which it begins. Of texts with ``&`` between them all must allow it.
"""

from __future__ import annotations

import re
from typing import Optional

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY, WEEK = 24 * 60, 7 * 24 * 60
_WINDOW = re.compile(
    r"(?:(?P<days>[a-z,-]+)\s+)?(?P<a>\d{1,2})(?::(?P<b>\d\d))?-(?P<c>\d{1,2})(?::(?P<d>\d\d))?"
)


class Hours:
    """The minutes of a week in which work is allowed."""

    def __init__(self, text: str) -> None:
        """ValueError, naming the part at fault, if the text is not understood."""
        self._open = bytearray([1]) * WEEK
        for clause in text.lower().split("&"):
            before, self._open = self._open, bytearray(WEEK)
            for part in clause.split(";"):
                self._add(part.strip())
            self._open = bytearray(map(int.__and__, before, self._open))

    def _add(self, part: str) -> None:
        found = _WINDOW.fullmatch(part)
        if found is None:
            raise ValueError(f"{part!r} is not like '22-6' or 'mon-fri 18:30-7'")
        begin = _minute(part, found["a"], found["b"])
        end = _minute(part, found["c"], found["d"])
        if begin == end:
            raise ValueError(f"{part!r} has no length; all day is 0-24")
        length = (end - begin) % DAY or DAY
        for day in _days(part, found["days"]):
            for minute in range(length):
                self._open[(day * DAY + begin + minute) % WEEK] = 1

    def left(self, day: int, minute: int) -> Optional[int]:
        """Minutes of work left from this minute of this day (0: Monday) on: 0 if it is not allowed
        now, None if it is never forbidden.
        """
        at = day * DAY + minute
        for ahead in range(WEEK):
            if not self._open[(at + ahead) % WEEK]:
                return ahead
        return None


def _minute(part: str, hour: str, minute: Optional[str]) -> int:
    found = int(hour) * 60 + int(minute or 0)
    if found > DAY or int(minute or 0) > 59:
        raise ValueError(f"{part!r} has a time beyond 24:00")
    return found


def _days(part: str, words: Optional[str]) -> list[int]:
    if words is None:
        return list(range(7))
    found: list[int] = []
    for word in words.split(","):
        first, dash, last = word.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{part!r} has a day that is none of {', '.join(DAYS)}")
        begin, end = DAYS.index(first), DAYS.index(last if dash else first)
        found.extend((begin + n) % 7 for n in range((end - begin) % 7 + 1))
    return found
