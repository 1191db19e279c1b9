"""Axes of plots: round steps (1, 2, 5), times by their span, and how much room words take."""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_GAP = "\u202f"
_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
_WIDTH = 0.62
"""Of a character, in sizes of the type: the digits of DejaVu Sans, which is wider than most."""

MINUTE, HOUR, DAY = 60, 3_600, 86_400
_EVEN = (
    *(MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE),
    *(HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR),
    *(DAY, 2 * DAY, 4 * DAY, 7 * DAY, 14 * DAY),
)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600)


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in the unit of the axis, and what stands beside it."""

    at: float
    words: str


def width_of(words: str, size: float) -> float:
    """About how wide a text is, in the unit of its size; rather too much than too little."""
    return _WIDTH * size * len(words)


def cut(words: str, room: float, size: float) -> str:
    """As much of a text as there is room for, with a mark where some of it is missing."""
    if width_of(words, size) <= room:
        return words
    return words[: max(1, int(room / (_WIDTH * size)) - 1)].rstrip() + "…"


def number(value: float) -> str:
    """A value to be read exactly: groups of three digits, at least three digits that count."""
    if value == int(value) or abs(value) >= 1000:
        return f"{round(value):,}".replace(",", _GAP)
    return f"{value:.3g}" if abs(value) >= 0.01 else f"{value:.2g}"


def short(value: float, step: float, size: float) -> str:
    """A value as it stands at an axis of this step that goes up to this size: 20, 0.25, 1.5 M."""
    if not value:
        return "0"
    rank = min(max(0, int(math.log10(size) + 1e-9) // 3), len(_PREFIXES) - 1) if size >= 1e4 else 0
    scale = 10.0 ** (3 * rank)
    digits = max(0, -math.floor(math.log10(step / scale) + 1e-9))
    if digits > 6 or value / scale >= 1e6:
        return f"{value:.1e}"
    text = f"{value / scale:,.{digits}f}".replace(",", _GAP)
    return f"{text}{_GAP}{_PREFIXES[rank]}" if rank else text


def step_of(span: float, most: int) -> float:
    """The least of 1, 2, 5 times a power of ten that fits into a span at most so many times."""
    raw = span / max(1, most)
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (1, 2, 5, 10):
        if factor * power >= raw * (1 - 1e-9):
            return factor * power
    raise AssertionError  # the last factor is always enough


def rounded(low: float, high: float, most: int = 4, whole: bool = False) -> list[Tick]:
    """Ticks at round values that enclose all from low to high; whole: none between integers."""
    if high <= low:
        high = low + (1 if whole or not low else abs(low))
    step = step_of(high - low, most)
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    size = step * max(abs(first), abs(last))
    return [Tick(n * step, short(n * step, step, size)) for n in range(first, last + 1)]


def decades(low: float, high: float, most: int = 6) -> list[Tick]:
    """Ticks at powers of ten that enclose all from low to high, which are above nothing."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    every = -(-(last - first) // most)
    return [Tick(10.0**n, _power(n)) for n in range(first, last + every, every)]


def _power(n: int) -> str:
    return f"{10**n:,}".replace(",", _GAP) if 0 <= n < 4 else f"1e{n}"


def moments(start: float, end: float, room: float, size: float) -> list[Tick]:
    """Ticks at round times (UTC), as many as have room in words without touching each other."""
    span = max(1.0, end - start)
    for walk, words in _calendars(start, end):
        found = [Tick(at, words(_utc(at))) for at in walk if start <= at <= end]
        # Half a text more than it needs: those at the ends are moved inwards.
        least = 1.5 * max((width_of(tick.words, size) for tick in found), default=0) + size / 2
        gaps = [b.at - a.at for a, b in itertools.pairwise(found)]
        if found and all(gap / span * room >= least for gap in gaps):
            return found
    return []


def _calendars(
    start: float, end: float
) -> Iterator[tuple[Sequence[float], Callable[[datetime.datetime], str]]]:
    """Ways to divide a time, the finest first; those with far too many parts are left out."""
    for step in _EVEN:
        if (end - start) / step <= 40:
            # Weeks begin on Monday; the first of the epoch was on its fifth day.
            offset = 4 * DAY if step >= 7 * DAY else 0
            first = math.ceil((start - offset) / step) * step + offset
            yield range(first, int(end) + 1, step), _of_day if step < DAY else _day
    for months in _MONTHS:
        if (end - start) / (months * 30 * DAY) <= 40:
            yield _firsts(start, end, months), _month if months < 12 else _year


def _firsts(start: float, end: float, months: int) -> list[float]:
    """The first moments of every so-many-th month, counted from January of year 0."""
    begin = _utc(start)
    number = (begin.year * 12 + begin.month - 1) // months * months
    found: list[float] = []
    while not found or found[-1] < end:
        if number // 12 > 9999:
            break
        found.append(
            datetime.datetime(number // 12, number % 12 + 1, 1, tzinfo=datetime.UTC).timestamp()
        )
        number += months
    return found


def _utc(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.UTC)


def _day(at: datetime.datetime) -> str:
    return f"{at.day} {at:%b}"


def _of_day(at: datetime.datetime) -> str:
    return f"{at:%H:%M}" if at.hour or at.minute else _day(at)


def _month(at: datetime.datetime) -> str:
    return f"{at:%b}" if at.month > 1 else _year(at)


def _year(at: datetime.datetime) -> str:
    return f"{at.year:04d}"


def when(at: float, step_s: float) -> str:
    """A moment as exactly as values this far apart need it (UTC)."""
    made = _utc(at)
    if step_s >= DAY:
        return f"{made.day} {made:%b} {made.year:04d}"
    return f"{made.day} {made:%b} {made:%H:%M}"
