"""Public SSH keys of accounts."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx


@dataclass(frozen=True)
class SshKey:
    """A public key: its line is type, base64 and name."""

    id: int
    fingerprint: str
    name: str
    line: str
    added_at: float


async def of_account(tx: Tx, account: int) -> list[SshKey]:
    """The keys of an account, oldest first."""
    rows = await tx.all(
        "SELECT id, fingerprint, name, line, added_at FROM ssh_keys WHERE account = $1 ORDER BY id",
        account,
    )
    return [SshKey(*row) for row in rows]


async def add(
    tx: Tx, account: int, fingerprint: str, name: str, line: str, at: float
) -> int | None:
    """Store a key; None if the account has it already."""
    row = await tx.one(
        "INSERT INTO ssh_keys (account, fingerprint, name, line, added_at)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account, fingerprint) DO NOTHING RETURNING id",
        account,
        fingerprint,
        name,
        line,
        at,
    )
    return None if row is None else int(row[0])


async def remove(tx: Tx, account: int, key: int) -> bool:
    """Delete a key of this account; False if it has none such."""
    return await tx.run("DELETE FROM ssh_keys WHERE id = $1 AND account = $2", key, account) == 1
