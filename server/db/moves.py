"""The move log: every step of a state machine with its cause, written in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx

_INSERT = (
    "INSERT INTO moves (production, machine, subject, source, target, cause, at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)"
)


@dataclass(frozen=True)
class Move:
    """One step of a production, unit, task or host."""

    at: float
    machine: str
    subject: int
    source: str
    target: str
    cause: str


def log(
    tx: Tx,
    production: int | None,
    machine: str,
    subject: int,
    source: str,
    target: str,
    cause: str,
    at: float,
) -> None:
    """Log a step, together with the others of the batch."""
    tx.later(_INSERT, (production, machine, subject, source, target, cause, at))


async def of_trust(tx: Tx, host: int, limit: int) -> list[tuple[float, str, str, str]]:
    """The latest steps of one host's trust, newest first: time, source, target, cause."""
    rows = await tx.all(
        "SELECT at, source, target, cause FROM moves"
        " WHERE machine = 'trust' AND subject = $1 ORDER BY id DESC LIMIT $2",
        host,
        limit,
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def latest(tx: Tx, production: int, limit: int) -> list[Move]:
    """The latest steps of a production, newest first."""
    rows = await tx.all(
        "SELECT at, machine, subject, source, target, cause FROM moves"
        " WHERE production = $1 ORDER BY id DESC LIMIT $2",
        production,
        limit,
    )
    return [Move(*row) for row in rows]


async def of_host(tx: Tx, host: int, limit: int) -> list[Move]:
    """The latest steps of one host, newest first; those of its trust are `of_trust`."""
    rows = await tx.all(
        "SELECT at, machine, subject, source, target, cause FROM moves"
        " WHERE machine = 'host' AND subject = $1 ORDER BY id DESC LIMIT $2",
        host,
        limit,
    )
    return [Move(*row) for row in rows]
