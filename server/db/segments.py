"""Which segments are closed: of every other one there may be frames that have no row yet."""

from __future__ import annotations

from collections.abc import Iterable

from server.db.base import Tx


async def closed(tx: Tx) -> set[int]:
    """The segments that are closed."""
    return {int(row[0]) for row in await tx.all("SELECT number FROM segments_closed")}


async def close(tx: Tx, numbers: Iterable[int]) -> None:
    """Nothing comes into these any more, and every frame in them has its row if it needs one."""
    await tx.many(
        "INSERT INTO segments_closed (number) VALUES ($1) ON CONFLICT (number) DO NOTHING",
        [(number,) for number in numbers],
    )


async def forget(tx: Tx, numbers: Iterable[int]) -> None:
    """These are deleted."""
    await tx.many(
        "DELETE FROM segments_closed WHERE number = $1", [(number,) for number in numbers]
    )
