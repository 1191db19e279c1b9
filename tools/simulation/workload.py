"""What is to be computed: how much work each event is, how many bytes, and which ones crash.

Work is counted in seconds of the reference host. Event times are log-normal with a coefficient of
variation of 0.7 to 1.7, as measured with Pythia 8 (notes on physics payloads, 1.1). An event stands
for whatever the payload's granule is: one event of full simulation, or a block of light ones.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy


@dataclass(frozen=True)
class Shape:
    """The figures of a payload: seconds an event (mean) and their cv, bytes, set-up, poison."""

    event_s: float = 60.0
    cv: float = 1.4
    event_bytes: int = 60_000
    setup_s: float = 5.0
    poison: int = 3


class Workload:
    """The events of one production, each with its own work."""

    def __init__(self, shape: Shape, events: int, seed: int) -> None:
        """As many events of this shape; the same seed gives the same."""
        self.shape, self.events = shape, events
        chance = numpy.random.default_rng([seed, 1])
        spread = math.log(1 + shape.cv**2)
        work = chance.lognormal(-spread / 2, math.sqrt(spread), events) * shape.event_s
        self._upto = array("d", [0.0])
        self._upto.frombytes(numpy.cumsum(work).tobytes())
        bad = chance.choice(events, min(events, shape.poison), replace=False)
        self.poison = sorted(int(event) for event in bad)

    @property
    def total(self) -> float:
        """The work of every event once."""
        return self._upto[-1]

    def work(self, first: int, last: int) -> float:
        """The work of ``[first, last)``."""
        return self._upto[last] - self._upto[first]

    def reached(self, first: int, last: int, work: float) -> int:
        """The event that is being computed after this much work from ``first`` on."""
        return bisect_right(self._upto, self._upto[first] + work, first, last + 1) - 1

    def crash(self, first: int, last: int) -> int | None:
        """The first event of ``[first, last)`` that kills the payload, wherever it runs."""
        at = bisect_left(self.poison, first)
        return self.poison[at] if at < len(self.poison) and self.poison[at] < last else None
