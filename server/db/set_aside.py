"""Events set aside: they fail wherever they are tried, and all goes on without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from server.db import findings, moves
from server.db.base import Tx
from server.domain.poison import Poison, Told

LOG_KEPT = 4096  # last characters of the log that is kept with an event


@dataclass(frozen=True)
class Aside:
    """Events ``[first, last)`` set aside; ``log`` is the end of one of the logs."""

    unit: int
    first: int
    last: int
    accounts: int
    word: str
    log: str
    at: float


class Witness(NamedTuple):
    """Who says that events fail: whether it is believed at all, and how often it was wrong."""

    host: int
    active: bool
    agreed: int
    rejected: int


async def told(tx: Tx, production: int, unit: int) -> list[tuple[Told, Witness]]:
    """What hosts say of events of a unit that failed."""
    rows = await tx.all(
        "SELECT f.first, f.last, h.account, f.word, h.id, h.state, h.agreed_events,"
        " h.rejected_events"
        " FROM event_failures f JOIN hosts h ON h.id = f.host"
        " WHERE f.production = $1 AND f.unit = $2 ORDER BY f.task, f.first",
        production,
        unit,
    )
    return [(Told(*row[:4]), Witness(row[4], row[5] == "active", *row[6:])) for row in rows]


async def hosts_of(tx: Tx, production: int, unit: int, first: int, last: int) -> list[int]:
    """The hosts on which these events failed."""
    rows = await tx.all(
        "SELECT DISTINCT host FROM event_failures"
        " WHERE production = $1 AND unit = $2 AND first <= $3 AND last >= $4",
        production,
        unit,
        first,
        last,
    )
    return [int(row[0]) for row in rows]


async def failed_of(
    tx: Tx, production: int, unit: int, first: int, last: int
) -> list[tuple[int, int]]:
    """The hosts of which tasks failed on these events, and how many of each."""
    rows = await tx.all(
        "SELECT t.host, count(DISTINCT t.id) FROM event_failures f JOIN tasks t ON t.id = f.task"
        " WHERE f.production = $1 AND f.unit = $2 AND f.first <= $3 AND f.last >= $4"
        " AND t.state = 'failed' AND t.host IS NOT NULL GROUP BY t.host ORDER BY t.host",
        production,
        unit,
        first,
        last,
    )
    return [(int(row[0]), int(row[1])) for row in rows]


async def log_of(tx: Tx, production: int, unit: int, first: int, last: int) -> str:
    """The end of the latest log of a task on which these events failed."""
    row = await tx.one(
        "SELECT t.log FROM event_failures f JOIN tasks t ON t.id = f.task"
        " WHERE f.production = $1 AND f.unit = $2 AND f.first <= $3 AND f.last >= $4"
        " AND t.log IS NOT NULL ORDER BY f.task DESC LIMIT 1",
        production,
        unit,
        first,
        last,
    )
    return "" if row is None else str(row[0])[-LOG_KEPT:]


async def add(tx: Tx, production: int, unit: int, found: Poison, log: str, at: float) -> None:
    """Set events aside, and forget the errors that they brought upon their unit."""
    await tx.run(
        "INSERT INTO set_aside (production, unit, first, last, accounts, word, log, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (production, first) DO NOTHING",
        production, unit, found.first, found.last, found.accounts, found.word, log, at,
    )  # fmt: skip
    await tx.run(
        "UPDATE units SET errors = 0 WHERE production = $1 AND number = $2", production, unit
    )
    await findings.forgive(tx, production, unit)
    cause = f"failed with {found.accounts} accounts: {found.word}"
    moves.log(tx, production, "event", found.first, "open", "set-aside", cause, at)


_COLUMNS = "unit, first, last, accounts, word, log, at"


async def of_unit(tx: Tx, production: int, unit: int) -> list[Aside]:
    """What of a unit is set aside, in order."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM set_aside WHERE production = $1 AND unit = $2 ORDER BY first",  # noqa: S608
        production,
        unit,
    )
    return [Aside(*row) for row in rows]


async def of(tx: Tx, production: int) -> list[Aside]:
    """What of a production is set aside, in order."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM set_aside WHERE production = $1 ORDER BY first",  # noqa: S608
        production,
    )
    return [Aside(*row) for row in rows]


async def count(tx: Tx, production: int) -> int:
    """How many events of a production are set aside."""
    row = await tx.one(
        "SELECT coalesce(sum(last - first), 0) FROM set_aside WHERE production = $1", production
    )
    return 0 if row is None else int(row[0])


async def give_back(tx: Tx, production: int, one: Aside, by: str, at: float) -> None:
    """Events set aside are wanted again, and what was told of them is forgotten."""
    await tx.run(
        "DELETE FROM set_aside WHERE production = $1 AND first = $2", production, one.first
    )
    await tx.run(
        "DELETE FROM event_failures WHERE production = $1 AND unit = $2"
        " AND first < $3 AND last > $4",
        production,
        one.unit,
        one.last,
        one.first,
    )
    moves.log(tx, production, "event", one.first, "set-aside", "open", f"given back by {by}", at)


async def unwritten(tx: Tx) -> list[tuple[int, int]]:
    """Units with events set aside whose blob is not written yet."""
    rows = await tx.all(
        "SELECT DISTINCT u.production, u.number FROM set_aside s"
        " JOIN units u ON u.production = s.production AND u.number = s.unit"
        " WHERE u.state IN ('open', 'held')"
    )
    return [(int(row[0]), int(row[1])) for row in rows]
