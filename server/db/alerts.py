"""Alerts, what was said of them, and the moves of each."""

from __future__ import annotations

from collections.abc import Sequence

from server.db import moves
from server.db.base import Row, Tx, dollars
from server.domain.alert import Alert, AlertState, Level, Sign
from server.domain.telling import Said, Word

_SIGN = "kind, subject, level, cause, cure, href"
_REST = "state, first_at, since, last_at, count, over_at, acked_by, acked_at, muted_until, muted_by"
_COLUMNS = f"{_SIGN}, {_REST}"
_PLACES = dollars(16)
_ADD = f"INSERT INTO alerts ({_COLUMNS}) VALUES ({_PLACES}) RETURNING id"  # noqa: S608
_SAVE = (
    "UPDATE alerts SET level = $2, cause = $3, cure = $4, href = $5, state = $6, since = $7,"
    " last_at = $8, count = $9, over_at = $10, acked_by = $11, acked_at = $12, muted_until = $13,"
    " muted_by = $14 WHERE id = $1"
)
_SAID = (
    "INSERT INTO alerts_told (alert, channel, word, level, at) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (alert, channel) DO UPDATE SET word = excluded.word, level = excluded.level,"
    " at = excluded.at"
)


def _alert(row: Row) -> Alert:
    number, kind, subject, level, cause, cure, href, state, *rest = row
    sign = Sign(kind, subject, Level(level), cause, cure, href)
    return Alert(number, sign, AlertState(state), *rest)


async def add(tx: Tx, alert: Alert) -> int:
    """A new alert; its number."""
    sign = alert.sign
    row = await tx.one(
        _ADD, sign.kind, sign.subject, str(sign.level), sign.cause, sign.cure, sign.href,
        str(alert.state), alert.first_at, alert.since, alert.last_at, alert.count, alert.over_at,
        alert.acked_by, alert.acked_at, alert.muted_until, alert.muted_by,
    )  # fmt: skip
    assert row is not None  # noqa: S101  RETURNING returns what was inserted
    number = int(row[0])
    moves.log(tx, None, "alert", number, "", str(alert.state), sign.cause, alert.first_at)
    return number


async def save(tx: Tx, alert: Alert) -> None:
    """An alert as it is now."""
    sign = alert.sign
    await tx.run(
        _SAVE, alert.id, str(sign.level), sign.cause, sign.cure, sign.href, str(alert.state),
        alert.since, alert.last_at, alert.count, alert.over_at, alert.acked_by, alert.acked_at,
        alert.muted_until, alert.muted_by,
    )  # fmt: skip


def moved(tx: Tx, before: Alert, after: Alert, cause: str, at: float) -> None:
    """Log the step of an alert."""
    moves.log(tx, None, "alert", after.id, str(before.state), str(after.state), cause, at)


async def one(tx: Tx, number: int) -> Alert | None:
    """One alert."""
    row = await tx.one(f"SELECT id, {_COLUMNS} FROM alerts WHERE id = $1", number)  # noqa: S608
    return None if row is None else _alert(row)


async def recent(tx: Tx, after: float) -> list[Alert]:
    """Those that stand, and those that were seen after a time; oldest first."""
    rows = await tx.all(
        f"SELECT id, {_COLUMNS} FROM alerts WHERE state <> 'over' OR last_at > $1"  # noqa: S608
        " ORDER BY id",
        after,
    )
    return [_alert(row) for row in rows]


async def past(tx: Tx, before: int, most: int) -> list[Alert]:
    """Those that are over, newest first, of numbers below ``before``."""
    rows = await tx.all(
        f"SELECT id, {_COLUMNS} FROM alerts WHERE state = 'over'"  # noqa: S608
        " AND id < $1 ORDER BY id DESC LIMIT $2",
        before,
        most,
    )
    return [_alert(row) for row in rows]


async def forget(tx: Tx, before: float) -> int:
    """Delete those that were over before a time, and what was said of them."""
    gone = "SELECT id FROM alerts WHERE state = 'over' AND last_at < $1"
    await tx.run(f"DELETE FROM alerts_told WHERE alert IN ({gone})", before)  # noqa: S608
    return await tx.run("DELETE FROM alerts WHERE state = 'over' AND last_at < $1", before)


async def said(tx: Tx, channel: str, alerts: Sequence[int]) -> dict[int, Said]:
    """What was said last of these alerts."""
    if not alerts:
        return {}
    rows = await tx.all(
        "SELECT alert, word, level, at FROM alerts_told WHERE channel = $1 AND alert >= $2",
        channel,
        min(alerts),
    )
    return {row[0]: Said(Word(row[1]), Level(row[2]), row[3]) for row in rows}


async def say(tx: Tx, channel: str, told: Sequence[tuple[int, Said]]) -> None:
    """This was said, and has arrived."""
    await tx.many(
        _SAID, [(alert, channel, str(one.word), str(one.level), one.at) for alert, one in told]
    )


async def steps(tx: Tx, number: int, most: int) -> list[moves.Move]:
    """The latest steps of an alert, newest first."""
    rows = await tx.all(
        "SELECT at, machine, subject, source, target, cause FROM moves"
        " WHERE machine = 'alert' AND subject = $1 ORDER BY id DESC LIMIT $2",
        number,
        most,
    )
    return [moves.Move(*row) for row in rows]
