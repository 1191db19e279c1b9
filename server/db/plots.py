"""Histograms of productions: how far their units were read, and what was counted."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx
from server.domain.workunit import UnitState


@dataclass(frozen=True)
class Kept:
    """What is kept of a production: units read as JSON pairs, how many, and the sheet as JSON."""

    units: int = 0
    done: str = "[]"
    sheet: str = ""


@dataclass(frozen=True)
class Unread:
    """A production with settled units that were not read yet."""

    production: int
    name: str
    definition: str


async def unread(tx: Tx, limit: int) -> list[Unread]:
    """Productions that may have something to read, oldest first."""
    rows = await tx.all(
        "SELECT productions.id, productions.name, productions.definition FROM productions"
        " LEFT JOIN plots ON plots.production = productions.id"
        " WHERE coalesce(plots.wanted, 1) = 1"
        " AND productions.units_settled > coalesce(plots.units, 0)"
        " ORDER BY productions.id LIMIT $1",
        limit,
    )
    return [Unread(*row) for row in rows]


async def one(tx: Tx, production: int) -> Kept:
    """What is kept of a production."""
    row = await tx.one("SELECT units, done, sheet FROM plots WHERE production = $1", production)
    return Kept() if row is None else Kept(*row)


async def keep(tx: Tx, production: int, kept: Kept, *, wanted: bool = True) -> None:
    """Keep this, or that there is nothing to read of it ever."""
    await tx.run(
        "INSERT INTO plots (production, wanted, units, done, sheet) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (production) DO UPDATE SET units = $3, done = $4, sheet = $5",
        production,
        int(wanted),
        kept.units,
        kept.done,
        kept.sheet,
    )


async def settled_from(tx: Tx, production: int, number: int, limit: int) -> list[int]:
    """The settled units from this number on, in order."""
    rows = await tx.all(
        "SELECT number FROM units WHERE production = $1 AND state = $2 AND number >= $3"
        " ORDER BY number LIMIT $4",
        production,
        str(UnitState.SETTLED),
        number,
        limit,
    )
    return [row[0] for row in rows]
