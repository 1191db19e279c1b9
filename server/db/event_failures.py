"""Events that failed on a host, each with one word why, kept with their unit."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx


@dataclass(frozen=True)
class EventFailure:
    """Events ``[first, last)`` that failed on a host."""

    first: int
    last: int
    word: str
    host: int


def add(tx: Tx, production: int, unit: int, task: int, failure: EventFailure, at: float) -> None:
    """Keep what a task tells of its events; told twice it is kept once."""
    tx.later(
        "INSERT INTO event_failures (task, first, last, word, production, unit, host, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (task, first) DO NOTHING",
        (task, failure.first, failure.last, failure.word, production, unit, failure.host, at),
    )


async def of_unit(tx: Tx, production: int, unit: int) -> list[EventFailure]:
    """What failed in a unit, in the order of events."""
    rows = await tx.all(
        "SELECT first, last, word, host FROM event_failures"
        " WHERE production = $1 AND unit = $2 ORDER BY first, last, host",
        production,
        unit,
    )
    return [EventFailure(*row) for row in rows]
