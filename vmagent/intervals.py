"""Sets of events as sorted disjoint half-open intervals, as small as the agent needs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Intervals:
    """A growing set of events."""

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self._pairs: list[tuple[int, int]] = []
        for first, last in pairs:
            self.add(first, last)

    def add(self, first: int, last: int) -> None:
        """Take in ``[first, last)``."""
        if first >= last:
            return
        if self._pairs and self._pairs[-1][1] == first:  # the usual case, in order
            self._pairs[-1] = (self._pairs[-1][0], last)
            return
        kept = []
        for a, b in self._pairs:
            if b < first or a > last:
                kept.append((a, b))
            else:
                first, last = min(first, a), max(last, b)
        self._pairs = sorted([*kept, (first, last)])

    def missing(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The gaps within ``[first, last)``, in order."""
        for a, b in self._pairs:
            if b <= first:
                continue
            if a >= last:
                break
            if a > first:
                yield first, a
            first = max(first, b)
        if first < last:
            yield first, last

    def covers(self, first: int, last: int) -> bool:
        """Whether every event of ``[first, last)`` is in the set."""
        return next(self.missing(first, last), None) is None

    def overlaps(self, first: int, last: int) -> bool:
        """Whether any event of ``[first, last)`` is in the set."""
        return any(a < last and first < b for a, b in self._pairs)

    @property
    def events(self) -> int:
        """How many events the set has."""
        return sum(b - a for a, b in self._pairs)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._pairs)
