"""The boards on which the machines of a cluster find each other; see `server.services.clusters`."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Row, Tx


@dataclass(frozen=True)
class Cluster:
    """A board. ``pin`` is a digest, ``closed`` what it is a digest of, encrypted."""

    pin: bytes
    account: int
    closed: bytes
    note: str
    created_at: float
    expires_at: float


@dataclass(frozen=True)
class Entry:
    """A value on a board."""

    key: str
    value: str


def _cluster(row: Row) -> Cluster:
    pin, account, closed, *rest = row
    return Cluster(bytes(pin), account, bytes(closed or b""), *rest)


async def add(tx: Tx, made: Cluster) -> bool:
    """A new board; False if there is one of this PIN."""
    changed = await tx.run(
        "INSERT INTO clusters (pin, account, hint, closed, note, created_at, expires_at)"
        " VALUES ($1, $2, '', $3, $4, $5, $6) ON CONFLICT (pin) DO NOTHING",
        made.pin,
        made.account,
        made.closed,
        made.note,
        made.created_at,
        made.expires_at,
    )
    return changed == 1


async def found(tx: Tx, pin: bytes, now: float) -> Cluster | None:
    """The board of this PIN, unless its time is over."""
    row = await tx.one(
        "SELECT pin, account, closed, note, created_at, expires_at FROM clusters"
        " WHERE pin = $1 AND expires_at > $2",
        pin,
        now,
    )
    return None if row is None else _cluster(row)


async def of_account(tx: Tx, account: int, now: float) -> list[Cluster]:
    """The boards of an account, newest first."""
    rows = await tx.all(
        "SELECT pin, account, closed, note, created_at, expires_at FROM clusters"
        " WHERE account = $1 AND expires_at > $2 ORDER BY created_at DESC, pin",
        account,
        now,
    )
    return [_cluster(row) for row in rows]


async def remove(tx: Tx, pin: bytes) -> None:
    """Take a board away with all that is on it."""
    await tx.run("DELETE FROM cluster_values WHERE pin = $1", pin)
    await tx.run("DELETE FROM clusters WHERE pin = $1", pin)


async def purge(tx: Tx, now: float) -> None:
    """Forget boards whose time is over."""
    for (pin,) in await tx.all("SELECT pin FROM clusters WHERE expires_at <= $1", now):
        await remove(tx, bytes(pin))


async def entries(tx: Tx, pin: bytes) -> list[Entry]:
    """What is on a board, by key."""
    rows = await tx.all("SELECT name, value FROM cluster_values WHERE pin = $1 ORDER BY name", pin)
    return [Entry(*row) for row in rows]


async def entry(tx: Tx, pin: bytes, key: str) -> Entry | None:
    """One value."""
    row = await tx.one(
        "SELECT name, value FROM cluster_values WHERE pin = $1 AND name = $2", pin, key
    )
    return None if row is None else Entry(*row)


async def put(tx: Tx, pin: bytes, entry: Entry, at: float) -> None:
    """Write a value, over another of its key."""
    await tx.run(
        "INSERT INTO cluster_values (pin, name, value, changed_at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (pin, name) DO UPDATE SET value = excluded.value,"
        " changed_at = excluded.changed_at",
        pin,
        entry.key,
        entry.value,
        at,
    )


async def drop(tx: Tx, pin: bytes, key: str) -> bool:
    """Take a value away; whether there was one."""
    gone = await tx.run("DELETE FROM cluster_values WHERE pin = $1 AND name = $2", pin, key)
    return gone == 1
