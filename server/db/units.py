"""Work units: the ranges in which a production is settled and merged."""

from __future__ import annotations

from dataclasses import dataclass

from server.db import moves
from server.db.base import Row, Tx
from server.domain.errors import Overtaken
from server.domain.workunit import UnitState

_COLUMNS = (
    "production, number, state, reason, class, dirty, errors, releases, size, content, digest"
)


@dataclass(frozen=True)
class Unit:
    """A row of units; size, content and digest tell of its blob once it is settled.

    ``dirty`` counts what happened to it since it was judged last, ``releases`` how often a person
    let it go on after it was held.
    """

    production: int
    number: int
    state: UnitState
    reason: str
    klass: str | None
    dirty: int
    errors: int
    releases: int
    size: int | None
    content: int | None
    digest: str | None


def _unit(row: Row) -> Unit:
    return Unit(row[0], row[1], UnitState(row[2]), *row[3:])


async def add(tx: Tx, production: int, numbers: range) -> None:
    """Put these units into the table, open."""
    await tx.many(
        "INSERT INTO units (production, number, state) VALUES ($1, $2, 'open')",
        [(production, number) for number in numbers],
    )


async def one(tx: Tx, production: int, number: int) -> Unit | None:
    """One unit."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM units WHERE production = $1 AND number = $2",  # noqa: S608
        production,
        number,
    )
    return None if row is None else _unit(row)


async def classes(tx: Tx, production: int, low: int, high: int) -> list[tuple[int, str]]:
    """The units in [low, high) whose class is fixed, with it."""
    rows = await tx.all(
        "SELECT number, class FROM units WHERE production = $1 AND number >= $2 AND number < $3"
        " AND class IS NOT NULL",
        production,
        low,
        high,
    )
    return [(row[0], row[1]) for row in rows]


def pin(tx: Tx, production: int, number: int, klass: str) -> None:
    """Fix the class of a unit."""
    tx.later(
        "UPDATE units SET class = $1 WHERE production = $2 AND number = $3",
        (klass, production, number),
    )


async def unpin(tx: Tx, production: int, number: int) -> None:
    """Let a unit have any class again."""
    await tx.run(
        "UPDATE units SET class = NULL WHERE production = $1 AND number = $2", production, number
    )


def mark(tx: Tx, production: int, number: int) -> None:
    """This unit wants to be judged again."""
    tx.later(
        "UPDATE units SET dirty = dirty + 1 WHERE production = $1 AND number = $2",
        (production, number),
    )


async def clean(tx: Tx, production: int, number: int, seen: int) -> None:
    """This unit has been judged, unless more happened to it than was seen then."""
    await tx.run(
        "UPDATE units SET dirty = 0 WHERE production = $1 AND number = $2 AND dirty = $3",
        production,
        number,
        seen,
    )


async def dirty(tx: Tx) -> list[tuple[int, int]]:
    """Every unit that wants to be judged, in order."""
    rows = await tx.all(
        "SELECT production, number FROM units WHERE dirty > 0 ORDER BY production, number"
    )
    return [(row[0], row[1]) for row in rows]


async def fail(tx: Tx, production: int, number: int) -> None:
    """Count an error of a unit."""
    await tx.run(
        "UPDATE units SET errors = errors + 1 WHERE production = $1 AND number = $2",
        production,
        number,
    )


async def unfail(tx: Tx, production: int, number: int) -> None:
    """Take an error of a unit back."""
    await tx.run(
        "UPDATE units SET errors = errors - 1 WHERE production = $1 AND number = $2 AND errors > 0",
        production,
        number,
    )


async def move(
    tx: Tx,
    production: int,
    number: int,
    source: UnitState,
    target: UnitState,
    cause: str,
    reason: str,
    at: float,
) -> None:
    """Change the state that was read into the next one; `Overtaken` if it is another by now."""
    changed = await tx.run(
        "UPDATE units SET state = $1, reason = $2"
        " WHERE production = $3 AND number = $4 AND state = $5",
        str(target),
        reason,
        production,
        number,
        str(source),
    )
    if changed != 1:
        raise Overtaken("unit", number)
    moves.log(tx, production, "unit", number, source, target, cause, at)


async def release(tx: Tx, production: int, at: float) -> list[int]:
    """Open the held units of a production again, their errors forgotten; which."""
    rows = await tx.all(
        "UPDATE units SET state = 'open', reason = '', errors = 0, dirty = dirty + 1,"
        " releases = releases + 1 WHERE production = $1 AND state = 'held' RETURNING number",
        production,
    )
    for row in rows:
        moves.log(tx, production, "unit", row[0], "held", "open", "release", at)
    return [row[0] for row in rows]


async def abort(tx: Tx, production: int, at: float) -> None:
    """Give up every unit of a production that is not settled."""
    rows = await tx.all(
        "SELECT number, state FROM units WHERE production = $1 AND state IN ('open', 'held')",
        production,
    )
    await tx.run(
        "UPDATE units SET state = 'aborted', dirty = 0"
        " WHERE production = $1 AND state IN ('open', 'held')",
        production,
    )
    for number, state in rows:
        moves.log(tx, production, "unit", number, state, "aborted", "abort", at)


async def held(tx: Tx, production: int, most: int) -> tuple[int, list[tuple[int, str]]]:
    """How many units of a production are held, and the reasons of the first of them."""
    row = await tx.one(
        "SELECT count(*) FROM units WHERE production = $1 AND state = 'held'", production
    )
    count = 0 if row is None else int(row[0])
    rows = await tx.all(
        "SELECT number, reason FROM units WHERE production = $1 AND state = 'held'"
        " ORDER BY number LIMIT $2",
        production,
        most,
    )
    return count, [(row[0], row[1]) for row in rows]


async def keep(tx: Tx, production: int, number: int, size: int, content: int, digest: str) -> None:
    """Note the blob of a settled unit: its bytes, the bytes of its content, their digest."""
    await tx.run(
        "UPDATE units SET size = $1, content = $2, digest = $3"
        " WHERE production = $4 AND number = $5",
        size,
        content,
        digest,
        production,
        number,
    )


async def of(tx: Tx, production: int) -> list[Unit]:
    """Every unit of a production that is in the table, in order."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM units WHERE production = $1 ORDER BY number",  # noqa: S608
        production,
    )
    return [_unit(row) for row in rows]
