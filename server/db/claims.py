"""Machines that ask for an owner: with a PIN, right or wrong, or with a code of their own."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Row, Tx
from server.domain.pairing import MINUTE_S, WINDOW_S, Tries

_COLUMNS = (
    "id, handle, way, pairing, nonce, commitment, uuid, said, address, network, at, expires_at"
)


@dataclass(frozen=True)
class Claim:
    """One request; without a ``pairing`` its PIN was wrong, or nobody has typed its code yet."""

    id: int
    handle: str
    way: str
    pairing: int | None
    nonce: str
    commitment: str
    uuid: str
    said: str
    address: str
    network: str
    at: float
    expires_at: float


@dataclass(frozen=True)
class NewClaim:
    """A request as it comes; ``poll`` and ``code`` are digests."""

    handle: str
    way: str
    nonce: str
    commitment: str
    poll: bytes
    code: bytes | None
    uuid: str
    said: str
    address: str
    network: str
    at: float
    expires_at: float


async def add(tx: Tx, new: NewClaim, pairing: int | None) -> int:
    """A new request's id."""
    row = await tx.one(
        "INSERT INTO claims (handle, way, pairing, nonce, commitment, poll, code, uuid, said,"
        " address, network, at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id",
        new.handle, new.way, pairing, new.nonce, new.commitment, new.poll, new.code, new.uuid,
        new.said, new.address, new.network, new.at, new.expires_at,
    )  # fmt: skip
    assert row is not None  # noqa: S101  an insert that returns always returns
    return int(row[0])


async def _one(tx: Tx, where: str, *args: object) -> Claim | None:
    row: Row | None = await tx.one(
        f"SELECT {_COLUMNS} FROM claims WHERE {where}",  # noqa: S608
        *args,
    )
    return None if row is None else Claim(*row)


async def same(tx: Tx, nonce: str, commitment: str) -> Claim | None:
    """The request that is sent again."""
    return await _one(tx, "nonce = $1 AND commitment = $2", nonce, commitment)


async def polled(tx: Tx, poll: bytes) -> Claim | None:
    """The request of this poll token."""
    return await _one(tx, "poll = $1", poll)


async def of_code(tx: Tx, code: bytes, now: float) -> Claim | None:
    """The machine that shows this code, if nobody has typed it yet."""
    return await _one(tx, "code = $1 AND pairing IS NULL AND expires_at > $2", code, now)


async def numbered(tx: Tx, number: int) -> Claim | None:
    """A request by its number."""
    return await _one(tx, "id = $1", number)


async def of_pairing(tx: Tx, pairing: int) -> list[Claim]:
    """The machines that wait for one owner, in the order in which they came."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM claims WHERE pairing = $1 ORDER BY id",  # noqa: S608
        pairing,
    )
    return [Claim(*row) for row in rows]


async def bind(tx: Tx, claim: int, pairing: int) -> bool:
    """The code of a machine was typed; False if somebody else was quicker."""
    changed = await tx.run(
        "UPDATE claims SET pairing = $1 WHERE id = $2 AND pairing IS NULL", pairing, claim
    )
    return changed == 1


async def tries(tx: Tx, address: str, network: str, now: float) -> Tries:
    """Who said PINs of late. One that its owner has not confirmed counts as if it were wrong.

    Else who guesses would see by the bound which of his guesses was right.
    """
    row = await tx.one(
        "SELECT coalesce(sum(CASE WHEN c.address = $1 THEN 1 ELSE 0 END), 0), count(*),"
        " coalesce(min(CASE WHEN c.address = $1 THEN c.at END), 0), coalesce(min(c.at), 0)"
        " FROM claims c LEFT JOIN pairings p ON p.id = c.pairing"
        " WHERE c.way = 'pin' AND c.network = $2 AND c.at > $3"
        " AND (p.claim IS NULL OR p.claim <> c.id)",
        address,
        network,
        now - WINDOW_S,
    )
    many = await tx.one(
        "SELECT count(*) FROM claims WHERE way = 'pin' AND pairing IS NULL AND at > $1",
        now - MINUTE_S,
    )
    locked = await tx.one("SELECT coalesce(max(until), 0) FROM pin_lock")
    assert row is not None and many is not None and locked is not None  # noqa: S101, PT018
    return Tries(row[0], row[1], many[0], row[2] or row[3], locked[0])


async def codes_since(tx: Tx, network: str, since: float) -> tuple[int, int, float]:
    """How many codes machines of a network, and of all, asked for since; when its first did."""
    row = await tx.one(
        "SELECT coalesce(sum(CASE WHEN network = $1 THEN 1 ELSE 0 END), 0), count(*),"
        " coalesce(min(CASE WHEN network = $1 THEN at END), 0) FROM claims"
        " WHERE way = 'code' AND at > $2",
        network,
        since,
    )
    assert row is not None  # noqa: S101  an aggregate always has a row
    return row[0], row[1], row[2]
