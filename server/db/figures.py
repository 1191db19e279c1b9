"""Counters, gauges and marks of the statistics: added to, read by time, folded and thinned out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from server.db.base import Row, Tx, dollars
from server.domain.rollup import DAY, EVER, MONTH, Gauge, Key, Kind, Measure

_MEASURES = tuple(Measure)
_COLUMN = {measure: place for place, measure in enumerate(_MEASURES)}
_COLUMNS = ", ".join(_MEASURES)
_PLACES = dollars(4 + len(_MEASURES))
_SUMS = ", ".join(f"{each} = figures.{each} + excluded.{each}" for each in _MEASURES)
_ADD = (
    f"INSERT INTO figures (kind, key, step, at, {_COLUMNS}) VALUES ({_PLACES})"  # noqa: S608
    f" ON CONFLICT (kind, step, key, at) DO UPDATE SET {_SUMS}"
)
_SAMPLE = (
    "INSERT INTO gauges (gauge, kind, key, step, at, low, high, total, samples)"
    " VALUES ($1, $2, $3, $4, $5, $6, $6, $6, 1)"
    " ON CONFLICT (gauge, kind, step, key, at) DO UPDATE SET"
    " low = CASE WHEN excluded.low < gauges.low THEN excluded.low ELSE gauges.low END,"
    " high = CASE WHEN excluded.high > gauges.high THEN excluded.high ELSE gauges.high END,"
    " total = gauges.total + excluded.total, samples = gauges.samples + 1"
)


# A word that no machine had when a sample was taken has no row of it: it was 0 then.
_OF_POOL = (
    " LEFT JOIN gauges p ON p.gauge = g.gauge AND p.kind = 'pool' AND p.step = g.step"
    " AND p.key = '' AND p.at = g.at"
)
_SAMPLES = "coalesce(p.samples, g.samples)"
_LOW = f"CASE WHEN {_SAMPLES} > g.samples THEN 0 ELSE g.low END"


class Sample(NamedTuple):
    """A gauge as it was at a time, for the row of a step."""

    gauge: Gauge
    kind: Kind
    key: str
    step: int
    at: int
    value: float


async def add(tx: Tx, rows: Mapping[Key, Mapping[Measure, int]]) -> None:
    """Add to counters; those of one place and time must stand in one row."""
    await tx.many(_ADD, [_row(place, facts) for place, facts in rows.items()])


def _row(place: Key, facts: Mapping[Measure, int]) -> Row:
    values = [0] * len(_MEASURES)
    for measure, value in facts.items():
        values[_COLUMN[measure]] = value
    kind, *where = place
    return (kind.value, *where, *values)


async def sample(tx: Tx, rows: Iterable[Sample]) -> None:
    """Take samples into the rows of their times."""
    await tx.many(
        _SAMPLE,
        [(str(r.gauge), str(r.kind), r.key, r.step, r.at, float(r.value)) for r in rows],
    )


async def series(
    tx: Tx, measure: Measure, kind: Kind, key: str, step: int, start: int, end: int
) -> list[tuple[int, int]]:
    """A counter by time, from ``start`` to before ``end``."""
    rows = await tx.all(
        f"SELECT at, {measure.value} FROM figures"  # noqa: S608
        " WHERE kind = $1 AND step = $2 AND key = $3 AND at >= $4 AND at < $5 ORDER BY at",
        str(kind),
        step,
        key,
        start,
        end,
    )
    return [(row[0], row[1]) for row in rows]


async def gauge_series(
    tx: Tx, gauge: Gauge, kind: Kind, key: str, step: int, start: int, end: int
) -> list[tuple[int, float, float, float, int]]:
    """A gauge by time: at, low, high, total, samples."""
    rows = await tx.all(
        f"SELECT g.at, {_LOW}, g.high, g.total, {_SAMPLES} FROM gauges g{_OF_POOL}"  # noqa: S608
        " WHERE g.gauge = $1 AND g.kind = $2 AND g.step = $3 AND g.key = $4 AND g.at >= $5"
        " AND g.at < $6 ORDER BY g.at",
        str(gauge),
        str(kind),
        step,
        key,
        start,
        end,
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


async def split(
    tx: Tx, measure: Measure, kind: Kind, step: int, start: int, end: int
) -> dict[str, int]:
    """The sum of a counter over a time for each key that has any."""
    name = measure.value
    rows = await tx.all(
        f"SELECT key, sum({name}) FROM figures WHERE kind = $1 AND step = $2 AND at >= $3"  # noqa: S608
        f" AND at < $4 AND {name} <> 0 GROUP BY key ORDER BY key",
        str(kind),
        step,
        start,
        end,
    )
    return {row[0]: int(row[1]) for row in rows}


async def gauge_split(tx: Tx, gauge: Gauge, kind: Kind, step: int, at: int) -> dict[str, float]:
    """The mean of a gauge in the row of one time, for each key that has one."""
    rows = await tx.all(
        f"SELECT g.key, g.total / {_SAMPLES} FROM gauges g{_OF_POOL}"  # noqa: S608
        " WHERE g.gauge = $1 AND g.kind = $2 AND g.step = $3 AND g.at = $4 ORDER BY g.key",
        str(gauge),
        str(kind),
        step,
        at,
    )
    return {row[0]: float(row[1]) for row in rows}


async def gauge_keys(
    tx: Tx, gauge: Gauge, kind: Kind, step: int, start: int, end: int, most: int
) -> list[str]:
    """The keys of a kind with most of a gauge over a time, those with most first."""
    rows = await tx.all(
        "SELECT key FROM gauges WHERE gauge = $1 AND kind = $2 AND step = $3 AND at >= $4"
        " AND at < $5 GROUP BY key ORDER BY sum(total / samples) DESC, key LIMIT $6",
        str(gauge),
        str(kind),
        step,
        start,
        end,
        most,
    )
    return [row[0] for row in rows]


async def months(
    tx: Tx, kind: Kind, key: str, start: int, end: int
) -> list[tuple[int, int, dict[Measure, int]]]:
    """Days, and months of days that were folded: step, at, and every counter."""
    rows = await tx.all(
        f"SELECT step, at, {_COLUMNS} FROM figures WHERE kind = $1 AND key = $2"  # noqa: S608
        " AND step IN ($3, $4) AND at >= $5 AND at < $6 ORDER BY at",
        str(kind),
        key,
        DAY,
        MONTH,
        start,
        end,
    )
    return [(row[0], row[1], dict(zip(_MEASURES, row[2:], strict=True))) for row in rows]


async def totals(tx: Tx, kind: Kind, key: str) -> dict[Measure, int]:
    """Every counter of all time."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM figures WHERE kind = $1 AND key = $2 AND step = $3",  # noqa: S608
        str(kind),
        key,
        EVER,
    )
    return dict(zip(_MEASURES, row or (0,) * len(_MEASURES), strict=True))


async def begun(tx: Tx, kind: Kind, key: str) -> int | None:
    """When the oldest day, or month of folded days, of what figures are of begins."""
    row = await tx.one(
        "SELECT min(at) FROM figures WHERE kind = $1 AND key = $2 AND step IN ($3, $4)",
        str(kind),
        key,
        DAY,
        MONTH,
    )
    return None if row is None or row[0] is None else int(row[0])


async def marks(tx: Tx) -> dict[str, int]:
    """Up to which row each source was counted."""
    return {row[0]: row[1] for row in await tx.all("SELECT source, upto FROM figure_marks")}


async def mark(tx: Tx, source: str, upto: int, at: float) -> None:
    """A source is counted up to this row from now on, if this is committed."""
    await tx.run(
        "INSERT INTO figure_marks (source, upto, at) VALUES ($1, $2, $3)"
        " ON CONFLICT (source) DO UPDATE SET upto = excluded.upto, at = excluded.at",
        source,
        upto,
        at,
    )


async def thin(tx: Tx, step: int, before: int) -> int:
    """Delete the rows of a step that begin before a time; how many."""
    gone = await tx.run("DELETE FROM figures WHERE step = $1 AND at < $2", step, before)
    return gone + await tx.run("DELETE FROM gauges WHERE step = $1 AND at < $2", step, before)


async def oldest(tx: Tx, kind: Kind, step: int, before: int) -> int | None:
    """When the oldest row of a kind and step begins, if it does before a time."""
    row = await tx.one(
        "SELECT min(at) FROM figures WHERE step = $1 AND at < $2 AND kind = $3",
        step,
        before,
        str(kind),
    )
    return None if row is None or row[0] is None else int(row[0])


async def fold(tx: Tx, kind: Kind, start: int, end: int, month: int) -> int:
    """Add the days of a kind from ``start`` to before ``end`` to a month; how many rows."""
    sums = ", ".join(f"sum({each})" for each in _MEASURES)
    await tx.run(
        f"INSERT INTO figures (kind, key, step, at, {_COLUMNS})"  # noqa: S608
        f" SELECT kind, key, {MONTH}, $4, {sums} FROM figures WHERE kind = $1 AND step = {DAY}"
        " AND at >= $2 AND at < $3 GROUP BY kind, key"
        f" ON CONFLICT (kind, step, key, at) DO UPDATE SET {_SUMS}",
        str(kind),
        start,
        end,
        month,
    )
    return await tx.run(
        f"DELETE FROM figures WHERE kind = $1 AND step = {DAY} AND at >= $2 AND at < $3",  # noqa: S608
        str(kind),
        start,
        end,
    )
