"""Payload bundles by digest; their bytes are blobs."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx


@dataclass(frozen=True)
class Payload:
    """A signed bundle."""

    digest: str
    name: str
    version: str
    size: int
    statement: str
    added_at: float


async def add(tx: Tx, payload: Payload) -> bool:
    """Add a bundle; False if its digest, or its name and version, are there already."""
    changed = await tx.run(
        "INSERT INTO payloads (digest, name, version, size, statement, added_at)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        payload.digest,
        payload.name,
        payload.version,
        payload.size,
        payload.statement,
        payload.added_at,
    )
    return changed == 1


async def by_digest(tx: Tx, digest: str) -> Payload | None:
    """The bundle of this digest."""
    row = await tx.one(
        "SELECT digest, name, version, size, statement, added_at FROM payloads WHERE digest = $1",
        digest,
    )
    return None if row is None else Payload(*row)


async def everyone(tx: Tx) -> list[Payload]:
    """Every bundle, by name and version."""
    rows = await tx.all(
        "SELECT digest, name, version, size, statement, added_at FROM payloads"
        " ORDER BY name, version"
    )
    return [Payload(*row) for row in rows]
