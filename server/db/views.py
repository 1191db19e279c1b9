"""Counts for people: what is in hand, how units stand, what hosts have done."""

from __future__ import annotations

from server.db.base import Tx


async def in_hand(tx: Tx, production: int) -> int:
    """The events of open units that lie in the segments, each copy counted."""
    row = await tx.one(
        "SELECT coalesce(sum(last - first), 0) FROM frames WHERE production = $1", production
    )
    return 0 if row is None else int(row[0])


async def unit_states(tx: Tx, production: int) -> dict[int, str]:
    """How each unit in the table stands, for the first 100,000."""
    rows = await tx.all(
        "SELECT number, state FROM units WHERE production = $1 ORDER BY number LIMIT 100000",
        production,
    )
    return {row[0]: row[1] for row in rows}


async def tallies(tx: Tx) -> dict[int, tuple[int, int]]:
    """The agreed and the rejected events of each host."""
    rows = await tx.all("SELECT id, agreed_events, rejected_events FROM hosts")
    return {row[0]: (row[1], row[2]) for row in rows}


async def counts(tx: Tx) -> dict[str, int]:
    """How many tasks there are in each state that still matters, and how many frames."""
    rows = await tx.all(
        "SELECT state, count(*) FROM tasks WHERE state IN ('ready', 'leased') GROUP BY state"
    )
    found = {str(row[0]): int(row[1]) for row in rows}
    row = await tx.one("SELECT count(*) FROM frames")
    found["frames"] = 0 if row is None else int(row[0])
    return found
