"""What became of hosts' events, what people say of hosts, and what was taken on trust alone."""

from __future__ import annotations

import json
from dataclasses import dataclass

from server.db.base import Tx
from server.domain.trust import History, Standing


@dataclass(frozen=True)
class Word:
    """What a person says of a host."""

    host: int
    word: Standing
    by: str
    reason: str
    at: float


@dataclass(frozen=True)
class OnTrust:
    """Events of a production: taken on one host's word, of these doubtful since, and checked."""

    taken: int = 0
    doubtful: int = 0
    checked: int = 0


async def key(tx: Tx, fresh: str) -> str:
    """The key of the checks, in hex; this one if there was none."""
    await tx.run(
        "INSERT INTO trust_key (id, value) VALUES (1, $1) ON CONFLICT (id) DO NOTHING", fresh
    )
    row = await tx.one("SELECT value FROM trust_key WHERE id = 1")
    return fresh if row is None else str(row[0])


async def everything(tx: Tx) -> list[tuple[int, str, History]]:
    """Every history: host, payload, what became of its events."""
    rows = await tx.all("SELECT host, payload, agreed, vouchers, at, caught, caught_at FROM trust")
    return [
        (row[0], row[1], History(row[2], tuple(json.loads(row[3])), row[4], row[5], row[6]))
        for row in rows
    ]


async def words(tx: Tx) -> list[Word]:
    """What people say of hosts."""
    rows = await tx.all("SELECT host, word, said_by, reason, at FROM trust_words")
    return [Word(row[0], Standing(row[1]), row[2], row[3], row[4]) for row in rows]


def save(tx: Tx, host: int, payload: str, found: History) -> None:
    """Keep a history in place of the one before."""
    tx.later(
        "INSERT INTO trust (host, payload, agreed, vouchers, at, caught, caught_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (host, payload) DO UPDATE"
        " SET agreed = $3, vouchers = $4, at = $5, caught = $6, caught_at = $7",
        (
            host,
            payload,
            found.agreed,
            json.dumps(found.vouchers),
            found.at,
            found.caught,
            found.caught_at,
        ),
    )


async def forget(tx: Tx, host: int) -> None:
    """Forget what became of a host's events."""
    await tx.run("DELETE FROM trust WHERE host = $1", host)


async def say(tx: Tx, word: Word) -> None:
    """Keep what a person says of a host, in place of what was said before."""
    await tx.run(
        "INSERT INTO trust_words (host, word, said_by, reason, at) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (host) DO UPDATE SET word = $2, said_by = $3, reason = $4, at = $5",
        word.host,
        str(word.word),
        word.by,
        word.reason,
        word.at,
    )


async def unsay(tx: Tx, host: int) -> None:
    """Nobody says anything of a host any more."""
    await tx.run("DELETE FROM trust_words WHERE host = $1", host)


def take(tx: Tx, production: int, unit: int, first: int, last: int, host: int, at: float) -> None:
    """These events were taken on the word of one host."""
    tx.later(
        "INSERT INTO taken_on_trust (production, unit, first, last, host, at)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (production, unit, first) DO NOTHING",
        (production, unit, first, last, host, at),
    )


async def doubt(tx: Tx, host: int, payload: str | None, at: float) -> int:
    """What was taken on the word of a host, of one payload or any, is doubtful; how many rows."""
    return await tx.run(
        "UPDATE taken_on_trust SET doubtful_at = $1 WHERE host = $2 AND doubtful_at IS NULL"
        " AND production IN (SELECT id FROM productions WHERE payload = coalesce($3, payload))",
        at,
        host,
        payload,
    )


async def clear(tx: Tx, host: int) -> int:
    """What was taken on the word of a host is doubtful no longer; how many rows."""
    return await tx.run(
        "UPDATE taken_on_trust SET doubtful_at = NULL WHERE host = $1 AND doubtful_at IS NOT NULL",
        host,
    )


def check(tx: Tx, production: int, events: int) -> None:
    """So many events of trusted hosts were checked by another."""
    tx.later(
        "INSERT INTO trust_checks (production, events) VALUES ($1, $2)"
        " ON CONFLICT (production) DO UPDATE SET events = trust_checks.events + $2",
        (production, events),
    )


async def on_trust(tx: Tx, production: int) -> OnTrust:
    """How many events of a production were taken on trust, are doubtful, were checked."""
    row = await tx.one(
        "SELECT coalesce(sum(last - first), 0),"
        " coalesce(sum(CASE WHEN doubtful_at IS NULL THEN 0 ELSE last - first END), 0)"
        " FROM taken_on_trust WHERE production = $1",
        production,
    )
    checks = await tx.one("SELECT events FROM trust_checks WHERE production = $1", production)
    taken, doubtful = (0, 0) if row is None else (int(row[0]), int(row[1]))
    return OnTrust(taken, doubtful, 0 if checks is None else int(checks[0]))


async def by_host(tx: Tx, host: int) -> tuple[int, int]:
    """How many events were taken on a host's word, and how many of these are doubtful."""
    row = await tx.one(
        "SELECT coalesce(sum(last - first), 0),"
        " coalesce(sum(CASE WHEN doubtful_at IS NULL THEN 0 ELSE last - first END), 0)"
        " FROM taken_on_trust WHERE host = $1",
        host,
    )
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


async def units_with(tx: Tx, host: int) -> list[tuple[int, int]]:
    """The units of which there are frames of a host: production and number."""
    rows = await tx.all("SELECT DISTINCT production, unit FROM frames WHERE host = $1", host)
    return [(row[0], row[1]) for row in rows]
