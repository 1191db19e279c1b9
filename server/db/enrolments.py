"""Enrolment tokens as their owners list them: without those that pairings made for themselves."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx

_SELECT = (
    "SELECT t.id, t.uses_left, (SELECT count(*) FROM hosts h WHERE h.enrol_token = t.id),"
    " t.created_at, t.expires_at, t.revoked_at, t.note, coalesce(t.site, 0), t.context,"
    " t.revision, t.networks, a.name FROM tokens t JOIN accounts a ON a.id = t.account"
    " LEFT JOIN pairings p ON p.token = t.id WHERE t.kind = 'enrol' AND p.id IS NULL"
)
_LATEST = "ORDER BY t.id DESC LIMIT 500"


@dataclass(frozen=True)
class Enrolment:
    """One token without its text; ``hosts`` joined with it, ``site`` is 0 for none."""

    id: int
    uses_left: int
    hosts: int
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    note: str
    site: int
    context: str
    revision: int
    networks: str
    account: str


async def of_account(tx: Tx, account: int) -> list[Enrolment]:
    """The enrolment tokens of an account, newest first."""
    rows = await tx.all(f"{_SELECT} AND t.account = $1 {_LATEST}", account)
    return [Enrolment(*row) for row in rows]


async def of_site(tx: Tx, site: int) -> list[Enrolment]:
    """The enrolment tokens by which machines join a site, newest first."""
    rows = await tx.all(f"{_SELECT} AND t.site = $1 {_LATEST}", site)
    return [Enrolment(*row) for row in rows]


async def revoke(tx: Tx, token: int, account: int, at: float) -> bool:
    """Revoke an enrolment token of this account; False if it has none such, or it was before."""
    return await _revoke(tx, "account", token, account, at)


async def revoke_of_site(tx: Tx, token: int, site: int, at: float) -> bool:
    """Revoke an enrolment token of this site; False if it has none such, or it was before."""
    return await _revoke(tx, "site", token, site, at)


async def _revoke(tx: Tx, column: str, token: int, whose: int, at: float) -> bool:
    changed = await tx.run(
        f"UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND {column} = $3"  # noqa: S608
        " AND kind = 'enrol' AND revoked_at IS NULL",
        at,
        token,
        whose,
    )
    return changed == 1
