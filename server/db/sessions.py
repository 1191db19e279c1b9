"""Sessions of browsers; of a session's secret only its SHA-256 is kept."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx


@dataclass(frozen=True)
class Session:
    """A browser that shows who it is; times in s since 1970."""

    id: int
    account: int
    account_name: str
    role: str
    account_state: str
    state: str
    how: str
    created_at: float
    seen_at: float
    ends_at: float
    address: str
    agent: str
    revoked_at: float | None


_SELECT = (
    "SELECT sessions.id, sessions.account, accounts.name, accounts.role, accounts.state,"
    " sessions.state, how, sessions.created_at, seen_at, ends_at, address, agent, revoked_at"
    " FROM sessions JOIN accounts ON accounts.id = sessions.account"
)


async def add(
    tx: Tx,
    account: int,
    digest: bytes,
    state: str,
    how: str,
    at: float,
    ends_at: float,
    address: str,
    agent: str,
) -> int:
    """Store a session by its digest; its id."""
    row = await tx.one(
        "INSERT INTO sessions"
        " (account, hash, state, how, created_at, seen_at, ends_at, address, agent)"
        " VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8) RETURNING id",
        account,
        digest,
        state,
        how,
        at,
        ends_at,
        address,
        agent,
    )
    assert row is not None  # noqa: S101  an insert that returns always returns
    return int(row[0])


async def of_digest(tx: Tx, digest: bytes) -> Session | None:
    """The session with this digest, whatever became of it."""
    row = await tx.one(f"{_SELECT} WHERE sessions.hash = $1", digest)
    return None if row is None else Session(*row)


async def of_account(tx: Tx, account: int, seen_since: float, now: float) -> list[Session]:
    """The open sessions of an account, last seen first."""
    rows = await tx.all(
        f"{_SELECT} WHERE sessions.account = $1 AND sessions.state = 'open'"
        " AND revoked_at IS NULL AND seen_at > $2 AND ends_at > $3"
        " ORDER BY seen_at DESC, sessions.id DESC",
        account,
        seen_since,
        now,
    )
    return [Session(*row) for row in rows]


async def touch(tx: Tx, session: int, at: float, address: str) -> None:
    """A session was seen, from this address."""
    await tx.run(
        "UPDATE sessions SET seen_at = $1, address = $2 WHERE id = $3 AND seen_at < $1",
        at,
        address,
        session,
    )


async def end(tx: Tx, session: int, account: int, at: float) -> bool:
    """End a session of this account; False if there is none that could end."""
    changed = await tx.run(
        "UPDATE sessions SET revoked_at = $1 WHERE id = $2 AND account = $3 AND revoked_at IS NULL",
        at,
        session,
        account,
    )
    return changed == 1


async def end_all(tx: Tx, account: int, at: float, but: int = 0) -> int:
    """End every session of an account, but one; how many."""
    return await tx.run(
        "UPDATE sessions SET revoked_at = $1"
        " WHERE account = $2 AND id <> $3 AND revoked_at IS NULL",
        at,
        account,
        but,
    )


async def sweep(tx: Tx, seen_before: float, over_before: float) -> int:
    """Delete what was seen last so long ago, or is over since then, with its address; how many."""
    return await tx.run(
        "DELETE FROM sessions WHERE seen_at < $1 OR ends_at < $2"
        " OR (revoked_at IS NOT NULL AND revoked_at < $2)",
        seen_before,
        over_before,
    )
