"""When to flush finished events: often enough to lose little, seldom enough to cost little."""

from __future__ import annotations

import math
from typing import Optional

LEAST_S, MOST_S = 0.5, 30.0


class Pace:
    """Aims at frames of ``flush_bytes``, or one every tau = sqrt(2 c L), whichever is first.

    c is the cost of a flush in seconds, measured; L the mean life of a host. The optimum is flat:
    a wrong L by a factor of four costs less than a tenth of a percent (Young's approximation).
    """

    def __init__(self, flush_bytes: int, flush_s: Optional[float], mean_life_s: float) -> None:
        self.flush_bytes, self._fixed, self._life = flush_bytes, flush_s, mean_life_s
        self._cost = 0.05

    def learn(self, seconds: float) -> None:
        """A flush cost this long."""
        self._cost += 0.2 * (seconds - self._cost)

    @property
    def seconds(self) -> float:
        """The longest a finished event waits before it is flushed."""
        if self._fixed is not None:
            return self._fixed
        tau = math.sqrt(2 * max(self._cost, 0.0) * self._life)
        return min(MOST_S, max(LEAST_S, tau))
