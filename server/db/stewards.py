"""Who runs which site."""

from __future__ import annotations

from dataclasses import dataclass

from server.db import circles, contexts
from server.db.base import Tx
from server.db.sites import Site


@dataclass(frozen=True)
class Steward:
    """Somebody who runs a site."""

    account: int
    name: str
    full_name: str
    added_at: float


async def runs(tx: Tx, account: int, site: int) -> bool:
    """Whether an account runs a site."""
    row = await tx.one("SELECT 1 FROM site_admins WHERE site = $1 AND account = $2", site, account)
    return row is not None


async def sites_of(tx: Tx, account: int) -> frozenset[int]:
    """The sites that an account runs."""
    rows = await tx.all("SELECT site FROM site_admins WHERE account = $1", account)
    return frozenset(row[0] for row in rows)


async def of_site(tx: Tx, site: int) -> list[Steward]:
    """Who runs a site, by name."""
    rows = await tx.all(
        "SELECT a.id, a.name, a.full_name, s.added_at FROM site_admins s"
        " JOIN accounts a ON a.id = s.account WHERE s.site = $1 ORDER BY a.name",
        site,
    )
    return [Steward(*row) for row in rows]


async def add(tx: Tx, site: int, account: int, at: float) -> bool:
    """Let an account run a site; False if it did."""
    changed = await tx.run(
        "INSERT INTO site_admins (site, account, added_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (site, account) DO NOTHING",
        site,
        account,
        at,
    )
    return changed == 1


async def drop(tx: Tx, site: Site, account: int, at: float) -> bool:
    """Let it run the site no longer, nor its tokens bring machines there; False if it did not.

    What it shared with the site is its alone again, unless a host of it stands there.
    """
    changed = await tx.run(
        "DELETE FROM site_admins WHERE site = $1 AND account = $2", site.id, account
    )
    if changed:
        if not await circles.belongs(tx, account, site.name):
            await contexts.unshare(tx, "site", site.name, account)
        await tx.run(
            "UPDATE tokens SET revoked_at = $1 WHERE account = $2 AND site = $3"
            " AND kind = 'enrol' AND revoked_at IS NULL",
            at,
            account,
            site.id,
        )
    return changed == 1
