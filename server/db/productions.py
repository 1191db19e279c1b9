"""Productions: what was asked for, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass

from server.db import moves
from server.db.base import Row, Tx, dollars
from server.domain.errors import Overtaken
from server.domain.production import ProductionState

_COLUMNS = (
    "id, name, state, reason, definition, manifest, digest, payload, events, unit, priority,"
    " next_unit, units_settled, events_settled, created_at, finished_at, output_size, output_digest"
)


@dataclass(frozen=True)
class Production:
    """A row of productions; ``manifest`` is the signed text and ``digest`` its name."""

    id: int
    name: str
    state: ProductionState
    reason: str
    definition: str
    manifest: str
    digest: str
    payload: str
    events: int
    unit: int
    priority: int
    next_unit: int
    units_settled: int
    events_settled: int
    created_at: float
    finished_at: float | None
    output_size: int | None
    output_digest: str | None


def _production(row: Row) -> Production:
    return Production(row[0], row[1], ProductionState(row[2]), *row[3:])


async def add(
    tx: Tx,
    name: str,
    definition: str,
    manifest: str,
    digest: str,
    payload: str,
    events: int,
    unit: int,
    priority: int,
    at: float,
) -> int | None:
    """A new production's id; None if the name is taken."""
    row = await tx.one(
        "INSERT INTO productions (name, state, definition, manifest, digest, payload, events,"
        " unit, priority, created_at) VALUES ($1, 'active', $2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (name) DO NOTHING RETURNING id",
        name,
        definition,
        manifest,
        digest,
        payload,
        events,
        unit,
        priority,
        at,
    )
    return None if row is None else int(row[0])


async def everyone(tx: Tx) -> list[Production]:
    """Every production, newest first."""
    rows = await tx.all(f"SELECT {_COLUMNS} FROM productions ORDER BY id DESC")  # noqa: S608
    return [_production(row) for row in rows]


async def titles(tx: Tx, numbers: list[int]) -> dict[int, str]:
    """The names of these productions."""
    among = dollars(len(numbers))
    rows = await tx.all(f"SELECT id, name FROM productions WHERE id IN ({among})", *numbers)  # noqa: S608
    return {row[0]: row[1] for row in rows}


async def one(tx: Tx, production: int) -> Production | None:
    """The production of this id."""
    row = await tx.one(f"SELECT {_COLUMNS} FROM productions WHERE id = $1", production)  # noqa: S608
    return None if row is None else _production(row)


async def named(tx: Tx, name: str) -> Production | None:
    """The production of this name."""
    row = await tx.one(f"SELECT {_COLUMNS} FROM productions WHERE name = $1", name)  # noqa: S608
    return None if row is None else _production(row)


async def manifest(tx: Tx, digest: str) -> str | None:
    """The signed manifest of this digest."""
    row = await tx.one("SELECT manifest FROM productions WHERE digest = $1 LIMIT 1", digest)
    return None if row is None else str(row[0])


async def move(
    tx: Tx,
    production: int,
    source: ProductionState,
    target: ProductionState,
    cause: str,
    reason: str,
    at: float,
) -> None:
    """Change the state that was read into the next one; `Overtaken` if it is another by now."""
    changed = await tx.run(
        "UPDATE productions SET state = $1, reason = $2 WHERE id = $3 AND state = $4",
        str(target),
        reason,
        production,
        str(source),
    )
    if changed != 1:
        raise Overtaken("production", production)
    moves.log(tx, production, "production", production, source, target, cause, at)


async def unroll(tx: Tx, production: int, upto: int) -> None:
    """Units below this number are in the table now."""
    await tx.run("UPDATE productions SET next_unit = $1 WHERE id = $2", upto, production)


async def add_settled(tx: Tx, production: int, units: int, events: int) -> None:
    """Count settled units and events."""
    await tx.run(
        "UPDATE productions SET units_settled = units_settled + $1,"
        " events_settled = events_settled + $2 WHERE id = $3",
        units,
        events,
        production,
    )


async def finish(tx: Tx, production: int, size: int, digest: str, at: float) -> None:
    """Note the merged output."""
    await tx.run(
        "UPDATE productions SET output_size = $1, output_digest = $2, finished_at = $3"
        " WHERE id = $4",
        size,
        digest,
        at,
        production,
    )
