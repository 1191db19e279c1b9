"""Enrolment tokens as their owners list them: without those that pairings made for themselves."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx


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


async def of_account(tx: Tx, account: int) -> list[Enrolment]:
    """The enrolment tokens of an account, newest first."""
    rows = await tx.all(
        "SELECT t.id, t.uses_left, (SELECT count(*) FROM hosts h WHERE h.enrol_token = t.id),"
        " t.created_at, t.expires_at, t.revoked_at, t.note, coalesce(t.site, 0), t.context,"
        " t.revision, t.networks FROM tokens t LEFT JOIN pairings p ON p.token = t.id"
        " WHERE t.account = $1 AND t.kind = 'enrol' AND p.id IS NULL ORDER BY t.id DESC LIMIT 500",
        account,
    )
    return [Enrolment(*row) for row in rows]


async def revoke(tx: Tx, token: int, account: int, at: float) -> bool:
    """Revoke an enrolment token of this account; False if it has none such, or it was before."""
    changed = await tx.run(
        "UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND account = $3 AND kind = 'enrol'"
        " AND revoked_at IS NULL",
        at,
        token,
        account,
    )
    return changed == 1
