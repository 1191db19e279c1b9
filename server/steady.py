"""The server's clock: the time of day, without its jumps.

Leases, pauses and limits are counted in it, so it must neither stand still for hours nor leap over
the end of every lease when somebody sets the machine's clock or the machine was asleep.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

SLEW = 0.5
"""How fast it follows, in s per s: an hour too much or too little is made good in two.

Meanwhile a second lasts between two thirds of a second and two: hosts beat three times a lease.
"""

LOOK_S = 1.0  # how often the time of day is looked at
TOLD_S = 5.0  # a difference of so much is told, once until it is made good

log = logging.getLogger("windfall.clock")


class SteadyClock:
    """Unix time in s that goes on evenly and never back; called, it tells what time it is."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """From the time of day as it is now."""
        self._wall, self._ticks = wall, ticks
        self._looked = ticks()
        self._base = wall()
        self._rate = 0.0
        self._told = False

    def __call__(self) -> float:
        """The time now."""
        passed = self._ticks() - self._looked
        if passed >= LOOK_S:
            return self._follow(passed)
        return self._base + passed * (1 + self._rate)

    def _follow(self, passed: float) -> float:
        """Look at the time of day: how fast to go for the next `LOOK_S`, so that it is reached."""
        self._looked += passed
        self._base += passed + LOOK_S * self._rate
        behind = self._wall() - self._base
        self._rate = max(-SLEW, min(SLEW, behind / LOOK_S))
        if abs(behind) > TOLD_S and not self._told:
            log.warning("the clock jumped", extra={"action": "clock", "seconds": round(behind, 1)})
        self._told = abs(behind) > TOLD_S
        return self._base
