"""Puts short ranges that want one more copy together, where that costs less than leasing each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from server.domain.intervals import Intervals
from server.domain.quorum import Copy, Shortage

JOIN_S = 1.0  # computing between two ranges for this long costs about as much as another lease


def join(
    parts: Sequence[Shortage],
    copies: Sequence[Copy],
    reach: int,
    apart: Intervals = Intervals(),  # noqa: B008
) -> list[Shortage]:
    """The same shortage in fewer ranges: gaps of up to ``reach`` events are filled.

    Events in ``apart``, which nobody shall compute, are never in between. Only where the same
    accounts hold what is joined: nobody who might have taken one of the ranges is shut out of the
    whole.
    """
    joined: list[Shortage] = []
    for part in sorted(parts, key=lambda p: p.first):
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.copies == part.copies
            and part.first - last.last <= reach
            and not apart.overlaps(last.last, part.first)
            and _same(copies, last, part)
        ):
            joined[-1] = Shortage(last.first, part.last, part.copies)
        else:
            joined.append(part)
    return joined


def _same(copies: Sequence[Copy], one: Shortage, two: Shortage) -> bool:
    return (
        _accounts(copies, one.first, one.last)
        == _accounts(copies, two.first, two.last)
        == _accounts(copies, one.first, two.last)
    )


def _accounts(copies: Iterable[Copy], first: int, last: int) -> set[object]:
    return {c.account for c in copies if c.first < last and c.last > first}


def reach(block: int, speeds: Sequence[float]) -> int:
    """How many events may be made again to save a lease: a block, or what takes `JOIN_S`."""
    known = sorted(speed for speed in speeds if speed > 0)
    if not known:
        return block
    return max(block, int(JOIN_S / known[len(known) // 2]))
