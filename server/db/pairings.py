"""Pairings: what an owner began, and every step of it; see `server.db.claims` for the machines."""

from __future__ import annotations

from dataclasses import dataclass

from server.db import moves
from server.db.base import Row, Tx
from server.domain.errors import Overtaken
from server.domain.pairing import LIVE, MOVES, PairState

_COLUMNS = (
    "id, handle, account, way, draw, state, context, revision, site, name, network, created_at,"
    " expires_at, changes, failed, alarms, machines, claim, token, host"
)
_LIVE = ", ".join(f"'{state}'" for state in sorted(LIVE))


@dataclass(frozen=True)
class Pairing:
    """One row; ``handle`` is its random id, ``claim`` the machine that was picked."""

    id: int
    handle: str
    account: int
    way: str
    draw: int
    state: PairState
    context: str
    revision: int
    site: str
    name: str
    network: str
    created_at: float
    expires_at: float
    changes: int
    failed: int
    alarms: int
    machines: int
    claim: int | None
    token: int | None
    host: int | None


@dataclass(frozen=True)
class NewPairing:
    """What an owner begins."""

    handle: str
    account: int
    way: str
    context: str
    revision: int
    site: str
    name: str
    network: str
    created_at: float
    expires_at: float


def _pairing(row: Row) -> Pairing:
    number, handle, account, way, draw, state, *rest = row
    return Pairing(number, handle, account, way, draw, PairState(state), *rest)


async def add(tx: Tx, new: NewPairing, state: PairState, pin: bytes | None, draw: int) -> int:
    """A new pairing's id; 0 if another that lives has the same PIN."""
    row = await tx.one(
        "INSERT INTO pairings (handle, account, way, pin, draw, state, context, revision, site,"
        " name, network, created_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        " ON CONFLICT (pin) WHERE state IN ('waiting', 'claimed') DO NOTHING RETURNING id",
        new.handle, new.account, new.way, pin, draw, str(state), new.context, new.revision,
        new.site, new.name, new.network, new.created_at, new.expires_at,
    )  # fmt: skip
    return 0 if row is None else int(row[0])


async def hold(tx: Tx, account: int) -> None:
    """Let nobody else begin a pairing of this account until this transaction is over."""
    await tx.run("UPDATE accounts SET role = role WHERE id = $1", account)


async def live(tx: Tx, account: int, now: float) -> list[Pairing]:
    """The pairings of an account that are not over, newest first."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM pairings WHERE account = $1 AND state IN ({_LIVE})"  # noqa: S608
        " AND expires_at > $2 ORDER BY id DESC",
        account,
        now,
    )
    return [_pairing(row) for row in rows]


async def latest(tx: Tx, account: int, most: int) -> list[Pairing]:
    """The last pairings of an account, newest first."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM pairings WHERE account = $1 ORDER BY id DESC LIMIT $2",  # noqa: S608
        account,
        most,
    )
    return [_pairing(row) for row in rows]


async def owned(tx: Tx, handle: str, account: int) -> Pairing | None:
    """A pairing by its random id, if it is of this account."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM pairings WHERE handle = $1 AND account = $2",  # noqa: S608
        handle,
        account,
    )
    return None if row is None else _pairing(row)


async def numbered(tx: Tx, number: int) -> Pairing | None:
    """A pairing by its number."""
    row = await tx.one(f"SELECT {_COLUMNS} FROM pairings WHERE id = $1", number)  # noqa: S608
    return None if row is None else _pairing(row)


async def of_pin(tx: Tx, pin: bytes, now: float, most: int) -> Pairing | None:
    """The pairing that this PIN opens now, if fewer than ``most`` machines have said it."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM pairings WHERE pin = $1"  # noqa: S608
        " AND state IN ('waiting', 'claimed') AND expires_at > $2 AND machines < $3",
        pin,
        now,
        most,
    )
    return None if row is None else _pairing(row)


async def of_host(tx: Tx, host: int) -> Pairing | None:
    """The pairing that a host came of."""
    row = await tx.one(f"SELECT {_COLUMNS} FROM pairings WHERE host = $1", host)  # noqa: S608
    return None if row is None else _pairing(row)


async def move(
    tx: Tx,
    found: Pairing,
    cause: str,
    at: float,
    *,
    expires_at: float | None = None,
    machines: int = 0,
    claim: int | None = None,
    token: int | None = None,
    host: int | None = None,
) -> None:
    """Move a pairing on, and keep what came with it. Raises IllegalMove, Overtaken."""
    after = MOVES.after(found.state, cause)
    changed = await tx.run(
        "UPDATE pairings SET state = $1, expires_at = coalesce($2, expires_at),"
        " machines = machines + $3, claim = coalesce($4, claim), token = coalesce($5, token),"
        " host = coalesce($6, host), changes = changes + 1"
        " WHERE id = $7 AND state = $8 AND machines = $9",
        str(after), expires_at, machines, claim, token, host,
        found.id, str(found.state), found.machines,
    )  # fmt: skip
    if changed != 1:
        raise Overtaken("pairing", found.handle)
    moves.log(tx, None, "pairing", found.id, str(found.state), str(after), cause, at)


async def miss(tx: Tx, network: str, now: float) -> None:
    """A wrong PIN came from this network: who waits for one there is told so."""
    await tx.run(
        "UPDATE pairings SET failed = failed + 1, changes = changes + 1 WHERE network = $1"
        " AND state = 'waiting' AND expires_at > $2",
        network,
        now,
    )


async def alarm(tx: Tx, number: int) -> None:
    """Somebody tried to collect what is not his."""
    await tx.run(
        "UPDATE pairings SET alarms = alarms + 1, changes = changes + 1 WHERE id = $1", number
    )


async def waiting(tx: Tx) -> list[Pairing]:
    """Every pairing whose PIN is shown and not said yet."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM pairings WHERE state = 'waiting'"  # noqa: S608
    )
    return [_pairing(row) for row in rows]


async def overdue(tx: Tx, now: float, most: int) -> list[Pairing]:
    """Pairings whose time is over, though they do not say so yet."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM pairings WHERE state IN ({_LIVE}) AND expires_at <= $1"  # noqa: S608
        " ORDER BY expires_at LIMIT $2",
        now,
        most,
    )
    return [_pairing(row) for row in rows]


async def locked_until(tx: Tx) -> float:
    """Until when no PIN is taken; 0 if it never was so."""
    row = await tx.one("SELECT until FROM pin_lock WHERE id = 1")
    return 0.0 if row is None else float(row[0])


async def lock(tx: Tx, until: float) -> None:
    """Take no PIN until then."""
    await tx.run(
        "INSERT INTO pin_lock (id, until) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET until = $1",
        until,
    )


async def wrong_codes(tx: Tx, account: int, since: float) -> list[float]:
    """When an account typed codes that were none, oldest first."""
    rows = await tx.all(
        "SELECT at FROM wrong_codes WHERE account = $1 AND at > $2 ORDER BY at", account, since
    )
    return [row[0] for row in rows]


async def wrong_code(tx: Tx, account: int, at: float) -> None:
    """An account typed a code that is none."""
    await tx.run("INSERT INTO wrong_codes (account, at) VALUES ($1, $2)", account, at)


async def begun(tx: Tx, account: int, since: float) -> tuple[int, float]:
    """How many pairings an account began since then, and when the first."""
    row = await tx.one(
        "SELECT count(*), coalesce(min(created_at), 0) FROM pairings"
        " WHERE account = $1 AND created_at > $2",
        account,
        since,
    )
    assert row is not None  # noqa: S101  an aggregate always has a row
    return row[0], row[1]


async def forget(tx: Tx, at: float, tries_before: float, pairings_before: float) -> None:
    """Forget wrong tries that no bound looks at any more, and old pairings without a host."""
    await tx.run(
        "DELETE FROM claims WHERE pairing IS NULL AND at < $1 AND expires_at < $2",
        tries_before,
        at,
    )
    await tx.run("DELETE FROM wrong_codes WHERE at < $1", tries_before)
    await tx.run(
        "DELETE FROM claims WHERE pairing IN (SELECT id FROM pairings WHERE host IS NULL"
        " AND expires_at < $1)",
        pairings_before,
    )
    await tx.run("DELETE FROM pairings WHERE host IS NULL AND expires_at < $1", pairings_before)
