"""Sets of events as sorted disjoint half-open intervals, as small as the agent needs them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Intervals:
    """A growing set of events; taking one in costs little however many gaps there are.

    What a payload sends and what a server says it holds may have a gap after every event.
    """

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in sorted(pairs):  # in order: each is joined to the end
            self.add(first, last)

    def add(self, first: int, last: int) -> None:
        """Take in ``[first, last)``."""
        if first >= last:
            return
        low = bisect_left(self._lasts, first)
        high = bisect_right(self._firsts, last)
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def missing(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The gaps within ``[first, last)``, in order."""
        at = bisect_right(self._lasts, first)
        while at < len(self._firsts) and self._firsts[at] < last:
            if self._firsts[at] > first:
                yield first, self._firsts[at]
            first = self._lasts[at]
            at += 1
        if first < last:
            yield first, last

    def covers(self, first: int, last: int) -> bool:
        """Whether every event of ``[first, last)`` is in the set."""
        return next(self.missing(first, last), None) is None

    def overlaps(self, first: int, last: int) -> bool:
        """Whether any event of ``[first, last)`` is in the set."""
        at = bisect_right(self._lasts, first)
        return at < len(self._firsts) and self._firsts[at] < last

    @property
    def events(self) -> int:
        """How many events the set has."""
        return sum(self._lasts) - sum(self._firsts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._firsts, self._lasts)))
