"""Rows of leases, units and frames that are over already: for made-up history alone."""

from __future__ import annotations

from typing import NamedTuple

from server.db.base import Tx, dollars
from server.db.errors import LivedIn

_TASK = (
    "id, production, unit, first, last, state, host, account, leased_at, until, deadline, ended_at,"
    " cause, held, done, cpu_s"
)
_FRAME = (
    "production, unit, task, host, account, first, last, segment, place, length, digest,"
    " received_at"
)


class Ended(NamedTuple):
    """A lease that is over."""

    id: int
    production: int
    unit: int
    first: int
    last: int
    state: str
    host: int
    account: int
    leased_at: float
    until: float
    deadline: float
    ended_at: float
    cause: str
    held: int
    done: int
    cpu_s: float


async def hold_new(tx: Tx) -> None:
    """Raises `LivedIn` unless nobody has been here but the first administrator."""
    for table, few in (("hosts", 0), ("productions", 0), ("contexts", 0), ("accounts", 1)):
        row = await tx.one(f"SELECT count(*) FROM {table}")  # noqa: S608  # of the line above
        if row is not None and row[0] > few:
            raise LivedIn(row[0], table)


async def tasks(tx: Tx, rows: list[Ended]) -> None:
    """Leases that are over."""
    values = dollars(len(Ended._fields))
    await tx.many(f"INSERT INTO tasks ({_TASK}) VALUES ({values})", rows)  # noqa: S608


async def units(tx: Tx, production: int, numbers: range, size: int) -> None:
    """Units that are settled."""
    await tx.many(
        "INSERT INTO units (production, number, state, size, content, digest)"
        " VALUES ($1, $2, 'settled', $3, $3, '')",
        [(production, number, size) for number in numbers],
    )
    await tx.run("UPDATE productions SET next_unit = $1 WHERE id = $2", numbers.stop, production)


async def finished(tx: Tx, production: int, at: float) -> None:
    """A production that is done, without an output."""
    await tx.run("UPDATE productions SET finished_at = $1 WHERE id = $2", at, production)


async def frames(tx: Tx, rows: list[Ended], event_bytes: int) -> None:
    """What came of leases, each in one piece; no bytes lie anywhere."""
    await tx.many(
        f"INSERT INTO frames ({_FRAME})"  # noqa: S608
        " VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $9, $10)",
        [
            (
                row.production, row.unit, row.id, row.host, row.account, row.first,
                row.first + row.held, row.held * event_bytes, b"", row.ended_at,
            )
            for row in rows
            if row.held
        ],
    )  # fmt: skip
