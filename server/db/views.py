"""Counts for people: what is in hand, how units stand, what hosts have done."""

from __future__ import annotations

from dataclasses import dataclass

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


async def tallies(tx: Tx, account: int = 0) -> dict[int, tuple[int, int]]:
    """The agreed and the rejected events of each host, or of those of one account."""
    rows = await tx.all(
        "SELECT id, agreed_events, rejected_events FROM hosts"
        " WHERE account = coalesce($1, account)",
        account or None,
    )
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


@dataclass(frozen=True)
class TaskRow:
    """A task that has or had a host, with what came of it."""

    id: int
    unit: int
    first: int
    last: int
    state: str
    host: int
    leased_at: float
    ended_at: float | None
    cause: str
    held: int
    log: str


async def tasks_of(
    tx: Tx, production: int, host: int | None, state: str | None, limit: int
) -> list[TaskRow]:
    """The latest tasks of a production that had a host, newest first; of one host or state."""
    rows = await tx.all(
        "SELECT id, unit, first, last, state, host, leased_at, ended_at, coalesce(cause, ''),"
        " coalesce(held, 0), coalesce(log, '') FROM tasks WHERE production = $1"
        " AND host IS NOT NULL AND host = coalesce($2, host) AND state = coalesce($3, state)"
        " ORDER BY id DESC LIMIT $4",
        production,
        host,
        state,
        limit,
    )
    return [TaskRow(*row) for row in rows]


@dataclass(frozen=True)
class HostTask:
    """A task of a host, with its production and what came of it."""

    id: int
    production: str
    first: int
    last: int
    state: str
    held: int
    leased_at: float
    ended_at: float | None
    cause: str


async def tasks_of_host(tx: Tx, host: int, limit: int) -> list[HostTask]:
    """The latest tasks of a host, newest first."""
    rows = await tx.all(
        "SELECT tasks.id, productions.name, tasks.first, tasks.last, tasks.state,"
        " coalesce(tasks.held, 0), coalesce(tasks.leased_at, 0), tasks.ended_at,"
        " coalesce(tasks.cause, '') FROM tasks"
        " JOIN productions ON productions.id = tasks.production"
        " WHERE tasks.host = $1 ORDER BY tasks.id DESC LIMIT $2",
        host,
        limit,
    )
    return [HostTask(*row) for row in rows]


async def cut_short(tx: Tx, production: int) -> tuple[int, int]:
    """Of leases that ended early: events that had to be leased again, and computed in vain."""
    row = await tx.one(
        "SELECT coalesce(sum(last - first - held), 0),"
        " coalesce(sum(CASE WHEN done > held THEN done - held ELSE 0 END), 0) FROM tasks"
        " WHERE production = $1 AND state IN ('returned', 'expired', 'failed')",
        production,
    )
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


@dataclass(frozen=True)
class LeaseTime:
    """When a host had a lease; no end: it has it still."""

    task: int
    start: float
    end: float | None
    state: str
    cause: str


async def lease_times(tx: Tx, host: int, since: float, limit: int) -> list[LeaseTime]:
    """When a host had its latest leases, those left out that ended before a time; newest first."""
    rows = await tx.all(
        "SELECT id, leased_at, ended_at, state, coalesce(cause, '') FROM (SELECT id, leased_at,"
        " ended_at, state, cause FROM tasks WHERE host = $1 ORDER BY id DESC LIMIT $2) AS latest"
        " WHERE ended_at IS NULL OR ended_at >= $3 ORDER BY id DESC",
        host,
        limit,
        since,
    )
    return [LeaseTime(*row) for row in rows]


@dataclass(frozen=True)
class Told:
    """A command that a host was given by itself."""

    at: float
    name: str
    by: str


async def told(tx: Tx, host: int, since: float, limit: int) -> list[Told]:
    """The latest commands to one host of people, newest first."""
    rows = await tx.all(
        "SELECT issued_at, name, issued_by FROM commands WHERE host = $1 AND scope = 'host'"
        " AND issued_at >= $2 AND issued_by <> 'server' ORDER BY seq DESC LIMIT $3",
        host,
        since,
        limit,
    )
    return [Told(*row) for row in rows]
