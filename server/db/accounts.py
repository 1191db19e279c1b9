"""Accounts and the tokens that act for them; of a token only its SHA-256 is kept."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Row, Tx

_COLUMNS = (
    "tokens.id, tokens.account, accounts.name, accounts.role, tokens.kind, tokens.uses_left,"
    " tokens.created_at, tokens.expires_at, tokens.revoked_at, tokens.note,"
    " coalesce(tokens.site, 0), tokens.context, tokens.revision, tokens.networks"
)


@dataclass(frozen=True)
class Account:
    """Somebody who gives machines or runs productions."""

    id: int
    name: str
    role: str
    created_at: float


@dataclass(frozen=True)
class Token:
    """A token and the account it acts for."""

    id: int
    account: int
    account_name: str
    role: str
    kind: str
    uses_left: int
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    note: str
    site: int = 0
    context: str = ""
    revision: int = 0
    networks: str = ""


def _account(row: Row) -> Account:
    return Account(id=row[0], name=row[1], role=row[2], created_at=row[3])


async def create(tx: Tx, name: str, role: str, at: float) -> int | None:
    """A new account's id; None if the name is taken."""
    row = await tx.one(
        "INSERT INTO accounts (name, role, created_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (name) DO NOTHING RETURNING id",
        name,
        role,
        at,
    )
    return None if row is None else int(row[0])


async def named(tx: Tx, name: str) -> Account | None:
    """The account of this name."""
    row = await tx.one("SELECT id, name, role, created_at FROM accounts WHERE name = $1", name)
    return None if row is None else _account(row)


async def everyone(tx: Tx) -> list[Account]:
    """Every account, by name."""
    rows = await tx.all("SELECT id, name, role, created_at FROM accounts ORDER BY name")
    return [_account(row) for row in rows]


async def add_token(
    tx: Tx,
    account: int,
    kind: str,
    digest: bytes,
    uses: int,
    at: float,
    expires_at: float | None,
    note: str,
) -> int:
    """Store a token by its digest; its id."""
    row = await tx.one(
        "INSERT INTO tokens (account, kind, hash, uses_left, created_at, expires_at, note)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        account,
        kind,
        digest,
        uses,
        at,
        expires_at,
        note,
    )
    assert row is not None  # noqa: S101  an insert that returns always returns
    return int(row[0])


async def limit_token(tx: Tx, token_id: int, context: str, revision: int, networks: str) -> None:
    """What hosts that join with a token are given, and the networks they may come from."""
    await tx.run(
        "UPDATE tokens SET context = $1, revision = $2, networks = $3 WHERE id = $4",
        context,
        revision,
        networks,
        token_id,
    )


async def token(tx: Tx, digest: bytes) -> Token | None:
    """The token with this digest."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM tokens JOIN accounts ON accounts.id = tokens.account"  # noqa: S608
        " WHERE tokens.hash = $1",
        digest,
    )
    return None if row is None else Token(*row)


async def tokens_of(tx: Tx, account: int) -> list[Token]:
    """The tokens of an account, newest first."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM tokens JOIN accounts ON accounts.id = tokens.account"  # noqa: S608
        " WHERE tokens.account = $1 ORDER BY tokens.id DESC",
        account,
    )
    return [Token(*row) for row in rows]


async def use_up(tx: Tx, token_id: int) -> bool:
    """Take one use of a token; False if there was none left."""
    changed = await tx.run(
        "UPDATE tokens SET uses_left = uses_left - 1 WHERE id = $1 AND uses_left > 0", token_id
    )
    return changed == 1


async def revoke_token(tx: Tx, token_id: int, at: float) -> bool:
    """Revoke a token; False if it is unknown or was revoked before."""
    changed = await tx.run(
        "UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL", at, token_id
    )
    return changed == 1
