"""Looks a database over for damage."""

from __future__ import annotations

from server.db.base import Tx
from server.db.errors import StatementFailed
from server.db.migrate import OpenStore

MOST = 20


async def damage(store: OpenStore) -> list[str]:
    """What SQLite finds wrong in its file, at most `MOST` lines; PostgreSQL looks after its own."""
    if store.dialect.name != "sqlite":
        return []

    async def look(tx: Tx) -> list[str]:
        found = [str(row[0]) for row in await tx.all(f"PRAGMA quick_check({MOST})")]
        strays = await tx.all("PRAGMA foreign_key_check")
        lost = [f"{row[0]} row {row[1]}: its row in {row[2]} is gone" for row in strays[:MOST]]
        return [line for line in found if line != "ok"] + lost

    try:
        return await store.read(look)
    except StatementFailed as error:
        return [error.reason]
