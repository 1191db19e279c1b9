"""The books of credit: each booking takes from a production what it gives to a host.

What turns out to be wrong later is not edited: a correction stands against it, with its cause.
"""

from __future__ import annotations

from typing import NamedTuple

from server.db.base import Tx
from server.domain.credit import MICROS, Worth


class Entry(NamedTuple):
    """Agreed events of a task, and the millionths of credit that they are worth."""

    task: int
    first: int
    last: int
    host: int
    account: int
    production: int
    micros: int


def book(tx: Tx, entry: Entry, at: float) -> None:
    """Take credit from a production and give it to a host, once."""
    task, first, last, host, account, production, micros = entry
    tx.later(
        "INSERT INTO credits (task, first, last, host, account, production, credit, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (task, first) DO NOTHING",
        (task, first, last, host, account, production, micros / MICROS, at),
    )
    for side, subject, amount in (("production", production, -micros), ("host", host, micros)):
        tx.later(
            "INSERT INTO bookings (task, first, side, subject, account, micros, at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (task, first, side) DO NOTHING",
            (task, first, side, subject, account, amount, at),
        )


class Correction(NamedTuple):
    """Credit of events taken back from a host (below 0), or given to it again."""

    id: int
    host: int
    account: str
    production: str
    events: int
    micros: int
    cause: str
    at: float


async def take_back(tx: Tx, host: int, payload: str | None, cause: str, at: float) -> None:
    """Take back what a host got for events on its word alone, of one payload or any.

    It has to come before these events are marked as doubtful, in the same transaction.
    """
    await tx.run(
        "INSERT INTO corrections (host, account, production, events, micros, cause, at)"
        " SELECT host, account, production, sum(events), -sum(micros), $1, $2 FROM trusted_credits"
        " WHERE host = $3 AND doubtful_at IS NULL AND production IN"
        " (SELECT id FROM productions WHERE payload = coalesce($4, payload))"
        " GROUP BY host, account, production",
        cause,
        at,
        host,
        payload,
    )


async def give_back(tx: Tx, host: int, cause: str, at: float) -> None:
    """Give back what was taken back from a host, before its events are doubtful no longer."""
    await tx.run(
        "INSERT INTO corrections (host, account, production, events, micros, cause, at)"
        " SELECT host, account, production, sum(events), sum(micros), $1, $2 FROM trusted_credits"
        " WHERE host = $3 AND doubtful_at IS NOT NULL GROUP BY host, account, production",
        cause,
        at,
        host,
    )


async def corrections(tx: Tx, host: int | None, most: int) -> list[Correction]:
    """The latest corrections, of one host or all, newest first."""
    rows = await tx.all(
        "SELECT c.id, c.host, coalesce(a.name, ''), coalesce(p.name, ''), c.events, c.micros,"
        " c.cause, c.at FROM corrections AS c LEFT JOIN accounts AS a ON a.id = c.account"
        " LEFT JOIN productions AS p ON p.id = c.production"
        " WHERE c.host = coalesce($1, c.host) ORDER BY c.id DESC LIMIT $2",
        host,
        most,
    )
    return [Correction(*row) for row in rows]


async def corrected_of(tx: Tx, host: int) -> int:
    """The millionths that corrections have given to a host (below 0: taken from it)."""
    row = await tx.one("SELECT coalesce(sum(micros), 0) FROM corrections WHERE host = $1", host)
    return 0 if row is None else int(row[0])


async def corrected(tx: Tx, side: str) -> dict[int | str, int]:
    """The millionths that were taken back from hosts or accounts, or given to productions."""
    return {row[0]: int(row[1]) for row in await tx.all(_CORRECTED[side])}


_CORRECTED = {
    "host": "SELECT host, -sum(micros) FROM corrections GROUP BY host",
    "account": "SELECT name, -sum(micros) FROM corrections JOIN accounts"
    " ON accounts.id = corrections.account GROUP BY name",
    "production": "SELECT production, -sum(micros) FROM corrections GROUP BY production",
}


async def booked(tx: Tx, production: int, unit: int) -> list[tuple[int, int, int]]:
    """What accounts had credit for in a unit: account, first, last."""
    rows = await tx.all(
        "SELECT credits.account, credits.first, credits.last FROM tasks"
        " JOIN credits ON credits.task = tasks.id WHERE tasks.production = $1 AND tasks.unit = $2",
        production,
        unit,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def worth(tx: Tx, production: int) -> Worth | None:
    """What an event of a production is worth, if that was found."""
    row = await tx.one("SELECT micros, source, hosts FROM worths WHERE production = $1", production)
    return None if row is None else Worth(*row)


async def keep_worth(tx: Tx, production: int, found: Worth, at: float) -> None:
    """What an event of a production is worth from now on."""
    await tx.run(
        "INSERT INTO worths (production, micros, source, hosts, at) VALUES ($1, $2, $3, $4, $5)",
        production,
        found.micros,
        found.source,
        found.hosts,
        at,
    )


async def measured(tx: Tx, manifest: str) -> dict[int, float]:
    """The seconds per event of hosts, as they measured them with the reference events."""
    rows = await tx.all("SELECT host, seconds_per_event FROM classes WHERE manifest = $1", manifest)
    return {row[0]: row[1] for row in rows}


async def balances(tx: Tx, side: str) -> dict[int, int]:
    """The millionths of each production (below 0), or host."""
    rows = await tx.all(
        "SELECT subject, sum(micros) FROM books WHERE side = $1 GROUP BY subject", side
    )
    return {row[0]: int(row[1]) for row in rows}


async def of_accounts(tx: Tx) -> dict[str, int]:
    """The millionths of each account, by name."""
    rows = await tx.all(
        "SELECT accounts.name, sum(micros) FROM books"
        " JOIN accounts ON accounts.id = books.account WHERE side = 'host'"
        " GROUP BY accounts.name ORDER BY accounts.name"
    )
    return {row[0]: int(row[1]) for row in rows}


async def worths(tx: Tx) -> dict[int, Worth]:
    """What an event of each production is worth."""
    rows = await tx.all("SELECT production, micros, source, hosts FROM worths")
    return {row[0]: Worth(*row[1:]) for row in rows}


async def titles(tx: Tx) -> dict[int, str]:
    """The names of productions."""
    return {row[0]: str(row[1]) for row in await tx.all("SELECT id, name FROM productions")}


_CHECKS = {
    "bookings that are no pair, or whose sides do not add up to zero": "SELECT count(*) FROM"
    " (SELECT task FROM bookings GROUP BY task, first"
    " HAVING sum(micros) <> 0 OR count(*) <> 2) AS odd",
    "agreed events without a booking, or of another host, account or production": "SELECT count(*)"
    " FROM credits AS c LEFT JOIN bookings AS h ON h.task = c.task AND h.first = c.first"
    " AND h.side = 'host' AND h.subject = c.host AND h.account = c.account"
    " LEFT JOIN bookings AS p ON p.task = c.task AND p.first = c.first AND p.side = 'production'"
    " AND p.subject = c.production WHERE h.task IS NULL OR p.task IS NULL",
    "bookings without agreed events": "SELECT count(*) FROM bookings AS b LEFT JOIN credits AS c"
    " ON c.task = b.task AND c.first = b.first WHERE c.task IS NULL",
    "bookings of another amount than their events are worth": "SELECT count(*) FROM bookings AS b"
    " JOIN credits AS c ON c.task = b.task AND c.first = b.first"
    " JOIN worths AS w ON w.production = c.production"
    " WHERE b.side = 'host' AND b.at >= w.at AND b.micros <> (c.last - c.first) * w.micros",
    "hosts whose corrections are not the credit of their doubtful events": "SELECT count(*) FROM"
    " (SELECT host FROM (SELECT host, account, production, micros FROM corrections"
    " UNION ALL SELECT host, account, production, micros FROM trusted_credits"
    " WHERE doubtful_at IS NOT NULL) AS sides"
    " GROUP BY host, account, production HAVING sum(micros) <> 0) AS odd",
    "events booked twice for one account": "SELECT count(*) FROM (SELECT first,"
    " max(last) OVER (PARTITION BY production, account ORDER BY first, last"
    " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM credits) AS spans"
    " WHERE before > first",
    "events booked that lie outside of their task": "SELECT count(*) FROM credits AS c"
    " LEFT JOIN tasks AS t ON t.id = c.task WHERE t.id IS NULL OR t.host <> c.host"
    " OR c.first < t.first OR c.last > coalesce(t.lent, t.last)",
    "events booked before they were settled": "SELECT count(*) FROM credits AS c"
    " JOIN tasks AS t ON t.id = c.task JOIN units AS u ON u.production = t.production"
    " AND u.number = t.unit WHERE u.state <> 'settled' AND NOT EXISTS (SELECT 1 FROM settled AS s"
    " WHERE s.production = t.production AND s.unit = t.unit"
    " AND s.first < c.last AND s.last > c.first) AND u.state <> 'aborted'",
}


async def faults(tx: Tx) -> dict[str, int]:
    """What is wrong with the books, found from the agreed events alone, and how often."""
    found: dict[str, int] = {}
    for what, query in _CHECKS.items():
        row = await tx.one(query)
        if row is not None and row[0]:
            found[what] = int(row[0])
    return found
