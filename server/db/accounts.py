"""Accounts and the tokens that act for them; of a token only its SHA-256 is kept."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Row, Tx

_COLUMNS = (
    "tokens.id, tokens.account, accounts.name, accounts.role, tokens.kind, tokens.uses_left,"
    " tokens.created_at, tokens.expires_at, tokens.revoked_at, tokens.note,"
    " coalesce(tokens.site, 0), tokens.context, tokens.revision, tokens.networks,"
    " accounts.state, tokens.scopes"
)
_ACCOUNT = (
    "SELECT id, name, role, created_at, email, email_checked_at, full_name, state FROM accounts"
)


@dataclass(frozen=True)
class Account:
    """Somebody who gives machines or runs productions; who is disabled is let in no more."""

    id: int
    name: str
    role: str
    created_at: float
    email: str = ""
    email_checked_at: float | None = None
    full_name: str = ""
    state: str = "active"


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
    account_state: str = "active"
    scopes: str = "*"


def _account(row: Row) -> Account:
    return Account(*row)


async def create(tx: Tx, name: str, role: str, at: float) -> int | None:
    """A new account's id; None if the name is taken, be it in other letters (Ada, ada)."""
    row = await tx.one(
        "INSERT INTO accounts (name, role, created_at) SELECT $1, $2, $3"
        " WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE lower(name) = lower($1))"
        " ON CONFLICT (name) DO NOTHING RETURNING id",
        name,
        role,
        at,
    )
    return None if row is None else int(row[0])


async def named(tx: Tx, name: str) -> Account | None:
    """The account of this name."""
    row = await tx.one(f"{_ACCOUNT} WHERE name = $1", name)
    return None if row is None else _account(row)


async def of_id(tx: Tx, account: int) -> Account | None:
    """The account with this id."""
    row = await tx.one(f"{_ACCOUNT} WHERE id = $1", account)
    return None if row is None else _account(row)


async def of_email(tx: Tx, email: str) -> Account | None:
    """The account whose owner has shown that this address is his."""
    row = await tx.one(
        f"{_ACCOUNT} WHERE email = $1 AND email_checked_at IS NOT NULL", email.lower()
    )
    return None if row is None else _account(row)


async def set_email(tx: Tx, account: int, email: str, checked_at: float | None) -> None:
    """Store an address; with the time at which it was shown to be its owner's, if it was."""
    await tx.run(
        "UPDATE accounts SET email = $1, email_checked_at = $2 WHERE id = $3",
        email.lower(),
        checked_at,
        account,
    )


async def set_full_name(tx: Tx, account: int, full_name: str) -> None:
    """Store how somebody wants to be called."""
    await tx.run("UPDATE accounts SET full_name = $1 WHERE id = $2", full_name, account)


async def set_state(tx: Tx, account: int, state: str) -> bool:
    """Disable or enable; False if it was so already."""
    changed = await tx.run(
        "UPDATE accounts SET state = $1 WHERE id = $2 AND state <> $1", state, account
    )
    return changed == 1


async def set_role(tx: Tx, account: int, role: str) -> bool:
    """Change a role; False if it was so already."""
    changed = await tx.run(
        "UPDATE accounts SET role = $1 WHERE id = $2 AND role <> $1", role, account
    )
    return changed == 1


async def everyone(tx: Tx) -> list[Account]:
    """Every account, by name."""
    rows = await tx.all(f"{_ACCOUNT} ORDER BY name")
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
    scopes: str = "*",
) -> int:
    """Store a token by its digest; its id."""
    row = await tx.one(
        "INSERT INTO tokens (account, kind, hash, uses_left, created_at, expires_at, note, scopes)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
        account,
        kind,
        digest,
        uses,
        at,
        expires_at,
        note,
        scopes,
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
