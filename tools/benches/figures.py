"""The arithmetic of the benches: slices, their pairs, and whether a goal is met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Slice:
    """What one slice of load showed: CPU time of the server in ns, latencies in ms."""

    requests: int
    cpu_ns: int
    per_second: float
    p50_ms: float
    p99_ms: float
    refused: int = 0

    @property
    def cpu_us(self) -> float:
        """CPU microseconds of all threads of the server, per request."""
        return self.cpu_ns / 1000 / self.requests


@dataclass(frozen=True)
class Goal:
    """A ratio to be reached; ``at_least`` is False where less is better."""

    number: int
    what: str
    must: float
    stretch: float
    at_least: bool = True

    def reached(self, ratio: float, bound: float) -> bool:
        """Whether a ratio is on the good side of a bound."""
        return ratio >= bound if self.at_least else ratio <= bound


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of the ratios of all pairs."""

    lower: float
    median: float
    upper: float


def spread(ratios: Sequence[float]) -> Spread:
    """Median and quartiles; of fewer than two ratios the quartiles are the median."""
    if not ratios:
        raise ValueError("no pair of slices was measured")
    if len(ratios) == 1:
        return Spread(ratios[0], ratios[0], ratios[0])
    lower, median, upper = statistics.quantiles(ratios, n=4, method="inclusive")
    return Spread(lower, median, upper)


def cpu_ratios(reference: Sequence[Slice], ours: Sequence[Slice]) -> list[float]:
    """Requests per CPU second of ours over those of the reference, slice by slice."""
    return [r.cpu_us / o.cpu_us for r, o in zip(reference, ours, strict=True)]


def p99_ratios(reference: Sequence[Slice], ours: Sequence[Slice]) -> list[float]:
    """The 99th percentile of latency of ours over that of the reference, slice by slice."""
    return [o.p99_ms / r.p99_ms for r, o in zip(reference, ours, strict=True)]


@dataclass(frozen=True)
class Result:
    """A goal as it was measured; ``missed`` if not even the better quartile reaches the must."""

    goal: Goal
    spread: Spread
    slices: int
    facts: dict[str, float]

    @property
    def met(self) -> bool:
        """Whether the median reaches the must."""
        return self.goal.reached(self.spread.median, self.goal.must)

    @property
    def missed(self) -> bool:
        """Whether the better quartile does not reach the must either."""
        better = self.spread.upper if self.goal.at_least else self.spread.lower
        return not self.goal.reached(better, self.goal.must)

    def plain(self) -> dict[str, object]:
        """For JSON."""
        goal, found = self.goal, self.spread
        return {
            "goal": goal.number,
            "what": goal.what,
            "better": "more" if goal.at_least else "less",
            "ratio": round(found.median, 3),
            "quartiles": [round(found.lower, 3), round(found.upper, 3)],
            "must": goal.must,
            "stretch": goal.stretch,
            "met": self.met,
            "missed": self.missed,
            "stretch_met": goal.reached(found.median, goal.stretch),
            "slices": self.slices,
            "absolute": {name: round(value, 2) for name, value in self.facts.items()},
        }


def absolute(name: str, slices: Sequence[Slice]) -> dict[str, float]:
    """What a side showed by itself, which depends on the machine: medians over its slices."""

    def middle(values: Sequence[float]) -> float:
        return statistics.median(values)

    return {
        f"{name}_cpu_us": middle([s.cpu_us for s in slices]),
        f"{name}_per_s": middle([s.per_second for s in slices]),
        f"{name}_p50_ms": middle([s.p50_ms for s in slices]),
        f"{name}_p99_ms": middle([s.p99_ms for s in slices]),
    }
