"""What accounts are signed in with: password hashes, sealed TOTP secrets, recovery codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from server.db.base import Tx


@dataclass(frozen=True)
class Credentials:
    """What an account is signed in with; what is empty or None is not set."""

    account: int
    password: str = field(default="", repr=False)
    totp: bytes | None = field(default=None, repr=False)
    totp_at: float | None = None
    totp_step: int = 0


async def of(tx: Tx, account: int) -> Credentials:
    """What this account is signed in with."""
    row = await tx.one(
        "SELECT account, password, totp, totp_at, totp_step FROM credentials WHERE account = $1",
        account,
    )
    return Credentials(account) if row is None else Credentials(*row)


async def set_password(tx: Tx, account: int, password: str, at: float | None) -> None:
    """Store the hash of a new password; an empty one lets nobody in."""
    await tx.run(
        "INSERT INTO credentials (account, password, password_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (account) DO UPDATE SET password = excluded.password,"
        " password_at = excluded.password_at",
        account,
        password,
        at,
    )


async def rehash(tx: Tx, account: int, old: str, new: str) -> None:
    """Store the same password with better parameters, unless it was changed meanwhile."""
    await tx.run(
        "UPDATE credentials SET password = $1 WHERE account = $2 AND password = $3",
        new,
        account,
        old,
    )


async def set_totp(
    tx: Tx, account: int, secret: bytes | None, confirmed_at: float | None, step: int
) -> None:
    """Store a sealed secret, or none; it is asked for once it is confirmed."""
    await tx.run(
        "INSERT INTO credentials (account, totp, totp_at, totp_step) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (account) DO UPDATE SET totp = excluded.totp, totp_at = excluded.totp_at,"
        " totp_step = excluded.totp_step",
        account,
        secret,
        confirmed_at,
        step,
    )


async def use_step(tx: Tx, account: int, step: int) -> bool:
    """Take the code of a time step; False if one as new was taken before."""
    changed = await tx.run(
        "UPDATE credentials SET totp_step = $1 WHERE account = $2 AND totp_step < $1",
        step,
        account,
    )
    return changed == 1


async def replace_codes(tx: Tx, account: int, digests: Sequence[bytes]) -> None:
    """Store these recovery codes in place of all that were."""
    await tx.run("DELETE FROM recovery_codes WHERE account = $1", account)
    await tx.many(
        "INSERT INTO recovery_codes (account, hash) VALUES ($1, $2)",
        [(account, digest) for digest in digests],
    )


async def use_code(tx: Tx, account: int, digest: bytes, at: float) -> bool:
    """Take a recovery code; False if there is none such that is unused."""
    changed = await tx.run(
        "UPDATE recovery_codes SET used_at = $1"
        " WHERE account = $2 AND hash = $3 AND used_at IS NULL",
        at,
        account,
        digest,
    )
    return changed == 1
