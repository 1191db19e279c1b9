"""What is held against hosts, by payload."""

from __future__ import annotations

from server.db.base import Tx
from server.domain.quota import Quota


async def keep(tx: Tx, host: int, payload: str, quota: Quota | None) -> None:
    """This is held against a host, or (None) nothing."""
    if quota is None:
        await tx.run("DELETE FROM quotas WHERE host = $1 AND payload = $2", host, payload)
        return
    await tx.run(
        "INSERT INTO quotas (host, payload, allowed, used, day) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (host, payload) DO UPDATE SET allowed = $3, used = $4, day = $5",
        host,
        payload,
        quota.allowed,
        quota.bad,
        quota.day,
    )


async def everything(tx: Tx) -> list[tuple[int, str, Quota]]:
    """Host, payload, and what is held against it."""
    rows = await tx.all("SELECT host, payload, allowed, used, day FROM quotas")
    return [(row[0], row[1], Quota(row[2], row[3], row[4])) for row in rows]
