"""Totals of the figures derived anew from the ledgers, by other ways than they were counted.

Tasks are read from their own rows, not from the move log; units from theirs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

from server.db import figures, ledgers
from server.db.base import Row, Tx
from server.domain import counted
from server.domain.counted import Fact, Whose
from server.domain.rollup import DAY, EVER, MONTH, Kind, Measure
from server.domain.split import unit_range
from server.domain.task import TaskState

CHUNK = 5000  # rows read at a time
Place = tuple[Kind, str]
Totals = dict[Place, dict[Measure, int]]

KINDS = (Kind.POOL, Kind.PRODUCTION, Kind.HOST, Kind.ACCOUNT, Kind.CONTRIBUTION)
_MEASURES = tuple(Measure)


class Uneven(NamedTuple):
    """Days and months of something do not add up to its total."""

    kind: Kind
    key: str
    measure: Measure
    total: int
    days: int


async def kept(tx: Tx) -> Totals:
    """The totals that are kept of what can be derived."""
    found: Totals = {}
    for kind in KINDS:
        rows = await tx.all(
            f"SELECT key, {', '.join(_MEASURES)} FROM figures WHERE kind = $1 AND step = $2",  # noqa: S608
            str(kind),
            EVER,
        )
        for key, *values in rows:
            found[kind, key] = dict(zip(_MEASURES, values, strict=True))
    return found


async def uncounted(tx: Tx) -> AsyncIterator[list[Fact]]:
    """What is in the ledgers behind the marks."""
    marks = await figures.marks(tx)
    for source, read in ledgers.SOURCES.items():
        after = marks.get(source, 0)
        while (chunk := await read(tx, after, CHUNK)).last:
            yield chunk.facts
            after = chunk.last


async def tasks(tx: Tx) -> AsyncIterator[list[Fact]]:
    """Every lease there was, and how it ended."""
    after = 0
    while rows := await tx.all(
        "SELECT id, production, host, account, state, last - first, held, done, cpu_s, leased_at,"
        " ended_at FROM tasks WHERE id > $1 AND host IS NOT NULL ORDER BY id LIMIT $2",
        after,
        CHUNK,
    ):
        yield [fact for row in rows for fact in _of_task(row)]
        after = rows[-1][0]


def _of_task(row: Row) -> list[Fact]:
    _, production, host, account, state, events, held, done, cpu_s, leased_at, ended_at = row
    whose = Whose(production, host, account or 0)
    lease = Fact(whose, 0.0, counted.of_lease())
    if state == TaskState.LEASED:
        return [lease]
    wall_s = (ended_at or 0.0) - (leased_at or 0.0)
    end = counted.of_end(TaskState(state), events, held or 0, done or 0, cpu_s or 0.0, wall_s)
    return [lease, Fact(whose, 0.0, end)]


async def books(tx: Tx) -> AsyncIterator[list[Fact]]:
    """What was booked for whom, of what the books say that they gave; and what was rejected."""
    rows = await tx.all(
        "SELECT production, host, account, sum(last - first) FROM credits"
        " GROUP BY production, host, account"
    )
    yield [Fact(Whose(*row[:3]), 0.0, {Measure.EVENTS_VALIDATED: int(row[3])}) for row in rows]
    rows = await tx.all(
        "SELECT c.production, b.subject, b.account, sum(b.micros) FROM bookings b JOIN credits c"
        " ON c.task = b.task AND c.first = b.first WHERE b.side = 'host'"
        " GROUP BY c.production, b.subject, b.account"
    )
    yield [Fact(Whose(*row[:3]), 0.0, {Measure.CREDIT_MICROS: int(row[3])}) for row in rows]
    rows = await tx.all(
        "SELECT production, host, account, sum(micros) FROM corrections"
        " GROUP BY production, host, account"
    )
    yield [Fact(Whose(*row[:3]), 0.0, counted.of_correction(int(row[3]))) for row in rows]
    rows = await tx.all(
        "SELECT r.production, r.host, coalesce(t.account, 0), sum(r.last - r.first)"
        " FROM rejections r LEFT JOIN tasks t ON t.id = r.task"
        " GROUP BY r.production, r.host, coalesce(t.account, 0)"
    )
    yield [Fact(Whose(*row[:3]), 0.0, counted.of_rejection(int(row[3]))) for row in rows]


async def units(tx: Tx) -> AsyncIterator[list[Fact]]:
    """Every unit that is settled, without what of it is set aside."""
    productions = await tx.all("SELECT id, unit, events FROM productions")
    for production, unit, events in productions:
        rows = await tx.all(
            "SELECT unit, sum(last - first) FROM set_aside WHERE production = $1 GROUP BY unit",
            production,
        )
        aside = {row[0]: int(row[1]) for row in rows}
        after = -1
        while found := await tx.all(
            "SELECT number FROM units WHERE production = $1 AND number > $2 AND state = 'settled'"
            " ORDER BY number LIMIT $3",
            production,
            after,
            CHUNK,
        ):
            yield [
                Fact(
                    Whose(production),
                    0.0,
                    counted.of_unit(*unit_range(row[0], unit, events), aside.get(row[0], 0)),
                )
                for row in found
            ]
            after = found[-1][0]


async def settled(tx: Tx) -> Mapping[str, int]:
    """The events that productions say are settled, by key."""
    rows = await tx.all("SELECT id, events_settled FROM productions")
    return {str(row[0]): row[1] for row in rows}


async def failures(tx: Tx) -> tuple[dict[str, int], dict[str, int]]:
    """Failed tasks by what their logs had: as counted, and as found."""
    have = await figures.split(tx, Measure.TASKS_FAILED, Kind.FAILURE, EVER, 0, 1)
    rows = await tx.all(
        "SELECT kind, count(*) FROM findings WHERE outcome = 'failed' GROUP BY kind"
    )
    return have, {row[0]: int(row[1]) for row in rows}


async def frames_held(tx: Tx) -> tuple[int, int, int]:
    """The frames there are, their events and bytes: no fewer can have come."""
    row = await tx.one(
        "SELECT count(*), coalesce(sum(last - first), 0), coalesce(sum(length), 0) FROM frames"
    )
    return (0, 0, 0) if row is None else (int(row[0]), int(row[1]), int(row[2]))


async def uneven(tx: Tx) -> list[Uneven]:
    """Totals that are not the sum of their days and months."""
    whole = ", ".join(
        f"sum(CASE WHEN step = {EVER} THEN {each} ELSE 0 END),"
        f" sum(CASE WHEN step IN ({DAY}, {MONTH}) THEN {each} ELSE 0 END)"
        for each in _MEASURES
    )
    rows = await tx.all(
        f"SELECT kind, key, {whole} FROM figures WHERE step IN ({EVER}, {DAY}, {MONTH})"  # noqa: S608
        f" AND kind <> '{Kind.CONTRIBUTION}' GROUP BY kind, key"
    )
    found = []
    for kind, key, *sums in rows:
        for measure, total, days in zip(_MEASURES, sums[::2], sums[1::2], strict=True):
            if int(total) != int(days):
                found.append(Uneven(Kind(kind), key, measure, int(total), int(days)))
    return found
