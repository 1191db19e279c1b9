"""Where copies of the same events are equal: intervals laid over each other, digests compared."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import eq
from typing import Generic, Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Copy:
    """A run of events as one task delivered it, with one digest for each record.

    Of a production that trusts, how far its host is believed; else neither is looked at.
    """

    task: int
    host: int
    account: int
    first: int
    last: int
    digests: Sequence[bytes]
    trusted: bool = False
    doubted: bool = False


class Stretch(Protocol):
    """Anything that lies on events ``[first, last)``."""

    @property
    def first(self) -> int:
        """The first event."""
        ...

    @property
    def last(self) -> int:
        """The event after the last."""
        ...


S = TypeVar("S", bound=Stretch)


class Overlay(Generic[S]):
    """Stretches laid over each other, asked at one event after another, upwards."""

    def __init__(self, stretches: Sequence[S]) -> None:
        """Stretches in the order in which they shall be named."""
        self._waiting = sorted(enumerate(stretches), key=lambda item: -item[1].first)
        self._here: list[tuple[int, S]] = []

    def at(self, event: int) -> list[S]:
        """Those that hold this event, which is not below the one asked for before."""
        self._here = [item for item in self._here if item[1].last > event]
        while self._waiting and self._waiting[-1][1].first <= event:
            item = self._waiting.pop()
            if item[1].last > event:
                insort(self._here, item)
        return [stretch for _, stretch in self._here]


def agreement(
    first: int, last: int, granule: int, copies: Sequence[Copy]
) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Cut ``[first, last)``, which every copy holds, where the agreement of the copies changes.

    Each piece comes with one number for each copy: the place of the first copy that equals it.
    Ranges that agree as a whole, which is what nearly all do, cost one comparison.
    """
    base, upto = first // granule, -(-last // granule)
    slices = [_slice(copy, base, upto, granule) for copy in copies]
    whole = tuple(slices.index(part) for part in slices)
    kinds = sorted(set(whole))
    if len(kinds) < 2:
        yield first, last, whole
        return
    rows: dict[tuple[bool, ...], tuple[int, ...]] = {}
    at, record = first, base
    for row, run in groupby(_sameness([slices[kind] for kind in kinds])):
        if row not in rows:
            leaders = dict(zip(kinds, _leaders(kinds, row), strict=True))
            rows[row] = tuple(leaders[kind] for kind in whole)
        record += sum(1 for _ in run)
        end = min(last, record * granule)
        yield at, end, rows[row]
        at = end


def _slice(copy: Copy, base: int, upto: int, granule: int) -> tuple[bytes, ...]:
    start = copy.first // granule
    return tuple(copy.digests[base - start : upto - start])


def _sameness(kinds: Sequence[Sequence[bytes]]) -> Iterator[tuple[bool, ...]]:
    """For each record, whether each kind equals each kind before it."""
    return zip(*(map(eq, b, a) for k, b in enumerate(kinds) for a in kinds[:k]), strict=True)


def _leaders(kinds: Sequence[int], row: Sequence[bool]) -> list[int]:
    """For each kind, the first kind that equals it, read from one row of `_sameness`."""
    same = iter(row)
    found: list[int] = []
    for kind in kinds:
        equal = [earlier for earlier in kinds[: len(found)] if next(same)]
        found.append(equal[0] if equal else kind)
    return found
