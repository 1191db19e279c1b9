"""The index of frames in the segments, what of them is settled, rejected and credited."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from server.db import ledgers, units
from server.db.base import Tx, dollars

_COLUMNS = "id, task, host, account, first, last, segment, place, length, digest"


@dataclass(frozen=True)
class FrameRow:
    """Where a frame lies, whose it is, and the SHA-256 of its bytes."""

    id: int
    task: int
    host: int
    account: int
    first: int
    last: int
    segment: int
    place: int
    length: int
    digest: bytes


class NewFrame(NamedTuple):
    """A frame to be indexed: whose it is, where it lies, its SHA-256, and when it came."""

    production: int
    unit: int
    task: int
    host: int
    account: int
    first: int
    last: int
    segment: int
    place: int
    length: int
    digest: bytes
    received_at: float


_FIELDS = ", ".join(NewFrame._fields)
_VALUES = dollars(len(NewFrame._fields))
_OPEN = (
    "EXISTS (SELECT 1 FROM units WHERE production = $1 AND number = $2"
    " AND state IN ('open', 'held'))"
)


async def add(tx: Tx, rows: list[NewFrame]) -> None:
    """Index frames; those of units that are over are needed no more."""
    await tx.many(f"INSERT INTO frames ({_FIELDS}) SELECT {_VALUES} WHERE {_OPEN}", rows)


async def find_again(tx: Tx, rows: list[NewFrame]) -> None:
    """Index frames of which only their labels are left, if their tasks were ever given."""
    await tx.many(
        f"INSERT INTO frames ({_FIELDS}) SELECT {_VALUES} WHERE {_OPEN}"  # noqa: S608
        " AND EXISTS (SELECT 1 FROM tasks WHERE id = $3 AND production = $1 AND unit = $2"
        " AND host = $4 AND account = $5)",
        rows,
    )


async def places(tx: Tx, least: int) -> dict[tuple[int, int], bytes]:
    """The places that are indexed in the segments from this one on, and what should lie there."""
    rows = await tx.all("SELECT segment, place, digest FROM frames WHERE segment >= $1", least)
    return {(row[0], row[1]): row[2] for row in rows}


async def lose_there(tx: Tx, segment: int, where: str, *args: int) -> int:
    """Forget frames of a segment whose bytes are gone, so that their units are judged again.

    ``where`` is a condition whose parameters begin with ``$3``; how many were forgotten.
    """
    gone = await tx.all(
        # The first parameter is there so that the others keep their numbers.
        f"SELECT DISTINCT production, unit, task FROM frames"  # noqa: S608
        f" WHERE CAST($1 AS BIGINT) >= 0 AND segment = $2 AND {where}",
        0,
        segment,
        *args,
    )
    count = await ledgers.lose_frames(tx, f"segment = $2 AND {where}", segment, *args)
    for production, unit, task in gone:
        await unsettle(tx, production, unit, task)
        units.mark(tx, production, unit)
    return count


async def of_unit(tx: Tx, production: int, unit: int) -> list[FrameRow]:
    """The frames of a unit, in the order in which they came."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM frames WHERE production = $1 AND unit = $2 ORDER BY id",  # noqa: S608
        production,
        unit,
    )
    return [FrameRow(*row) for row in rows]


async def between(tx: Tx, production: int, low: int, high: int) -> list[tuple[int, int, int, int]]:
    """Which account holds which events of the units in [low, high): unit, account, first, last."""
    rows = await tx.all(
        "SELECT unit, account, first, last FROM frames"
        " WHERE production = $1 AND unit >= $2 AND unit < $3 ORDER BY id",
        production,
        low,
        high,
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def held_by_leased(tx: Tx) -> list[tuple[int, int, int]]:
    """The events in hand of every leased task: task, first, last."""
    rows = await tx.all(
        "SELECT frames.task, frames.first, frames.last FROM frames JOIN tasks"
        " ON tasks.id = frames.task WHERE tasks.state = 'leased' ORDER BY frames.id"
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def of_task(tx: Tx, production: int, unit: int, task: int) -> list[tuple[int, int]]:
    """The events in hand of one task."""
    rows = await tx.all(
        "SELECT first, last FROM frames"
        " WHERE production = $1 AND unit = $2 AND task = $3 ORDER BY id",
        production,
        unit,
        task,
    )
    return [(row[0], row[1]) for row in rows]


async def of_account(tx: Tx, production: int, unit: int, account: int) -> list[tuple[int, int]]:
    """The events of a unit that an account has sent."""
    rows = await tx.all(
        "SELECT first, last FROM frames WHERE production = $1 AND unit = $2 AND account = $3",
        production,
        unit,
        account,
    )
    return [(row[0], row[1]) for row in rows]


async def lose(tx: Tx, production: int, unit: int, rows: Iterable[FrameRow]) -> None:
    """Forget frames of a unit whose bytes are gone, and what their tasks settled there."""
    for row in rows:
        await ledgers.lose_frames(
            tx,
            "production = $2 AND unit = $3 AND segment = $4 AND place = $5",
            production,
            unit,
            row.segment,
            row.place,
        )
        await unsettle(tx, production, unit, row.task)


async def unsettle(tx: Tx, production: int, unit: int, task: int) -> None:
    """No event is settled with the bytes of this task any more."""
    await tx.run(
        "DELETE FROM settled WHERE production = $1 AND unit = $2 AND task = $3",
        production,
        unit,
        task,
    )


async def drop(tx: Tx, production: int, unit: int) -> None:
    """Forget the frames of a unit whose blob is written."""
    await ledgers.forget_frames(tx, "production = $2 AND unit = $3", production, unit)
    await tx.run("DELETE FROM settled WHERE production = $1 AND unit = $2", production, unit)


async def drop_production(tx: Tx, production: int) -> None:
    """Forget every frame of a production that was aborted."""
    await ledgers.forget_frames(tx, "production = $2", production)
    await tx.run("DELETE FROM settled WHERE production = $1", production)


async def segments(tx: Tx) -> dict[int, int]:
    """The segments that hold frames, and up to where."""
    rows = await tx.all("SELECT segment, max(place + length) FROM frames GROUP BY segment")
    return {row[0]: row[1] for row in rows}


def settle(tx: Tx, production: int, unit: int, first: int, last: int, task: int) -> None:
    """These events are settled, with the bytes of this task."""
    tx.later(
        "INSERT INTO settled (production, unit, first, last, task) VALUES ($1, $2, $3, $4, $5)",
        (production, unit, first, last, task),
    )


async def settled(tx: Tx, production: int, unit: int) -> list[tuple[int, int, int]]:
    """What of a unit is settled: first, last, task."""
    rows = await tx.all(
        "SELECT first, last, task FROM settled WHERE production = $1 AND unit = $2 ORDER BY first",
        production,
        unit,
    )
    return [(row[0], row[1], row[2]) for row in rows]


def reject(
    tx: Tx, production: int, unit: int, task: int, host: int, first: int, last: int, at: float
) -> None:
    """These events of this host disagree with what was settled."""
    tx.later(
        "INSERT INTO rejections (production, unit, task, host, first, last, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (task, first) DO NOTHING",
        (production, unit, task, host, first, last, at),
    )


async def rejected_of_unit(tx: Tx, production: int, unit: int) -> list[tuple[int, int, int, int]]:
    """What of a unit was rejected before: first, last, task, host."""
    rows = await tx.all(
        "SELECT first, last, task, host FROM rejections WHERE production = $1 AND unit = $2",
        production,
        unit,
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def rejected_by_host(tx: Tx, production: int) -> list[tuple[int, int]]:
    """Hosts with rejected events in a production, and how many."""
    rows = await tx.all(
        "SELECT host, sum(last - first) FROM rejections WHERE production = $1"
        " GROUP BY host ORDER BY host",
        production,
    )
    return [(row[0], int(row[1])) for row in rows]
