"""How often each route was asked, how long it took, and how often it failed; in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

EDGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper bounds of the buckets, in seconds; above the last is one more."""
_BOUNDS = (*EDGES, float("inf"))
SAMPLE = 64
"""Of the requests that come all the time one in so many is timed, and all are counted."""
WINDOW_S = 900.0  # slow is what was slow lately
LEAST = 20  # requests; fewer say little


@dataclass(slots=True, eq=False)
class Tally:
    """One route: all requests, those answered with 5xx, and of those timed the times.

    ``waits`` says that its answers are held back on purpose: their times tell nothing.
    """

    method: str
    path: str
    waits: bool = False
    count: int = 0
    failed: int = 0
    timed: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))

    def took(self, seconds: float) -> None:
        """One more was timed."""
        self.timed += 1
        self.seconds += seconds
        self.buckets[bisect_left(EDGES, seconds)] += 1


@dataclass(frozen=True)
class Speed:
    """A route over a time: requests, failures, the mean time, and that of the slowest twentieth.

    Seconds. ``slowest_s`` is the upper bound of a bucket; infinite above the last.
    """

    method: str
    path: str
    count: int
    failed: int
    timed: int
    mean_s: float
    slowest_s: float


@dataclass(frozen=True)
class _Mark:
    at: float
    counts: tuple[int, int, int, float, tuple[int, ...]]


def _counts(tally: Tally) -> tuple[int, int, int, float, tuple[int, ...]]:
    return tally.count, tally.failed, tally.timed, tally.seconds, tuple(tally.buckets)


@dataclass(eq=False)
class Meter:
    """Every route's tally, and marks of the last quarter of an hour to tell what is slow now."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    marks: dict[tuple[str, str], deque[_Mark]] = field(default_factory=dict)

    def of(self, method: str, path: str, waits: bool = False) -> Tally:
        """The tally of a route."""
        key = method, path
        found = self.tallies.get(key)
        if found is None:
            found = self.tallies[key] = Tally(method, path, waits)
        return found

    def mark(self, now: float) -> None:
        """Remember how far the tallies are; called now and then."""
        for key, tally in self.tallies.items():
            if not tally.count:
                continue
            marks = self.marks.setdefault(key, deque())
            marks.append(_Mark(now, _counts(tally)))
            while len(marks) > 1 and now - marks[1].at >= WINDOW_S:
                marks.popleft()

    def lately(self) -> list[Speed]:
        """What was asked in the last quarter of an hour, the slowest first; not what waits."""
        found = []
        for key, tally in self.tallies.items():
            if tally.waits or not tally.count:
                continue
            marks = self.marks.get(key)
            before = marks[0].counts if marks else (0, 0, 0, 0.0, (0,) * len(tally.buckets))
            found.append(_speed(tally, before))
        return sorted(found, key=lambda one: (-one.slowest_s, -one.mean_s, one.path))


def _speed(tally: Tally, before: tuple[int, int, int, float, tuple[int, ...]]) -> Speed:
    count, failed, timed, seconds, buckets = before
    times = tally.timed - timed
    mean = (tally.seconds - seconds) / times if times else 0.0
    slowest, above = 0.0, 0
    for place in range(len(_BOUNDS) - 1, -1, -1):
        above += tally.buckets[place] - buckets[place]
        if above > times / 20:
            slowest = _BOUNDS[place]
            break
    return Speed(
        tally.method, tally.path, tally.count - count, tally.failed - failed, times, mean, slowest
    )
