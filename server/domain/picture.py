"""Figures made fit to be drawn: fewer steps, rates, shares. Times in seconds; None is no value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from math import ceil, log2

from server.domain.rollup import DAY, Values


def coarser(
    values: Values, start: int, step_s: int, most: int, put: Callable[[list[float]], float]
) -> tuple[Values, int, int]:
    """At most so many values, their start and step: what is known of several is put together.

    The new steps divide a day or are whole days, and begin at multiples of themselves, so what is
    older than the first is left out; the last may be of fewer than the others.
    """
    several = next(n for n in count(max(1, -(-len(values) // most))) if _even(step_s * n))
    if several == 1:
        return values, start, step_s
    skipped = -(start // step_s) % several
    kept = values[skipped:]
    found: Values = []
    for place in range(0, len(kept), several):
        known = [value for value in kept[place : place + several] if value is not None]
        found.append(put(known) if known else None)
    return found, start + skipped * step_s, step_s * several


def _even(step_s: int) -> bool:
    return DAY % step_s == 0 or step_s % DAY == 0


def rates(values: Values, start: int, step_s: int, now: float, per_s: float) -> Values:
    """Sums as amounts in ``per_s`` seconds.

    The last step may not be over: its sum is of the time that has passed, and nothing is said of it
    before half of it has.
    """
    found: Values = []
    for place, value in enumerate(values):
        passed = min(step_s, now - (start + place * step_s))
        known = value is not None and passed >= step_s / 2
        found.append(value / passed * per_s if known and value is not None else None)
    return found


def doublings(values: Iterable[float]) -> list[tuple[float, int]]:
    """How many values there are up to each power of two and above the half of it, none left out."""
    powers = Counter(ceil(log2(value)) for value in values if value > 0)
    if not powers:
        return []
    return [(2.0**power, powers[power]) for power in range(min(powers), max(powers) + 1)]


def shares(parts: Sequence[Values], wholes: Sequence[Values]) -> Values:
    """The sum of some lines as per cent of that of others, where those are not nothing."""
    found: Values = []
    for step in zip(zip(*parts, strict=True), zip(*wholes, strict=True), strict=True):
        part, whole = (sum(value or 0 for value in each) for each in step)
        found.append(100 * part / whole if whole else None)
    return found
