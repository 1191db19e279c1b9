"""Orders to many machines at once: kept, undone before they begin, carried out."""

from __future__ import annotations

import json
from dataclasses import dataclass

from server.db.base import Row, Tx

_COUNT = "length(subjects) - length(replace(subjects, ',', '')) + 1"
"""How many there are: some thousands of them are not read for a list of orders."""
_COLUMNS = (
    f"id, action, args, {_COUNT}, made_by, made_at, begins_at, undone_at, undone_by, done_at,"
    " outcome"
)


@dataclass(frozen=True)
class Bulk:
    """An order to so many subjects."""

    id: int
    action: str
    args: dict[str, str]
    subjects: int
    made_by: str
    made_at: float
    begins_at: float
    undone_at: float | None
    undone_by: str
    done_at: float | None
    outcome: str


def _bulk(row: Row) -> Bulk:
    number, action, args, *rest = row
    return Bulk(number, action, json.loads(args), *rest)


async def add(
    tx: Tx,
    action: str,
    args: dict[str, str],
    subjects: list[int],
    by: str,
    at: float,
    begins: float,
) -> Bulk:
    """Keep an order."""
    row = await tx.one(
        "INSERT INTO bulk_orders (action, args, subjects, made_by, made_at, begins_at)"  # noqa: S608
        f" VALUES ($1, $2, $3, $4, $5, $6) RETURNING {_COLUMNS}",
        action,
        json.dumps(args),
        json.dumps(subjects),
        by,
        at,
        begins,
    )
    assert row is not None  # noqa: S101  an insert that returns always returns
    return _bulk(row)


async def one(tx: Tx, number: int) -> Bulk | None:
    """One order."""
    row = await tx.one(f"SELECT {_COLUMNS} FROM bulk_orders WHERE id = $1", number)  # noqa: S608
    return None if row is None else _bulk(row)


async def subjects(tx: Tx, number: int) -> list[int]:
    """Whom an order reaches: the ids of hosts, or of productions if held units are released."""
    row = await tx.one("SELECT subjects FROM bulk_orders WHERE id = $1", number)
    return [] if row is None else list(json.loads(row[0]))


async def latest(tx: Tx, limit: int) -> list[Bulk]:
    """The latest orders, newest first."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM bulk_orders ORDER BY id DESC LIMIT $1",  # noqa: S608
        limit,
    )
    return [_bulk(row) for row in rows]


async def due(tx: Tx, at: float) -> list[Bulk]:
    """The orders that have to be carried out by now, oldest first."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM bulk_orders WHERE done_at IS NULL AND undone_at IS NULL"  # noqa: S608
        " AND begins_at <= $1 ORDER BY begins_at, id",
        at,
    )
    return [_bulk(row) for row in rows]


async def undo(tx: Tx, number: int, by: str, at: float) -> bool:
    """Take an order back; False if it has begun, or was taken back before."""
    changed = await tx.run(
        "UPDATE bulk_orders SET undone_at = $1, undone_by = $2 WHERE id = $3"
        " AND undone_at IS NULL AND done_at IS NULL AND begins_at > $1",
        at,
        by,
        number,
    )
    return changed == 1


async def done(tx: Tx, number: int, outcome: str, at: float) -> None:
    """An order is carried out, and what came of it."""
    await tx.run(
        "UPDATE bulk_orders SET done_at = $1, outcome = $2 WHERE id = $3", at, outcome, number
    )
