"""A share of the processor's time for payloads: they run and are frozen in turns; pure."""

from __future__ import annotations

# Long against the cost of freezing a family of processes, short against what an owner feels.
PERIOD_S = 2.0


def runs(now: float, percent: int) -> bool:
    """Whether payloads run at this moment."""
    return percent >= 100 or now % PERIOD_S < PERIOD_S * percent / 100


def next_turn(now: float, percent: int) -> float:
    """Seconds until that changes; infinite if it never does."""
    if percent >= 100:
        return float("inf")
    at = now % PERIOD_S
    edge = PERIOD_S * percent / 100
    return edge - at if at < edge else PERIOD_S - at
