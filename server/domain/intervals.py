"""Sets of events as sorted disjoint half-open intervals; immutable."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Interval = tuple[int, int]


class Intervals:
    """A set of integers, kept as sorted pairs ``(first, last)`` that neither overlap nor touch.

    Two sets are equal exactly if they have the same members. An empty interval is covered by every
    set and overlaps none; a reversed one is a ValueError.
    """

    __slots__ = ("_firsts", "_lasts", "_pairs")

    def __init__(self, pairs: Iterable[Interval] = ()) -> None:
        """The union of these intervals, which may come in any order and overlap."""
        firsts: list[int] = []
        lasts: list[int] = []
        for first, last in sorted(pairs):
            if _empty(first, last):
                continue
            if lasts and first <= lasts[-1]:
                lasts[-1] = max(lasts[-1], last)
            else:
                firsts.append(first)
                lasts.append(last)
        self._firsts, self._lasts = firsts, lasts
        self._pairs: list[Interval] | None = None

    @property
    def pairs(self) -> list[Interval]:
        """The pairs, in order; made once, so nobody may change the list."""
        if self._pairs is None:
            self._pairs = list(self)
        return self._pairs

    @property
    def events(self) -> int:
        """How many members it has."""
        return sum(self._lasts) - sum(self._firsts)

    def add(self, first: int, last: int) -> Intervals:
        """This set with ``[first, last)`` as well."""
        if self._lasts and self._lasts[-1] == first < last:  # the next events, most often
            return _made(self._firsts, [*self._lasts[:-1], last])
        if self.covers(first, last):
            return self
        left = bisect_left(self._lasts, first)
        right = bisect_right(self._firsts, last)
        if left < right:
            first = min(first, self._firsts[left])
            last = max(last, self._lasts[right - 1])
        return _made(
            [*self._firsts[:left], first, *self._firsts[right:]],
            [*self._lasts[:left], last, *self._lasts[right:]],
        )

    def union(self, other: Intervals) -> Intervals:
        """What is in either."""
        return Intervals([*self, *other])

    def minus(self, other: Intervals) -> Intervals:
        """What is in this set and not in the other."""
        firsts: list[int] = []
        lasts: list[int] = []
        for first, last in self:
            hole = other.missing(first, last)
            firsts.extend(hole._firsts)
            lasts.extend(hole._lasts)
        return _made(firsts, lasts)

    def clip(self, first: int, last: int) -> Intervals:
        """What of this set lies inside ``[first, last)``."""
        if _empty(first, last):
            return Intervals()
        left = bisect_right(self._lasts, first)
        right = bisect_left(self._firsts, last)
        firsts, lasts = self._firsts[left:right], self._lasts[left:right]
        if firsts:
            firsts[0] = max(firsts[0], first)
            lasts[-1] = min(lasts[-1], last)
        return _made(firsts, lasts)

    def missing(self, first: int, last: int) -> Intervals:
        """What of ``[first, last)`` is not in this set."""
        if _empty(first, last):
            return Intervals()
        inside = self.clip(first, last)
        firsts, lasts = [first, *inside._lasts], [*inside._firsts, last]
        if firsts[0] == lasts[0]:
            del firsts[0], lasts[0]
        if firsts and firsts[-1] == lasts[-1]:
            del firsts[-1], lasts[-1]
        return _made(firsts, lasts)

    def covers(self, first: int, last: int) -> bool:
        """Whether all of ``[first, last)`` is in this set."""
        if _empty(first, last):
            return True
        at = bisect_right(self._firsts, first) - 1
        return at >= 0 and last <= self._lasts[at]

    def overlaps(self, first: int, last: int) -> bool:
        """Whether anything of ``[first, last)`` is in this set."""
        if _empty(first, last):
            return False
        at = bisect_right(self._lasts, first)
        return at < len(self._firsts) and self._firsts[at] < last

    def __iter__(self) -> Iterator[Interval]:
        """The pairs, in order."""
        return zip(self._firsts, self._lasts, strict=True)

    def __bool__(self) -> bool:
        """Whether it has members."""
        return bool(self._firsts)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same members."""
        if not isinstance(other, Intervals):
            return NotImplemented
        return self._firsts == other._firsts and self._lasts == other._lasts

    def __hash__(self) -> int:
        """Equal sets have equal hashes."""
        return hash(tuple(self))

    def __repr__(self) -> str:
        """As it is made."""
        return f"Intervals({list(self)})"


def _empty(first: int, last: int) -> bool:
    if first > last:
        raise ValueError(
            f"[{first}, {last}) is reversed; an interval ends where it starts or later"
        )
    return first == last


def _made(firsts: list[int], lasts: list[int]) -> Intervals:
    """A set of pairs that are known to be sorted and disjoint, without looking again."""
    made = Intervals.__new__(Intervals)
    made._firsts, made._lasts, made._pairs = firsts, lasts, None
    return made
