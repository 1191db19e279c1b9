"""When hosts are there, and how they stop.

Four kinds of host. ``volunteer``: Weibull lives with shape 0.4 and mean 2 h, as often off as on
(notes on event services, 3.4 and 3.5; SETI@home's hosts fit a Weibull too, 2.2). ``cluster``:
exponential lives of 12 h, a batch system that says when it ends. ``cloud``: bathtub-shaped lives
under a wall of 24 h, as of preemptible machines (2.2; arXiv 1911.05160). ``office``: from 18 h to
8 h, when nobody sits there. How often which stop comes is our assumption; the stops are those of
the notes, 3.6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

HOUR = 3600.0
DAY = 24 * HOUR

WARNED, KEPT, WIPED, SUSPENDED, OFFLINE = "warned", "kept", "wiped", "suspended", "offline"
STOPS = (WARNED, KEPT, WIPED, SUSPENDED, OFFLINE)
# How likely each stop of `STOPS` is, and that the host then never comes back.
HABITS: dict[str, tuple[tuple[float, ...], float]] = {
    "volunteer": ((0.25, 0.35, 0.05, 0.25, 0.10), 0.02),
    "cluster": ((0.60, 0.10, 0.25, 0.00, 0.05), 0.02),
    "cloud": ((0.50, 0.00, 0.50, 0.00, 0.00), 0.10),
    "office": ((0.40, 0.20, 0.00, 0.35, 0.05), 0.005),
}
ON_SHARE = {"volunteer": 0.5, "cluster": 12 / 14, "cloud": 0.9, "office": 14 / 24}
SHAPE, MEAN_S = 0.4, 2 * HOUR
SCALE = MEAN_S / math.gamma(1 + 1 / SHAPE)
POPULATIONS: dict[str, dict[str, float]] = {
    "mixed": {"volunteer": 0.55, "cluster": 0.15, "cloud": 0.15, "office": 0.15},
    **{kind: {kind: 1.0} for kind in HABITS},
}


@dataclass(slots=True)
class Life:
    """A stay: from ``start`` to ``until``, then ``stop``; ``back`` is the next start, if any.

    ``told`` is when the host says that it will end, None if it does not know.
    """

    start: float
    until: float
    stop: str
    back: float | None
    told: float | None


def first_life(kind: str, chance: Random) -> Life:
    """A host's first stay; it may begin a while after the production did."""
    if kind == "office":
        # The production begins at 18 h, somewhere on this world.
        phase = chance.random() * DAY
        if phase < 14 * HOUR:
            return _stay(kind, 0.0, 14 * HOUR - phase, chance)
        return next_life(kind, DAY - phase, chance)
    if chance.random() < ON_SHARE[kind]:
        return next_life(kind, 0.0, chance)
    return next_life(kind, _off(kind, chance), chance)


def next_life(kind: str, start: float, chance: Random) -> Life:
    """The stay that begins then."""
    return _stay(kind, start, _on(kind, chance), chance)


def _stay(kind: str, start: float, on_s: float, chance: Random) -> Life:
    weights, leaving = HABITS[kind]
    stop = chance.choices(STOPS, weights)[0]
    until = start + on_s
    back = None if chance.random() < leaving else until + _off(kind, chance)
    told = None
    if kind == "office":
        told = until
    elif kind == "cloud":
        told = start + DAY
    elif kind == "cluster" and stop == WARNED:
        told = until
    return Life(start, until, stop, back, told)


def _on(kind: str, chance: Random) -> float:
    if kind == "volunteer":
        return max(1.0, chance.weibullvariate(SCALE, SHAPE))
    if kind == "cluster":
        return max(60.0, chance.expovariate(1 / (12 * HOUR)))
    if kind == "cloud":
        return _bathtub(chance)
    return 14 * HOUR


def _bathtub(chance: Random) -> float:
    """Many end early, few in the middle of the day, the rest at the wall."""
    drawn = chance.random()
    if drawn < 0.35:
        return min(DAY, 60.0 + chance.expovariate(1 / (1.5 * HOUR)))
    if drawn < 0.5:
        return HOUR + chance.random() * 21 * HOUR
    return DAY - min(DAY - HOUR, chance.expovariate(1 / HOUR))


def _off(kind: str, chance: Random) -> float:
    if kind == "office":
        return 10 * HOUR
    mean = {"volunteer": 2 * HOUR, "cluster": 2 * HOUR, "cloud": 1.5 * HOUR}[kind]
    return max(1.0, chance.expovariate(1 / mean))
