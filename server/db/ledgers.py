"""The ledgers that figures are counted from, row by row in the order of their ids.

One server writes a database at a time, on one connection, so what is committed of a table is always
a beginning of its ids: who has counted up to the highest one has missed none below it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from server.db import figures
from server.db.base import Row, Tx
from server.domain import counted
from server.domain.counted import Fact, Whose
from server.domain.split import unit_range
from server.domain.task import TaskState

_PLACE = "coalesce(s.name, ''), coalesce(s.kind, ''), coalesce(h.country, ''), coalesce(a.role, '')"
_PLACED = (
    " LEFT JOIN hosts h ON h.id = t.host LEFT JOIN sites s ON s.id = h.site"
    " LEFT JOIN accounts a ON a.id = t.account"
)
_OVER = frozenset(str(state) for state in TaskState) - {"ready", "leased", "withdrawn"}


FRAMES = "frames"


class Chunk(NamedTuple):
    """Facts of a source, the id of its last row, 0 if there was none, and how many rows."""

    facts: list[Fact]
    last: int
    rows: int


def _chunk(rows: list[Row], facts: Iterable[Fact | None]) -> Chunk:
    found = [fact for fact in facts if fact is not None]
    return Chunk(found, rows[-1][0] if rows else 0, len(rows))


async def moves(tx: Tx, after: int, most: int) -> Chunk:
    """Leases, ends of tasks and units that were settled."""
    rows = await tx.all(
        "SELECT m.id, m.at, m.machine, m.source, m.target, m.production, m.subject, t.host,"  # noqa: S608
        f" t.account, {_PLACE}, t.last - t.first, t.held, t.done, t.cpu_s,"
        " t.leased_at, t.ended_at,"
        " p.unit, p.events, CASE WHEN m.machine = 'unit' AND m.target = 'settled' THEN"
        " (SELECT sum(x.last - x.first) FROM set_aside x"
        " WHERE x.production = m.production AND x.unit = m.subject) END"
        " FROM moves m LEFT JOIN tasks t ON m.machine = 'task' AND t.id = m.subject"
        f" LEFT JOIN productions p ON m.machine = 'unit' AND p.id = m.production{_PLACED}"
        " WHERE m.id > $1 ORDER BY m.id LIMIT $2",
        after,
        most,
    )
    return _chunk(rows, map(_of_move, rows))


def _of_move(row: Row) -> Fact | None:
    _, at, machine, source, target, production, subject, host, account, *rest = row
    *place, events, held, done, cpu_s, leased_at, ended_at, unit, whole, aside = rest
    if machine == "unit" and target == "settled":
        first, last = unit_range(subject, unit, whole)
        return Fact(Whose(production), at, counted.of_unit(first, last, int(aside or 0)))
    if machine != "task":
        return None
    whose = Whose(production, host or 0, account or 0, *place)
    if source == "ready" and target == "leased":
        return Fact(whose, at, counted.of_lease())
    if source == "leased" and target in _OVER:
        wall_s = (ended_at or at) - (leased_at or at)
        end = counted.of_end(
            TaskState(target), events or 0, held or 0, done or 0, cpu_s or 0.0, wall_s
        )
        return Fact(whose, at, end)
    return None


async def credits(tx: Tx, after: int, most: int) -> Chunk:
    """Events that were booked, with what they are worth."""
    rows = await tx.all(
        f"SELECT t.id, t.at, t.production, t.host, t.account, {_PLACE}, t.last - t.first,"  # noqa: S608
        " coalesce(b.micros, 0) FROM credits t LEFT JOIN bookings b"
        f" ON b.task = t.task AND b.first = t.first AND b.side = 'host'{_PLACED}"
        " WHERE t.id > $1 ORDER BY t.id LIMIT $2",
        after,
        most,
    )
    return _chunk(
        rows, (Fact(Whose(*row[2:9]), row[1], counted.of_credit(*row[9:])) for row in rows)
    )


async def rejections(tx: Tx, after: int, most: int) -> Chunk:
    """Events that disagree with what was settled."""
    rows = await tx.all(
        f"SELECT r.id, r.at, r.production, r.host, t.account, {_PLACE}, r.last - r.first"  # noqa: S608
        f" FROM rejections r LEFT JOIN tasks t ON t.id = r.task{_PLACED}"
        " WHERE r.id > $1 ORDER BY r.id LIMIT $2",
        after,
        most,
    )
    return _chunk(rows, map(_of_rejection, rows))


def _of_rejection(row: Row) -> Fact:
    _, at, production, host, account, *place, events = row
    return Fact(Whose(production, host, account or 0, *place), at, counted.of_rejection(events))


async def corrections(tx: Tx, after: int, most: int) -> Chunk:
    """Credit that was taken back, or given back."""
    rows = await tx.all(
        f"SELECT t.id, t.at, t.production, t.host, t.account, {_PLACE}, t.micros"  # noqa: S608
        f" FROM corrections t{_PLACED} WHERE t.id > $1 ORDER BY t.id LIMIT $2",
        after,
        most,
    )
    return _chunk(
        rows, (Fact(Whose(*row[2:9]), row[1], counted.of_correction(row[9])) for row in rows)
    )


_FRAMES = (
    f"SELECT t.id, t.received_at, t.production, t.host, t.account, {_PLACE}, t.last - t.first,"  # noqa: S608
    f" t.length FROM frames t{_PLACED}"
)


def _of_frames(rows: list[Row]) -> Chunk:
    return _chunk(
        rows, (Fact(Whose(*row[2:9]), row[1], counted.of_frame(*row[9:])) for row in rows)
    )


async def frames(tx: Tx, after: int, most: int) -> Chunk:
    """Frames that came and were not forgotten yet."""
    sql = f"{_FRAMES} WHERE t.id > $1 ORDER BY t.id LIMIT $2"
    return _of_frames(await tx.all(sql, after, most))


Read = Callable[[Tx, int, int], Awaitable[Chunk]]
SOURCES: dict[str, Read] = {
    "moves": moves,
    "credits": credits,
    "corrections": corrections,
    "rejections": rejections,
    FRAMES: frames,
}


async def forget_frames(tx: Tx, where: str, *args: int) -> int:
    """Delete frames, those not counted yet counted before; how many are deleted.

    ``where`` is a condition on ``frames`` whose parameters begin with ``$2``. SQLite gives ids
    again that were deleted at the end of the table, so the mark goes back to what is left.
    """
    upto = (await figures.marks(tx)).get(FRAMES, 0)
    left = _of_frames(await tx.all(f"{_FRAMES} WHERE t.id > $1 AND {where}", upto, *args))
    await figures.add(tx, counted.tallied(left.facts, 0.0).rows)
    return await _delete_frames(tx, upto, where, *args)


async def lose_frames(tx: Tx, where: str, *args: int) -> int:
    """Delete frames whose bytes are gone, with what they counted: they are to come once more.

    As `forget_frames` otherwise.
    """
    upto = (await figures.marks(tx)).get(FRAMES, 0)
    gone = _of_frames(await tx.all(f"{_FRAMES} WHERE t.id <= $1 AND {where}", upto, *args))
    back = (Fact(whose, at, counted.taken_back(facts)) for whose, at, facts in gone.facts)
    await figures.add(tx, counted.tallied(back, 0.0).rows)
    return await _delete_frames(tx, upto, where, *args)


async def _delete_frames(tx: Tx, upto: int, where: str, *args: int) -> int:
    # The first parameter is there so that the others keep their numbers.
    gone = await tx.run(
        f"DELETE FROM frames WHERE CAST($1 AS BIGINT) >= 0 AND {where}",  # noqa: S608
        upto,
        *args,
    )
    if gone:
        await tx.run(
            "UPDATE figure_marks SET upto = (SELECT coalesce(max(id), 0) FROM frames)"
            " WHERE source = $1 AND upto > (SELECT coalesce(max(id), 0) FROM frames)",
            FRAMES,
        )
    return gone
