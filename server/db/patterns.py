"""The patterns of operators, and how often each has matched."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Row, Tx
from server.domain.patterns import Pattern

_COLUMNS = "name, regex, kind, action, most, factor, payload, rank, enabled, note"


@dataclass(frozen=True)
class Saved:
    """A row, and who changed it last."""

    pattern: Pattern
    changed_by: str
    changed_at: float


def _saved(row: Row) -> Saved:
    name, regex, kind, action, most, factor, payload, rank, enabled, note, by, at = row
    pattern = Pattern(
        name, regex, kind, action, most, factor, payload, rank, bool(enabled), note
    )  # fmt: skip
    return Saved(pattern, by, at)


async def everyone(tx: Tx) -> list[Saved]:
    """Every row, by name."""
    rows = await tx.all(f"SELECT {_COLUMNS}, changed_by, changed_at FROM patterns ORDER BY name")  # noqa: S608
    return [_saved(row) for row in rows]


async def save(tx: Tx, pattern: Pattern, by: str, at: float) -> None:
    """Write a row, in the place of another of this name."""
    await tx.run("DELETE FROM patterns WHERE name = $1", pattern.name)
    await tx.run(
        f"INSERT INTO patterns ({_COLUMNS}, changed_by, changed_at)"  # noqa: S608
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        pattern.name, pattern.regex, pattern.kind, pattern.action, pattern.most, pattern.factor,
        pattern.payload, pattern.rank, int(pattern.enabled), pattern.note, by, at,
    )  # fmt: skip


async def remove(tx: Tx, name: str) -> bool:
    """Take a row away; whether there was one."""
    return await tx.run("DELETE FROM patterns WHERE name = $1", name) > 0


@dataclass(frozen=True)
class Count:
    """How often a pattern matched, on how many hosts and productions, and when last."""

    matches: int
    hosts: int
    productions: int
    last_at: float


async def counts(tx: Tx) -> dict[str, Count]:
    """The counts of each pattern that ever matched."""
    rows = await tx.all(
        "SELECT pattern, count(*), count(DISTINCT host), count(DISTINCT production), max(at)"
        " FROM findings WHERE pattern <> '' GROUP BY pattern"
    )
    return {row[0]: Count(int(row[1]), int(row[2]), int(row[3]), float(row[4])) for row in rows}
