"""Certificates: what was certified of whom, by the code that shows it."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Row, Tx

_COLUMNS = "id, code, account, facts, made_at, withdrawn_at"


@dataclass(frozen=True)
class Certificate:
    """A certificate; ``facts`` is JSON."""

    id: int
    code: str
    account: int
    facts: str
    made_at: float
    withdrawn_at: float | None


def _certificate(row: Row) -> Certificate:
    return Certificate(*row)


async def add(tx: Tx, code: str, account: int, facts: str, at: float) -> None:
    """Keep what is certified."""
    await tx.run(
        "INSERT INTO certificates (code, account, facts, made_at) VALUES ($1, $2, $3, $4)",
        code,
        account,
        facts,
        at,
    )


async def by_code(tx: Tx, code: str) -> Certificate | None:
    """The certificate with this code."""
    row = await tx.one(f"SELECT {_COLUMNS} FROM certificates WHERE code = $1", code)  # noqa: S608
    return None if row is None else _certificate(row)


async def of_account(tx: Tx, account: int, limit: int) -> list[Certificate]:
    """The latest certificates of an account, newest first."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM certificates WHERE account = $1 ORDER BY id DESC LIMIT $2",  # noqa: S608
        account,
        limit,
    )
    return [_certificate(row) for row in rows]


async def withdraw(tx: Tx, account: int, code: str, at: float) -> bool:
    """Show a certificate to nobody any more; False if there is none that was shown."""
    changed = await tx.run(
        "UPDATE certificates SET withdrawn_at = $1"
        " WHERE account = $2 AND code = $3 AND withdrawn_at IS NULL",
        at,
        account,
        code,
    )
    return changed == 1
