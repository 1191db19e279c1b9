"""Units whose tasks get more memory than their production says, as they died for want of it."""

from __future__ import annotations

from server.db.base import Tx


async def raised(tx: Tx, production: int) -> dict[int, int]:
    """Unit -> megabytes, of a production."""
    rows = await tx.all("SELECT unit, memory_mb FROM memory WHERE production = $1", production)
    return {int(row[0]): int(row[1]) for row in rows}


async def put(tx: Tx, production: int, unit: int, memory_mb: int) -> None:
    """From now on tasks of this unit get so much."""
    await tx.run("DELETE FROM memory WHERE production = $1 AND unit = $2", production, unit)
    await tx.run(
        "INSERT INTO memory (production, unit, memory_mb) VALUES ($1, $2, $3)",
        production,
        unit,
        memory_mb,
    )
