"""Who people are at other providers: issuer and subject, and whose account that opens."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx


@dataclass(frozen=True)
class Linked:
    """An identity that opens an account."""

    issuer: str
    subject: str
    account: int
    provider: str
    linked_at: float


_COLUMNS = "issuer, subject, account, provider, linked_at"


async def find(tx: Tx, issuer: str, subject: str) -> Linked | None:
    """Whose account this identity opens."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM identities WHERE issuer = $1 AND subject = $2",  # noqa: S608
        issuer,
        subject,
    )
    return None if row is None else Linked(*row)


async def of_account(tx: Tx, account: int) -> list[Linked]:
    """The identities that open an account, in the order of their linking."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM identities WHERE account = $1"  # noqa: S608
        " ORDER BY linked_at, issuer, subject",
        account,
    )
    return [Linked(*row) for row in rows]


async def add(tx: Tx, linked: Linked) -> bool:
    """Link an identity; False if it opens an account already."""
    row = await tx.one(
        "INSERT INTO identities (issuer, subject, account, provider, linked_at)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (issuer, subject) DO NOTHING RETURNING account",
        linked.issuer,
        linked.subject,
        linked.account,
        linked.provider,
        linked.linked_at,
    )
    return row is not None


async def remove(tx: Tx, account: int, provider: str) -> int:
    """Unlink what a provider says from an account; how many identities that were."""
    return await tx.run(
        "DELETE FROM identities WHERE account = $1 AND provider = $2", account, provider
    )
