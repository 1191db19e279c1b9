"""Where an account belongs to: its groups, the sites its hosts stand at, the sites it runs."""

from __future__ import annotations

from server.db.base import Tx


async def belongs(tx: Tx, account: int, site: str) -> bool:
    """Whether an account runs a site or has a believed host there."""
    row = await tx.one(
        "SELECT 1 FROM sites WHERE name = $1 AND (id IN (SELECT site FROM site_admins"
        " WHERE account = $2) OR id IN (SELECT site FROM hosts WHERE account = $2"
        " AND state = 'active'))",
        site,
        account,
    )
    return row is not None


async def of(tx: Tx, account: int) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Names of groups, of sites at which a believed host of it stands, and of sites it runs."""
    groups = await tx.all(
        "SELECT account_groups.name FROM group_members JOIN account_groups"
        " ON account_groups.id = group_members.group_id WHERE group_members.account = $1",
        account,
    )
    stands = await tx.all(
        "SELECT DISTINCT sites.name FROM hosts JOIN sites ON sites.id = hosts.site"
        " WHERE hosts.account = $1 AND hosts.state = 'active'",
        account,
    )
    runs = await tx.all(
        "SELECT sites.name FROM site_admins JOIN sites ON sites.id = site_admins.site"
        " WHERE site_admins.account = $1",
        account,
    )
    return tuple(frozenset(row[0] for row in rows) for rows in (groups, stands, runs))  # type: ignore[return-value]
