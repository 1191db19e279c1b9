"""How the events of a production are cut into work units: all of one size, the last may be less."""

from __future__ import annotations

from server.domain.intervals import Interval


def units_total(events: int, unit: int) -> int:
    """How many units of ``unit`` events hold ``events`` events."""
    return -(-events // unit)


def unit_range(number: int, unit: int, events: int) -> Interval:
    """The events of a unit, counted from zero; ValueError if there is no such unit."""
    if not 0 <= number < units_total(events, unit):
        raise ValueError(f"there is no unit {number} among {units_total(events, unit)}")
    return number * unit, min(events, (number + 1) * unit)


def unit_of(event: int, unit: int) -> int:
    """The number of the unit that an event belongs to."""
    return event // unit
