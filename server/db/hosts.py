"""Hosts, their numerical classes, and the commands that wait for them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from server.db.base import Row, Tx

_COLUMNS = (
    "hosts.id, hosts.account, accounts.name, hosts.name, hosts.hash, hosts.state, hosts.facts,"
    " hosts.enrolled_at, hosts.seen_at, hosts.agreed_events, hosts.rejected_events,"
    " accounts.role, hosts.country, hosts.next_hash"
)


@dataclass(frozen=True)
class Host:
    """A paired machine; ``facts`` is the JSON of what it says of itself."""

    id: int
    account: int
    account_name: str
    name: str
    hash: bytes
    state: str
    facts: str
    enrolled_at: float
    seen_at: float
    agreed_events: int
    rejected_events: int
    role: str
    country: str
    next_hash: bytes | None = None


@dataclass(frozen=True)
class HostClass:
    """The digest of a manifest's reference events on a host."""

    host: int
    manifest: str
    digest: str
    seconds_per_event: float


@dataclass(frozen=True)
class Order:
    """A command to a host."""

    seq: int
    host: int
    name: str
    args: dict[str, str]


def _host(row: Row) -> Host:
    return Host(*row)


async def add(
    tx: Tx,
    account: int,
    token: int,
    request: str,
    name: str,
    digest: bytes,
    facts: str,
    at: float,
) -> int:
    """A new host's id."""
    row = await tx.one(
        "INSERT INTO hosts (account, request, enrol_token, name, hash, state, facts, enrolled_at,"
        " seen_at) VALUES ($1, $2, $3, $4, $5, 'active', $6, $7, $7) RETURNING id",
        account,
        request,
        token,
        name,
        digest,
        facts,
        at,
    )
    assert row is not None  # noqa: S101  an insert that returns always returns
    return int(row[0])


async def enrolled_by(tx: Tx, token: int, request: str) -> Host | None:
    """The host that this request made of this token before."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM hosts JOIN accounts ON accounts.id = hosts.account"  # noqa: S608
        " WHERE hosts.enrol_token = $1 AND hosts.request = $2",
        token,
        request,
    )
    return None if row is None else _host(row)


async def replace_hash(tx: Tx, host: int, digest: bytes) -> None:
    """Give a host a new secret."""
    await tx.run("UPDATE hosts SET hash = $1, next_hash = NULL WHERE id = $2", digest, host)


async def propose(tx: Tx, host: int, digest: bytes) -> None:
    """A host may use another secret as well, in place of any that was proposed before."""
    await tx.run("UPDATE hosts SET next_hash = $1 WHERE id = $2", digest, host)


async def is_told(tx: Tx, host: int, name: str, at: float) -> bool:
    """Whether a command of this name to a host stands."""
    row = await tx.one(
        "SELECT 1 FROM commands WHERE host = $1 AND name = $2 AND expires_at > $3", host, name, at
    )
    return row is not None


async def is_done(tx: Tx, host: int, name: str, at: float) -> None:
    """What a host was told by commands of this name is done."""
    await tx.run(
        "UPDATE commands SET expires_at = $3 WHERE host = $1 AND name = $2 AND expires_at > $3",
        host,
        name,
        at,
    )


async def take_next(tx: Tx, host: int, digest: bytes) -> bool:
    """This secret, which was proposed to a host, is its only one; False if it was not the last."""
    changed = await tx.run(
        "UPDATE hosts SET hash = next_hash, next_hash = NULL WHERE id = $1 AND next_hash = $2",
        host,
        digest,
    )
    return changed == 1


async def everyone(tx: Tx) -> list[Host]:
    """Every host, by id."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM hosts JOIN accounts ON accounts.id = hosts.account"  # noqa: S608
        " ORDER BY hosts.id"
    )
    return [_host(row) for row in rows]


async def facts_of(tx: Tx, host: int) -> str | None:
    """What a host said of itself, as text."""
    row = await tx.one("SELECT facts FROM hosts WHERE id = $1", host)
    return None if row is None else str(row[0])


def keep_facts(tx: Tx, host: int, facts: str) -> None:
    """What a host says of itself by now."""
    tx.later("UPDATE hosts SET facts = $1 WHERE id = $2", (facts, host))


async def one(tx: Tx, host: int) -> Host | None:
    """One host, believed or not."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM hosts JOIN accounts ON accounts.id = hosts.account"  # noqa: S608
        " WHERE hosts.id = $1",
        host,
    )
    return None if row is None else _host(row)


async def revoke(tx: Tx, host: int) -> bool:
    """Believe a host no longer; False if it was not believed before."""
    changed = await tx.run(
        "UPDATE hosts SET state = 'revoked' WHERE id = $1 AND state = 'active'", host
    )
    return changed == 1


async def seen_since(tx: Tx, at: float) -> list[tuple[int, int]]:
    """The hosts that were heard of since then, believed or not, and their accounts."""
    rows = await tx.all("SELECT id, account FROM hosts WHERE seen_at >= $1", at)
    return [(row[0], row[1]) for row in rows]


def in_country(tx: Tx, host: int, country: str) -> None:
    """A host speaks from this country (two letters)."""
    tx.later("UPDATE hosts SET country = $1 WHERE id = $2", (country, host))


async def forget_countries(tx: Tx) -> int:
    """Nobody is anywhere any more; how many were."""
    return await tx.run("UPDATE hosts SET country = '' WHERE country <> ''")


def saw(tx: Tx, host: int, at: float) -> None:
    """Note when a host was last heard of."""
    tx.later("UPDATE hosts SET seen_at = $1 WHERE id = $2", (at, host))


def tally(tx: Tx, host: int, agreed: int, rejected: int) -> None:
    """Add to the events of a host that were agreed with and that were rejected."""
    tx.later(
        "UPDATE hosts SET agreed_events = agreed_events + $1,"
        " rejected_events = rejected_events + $2 WHERE id = $3",
        (agreed, rejected, host),
    )


async def set_class(
    tx: Tx, host: int, manifest: str, digest: str, seconds_per_event: float, at: float
) -> None:
    """Keep the class of a host for a manifest."""
    await tx.run(
        "INSERT INTO classes (host, manifest, digest, seconds_per_event, reported_at)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (host, manifest) DO UPDATE"
        " SET digest = $3, seconds_per_event = $4, reported_at = $5",
        host,
        manifest,
        digest,
        seconds_per_event,
        at,
    )


async def all_classes(tx: Tx) -> list[HostClass]:
    """Every class of every host."""
    rows = await tx.all("SELECT host, manifest, digest, seconds_per_event FROM classes")
    return [HostClass(*row) for row in rows]


def order(tx: Tx, order: Order, by: str, at: float, expires_at: float) -> None:
    """Leave a command for a host."""
    tx.later(
        "INSERT INTO commands (seq, host, name, args, issued_by, issued_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        (order.seq, order.host, order.name, json.dumps(order.args), by, at, expires_at),
    )


async def live_orders(tx: Tx, at: float) -> list[Order]:
    """The commands to single hosts that have not expired, oldest first."""
    rows = await tx.all(
        "SELECT seq, host, name, args FROM commands WHERE expires_at > $1 AND scope = 'host'"
        " ORDER BY seq",
        at,
    )
    return [Order(row[0], row[1], row[2], json.loads(row[3])) for row in rows]
