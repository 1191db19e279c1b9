"""Countings of different ones that are under way, kept over a restart."""

from __future__ import annotations

from typing import NamedTuple

from server.db.base import Tx


class Kept(NamedTuple):
    """A counting: of what, in the span of which step, its closed salt, and its least hashes."""

    what: str
    step: int
    at: int
    salt: bytes
    least: bytes


async def everything(tx: Tx) -> list[Kept]:
    """What is under way."""
    rows = await tx.all("SELECT what, step, at, salt, least FROM sketches")
    return [Kept(*row) for row in rows]


async def keep(tx: Tx, kept: Kept) -> None:
    """Keep a counting instead of that of the span before, whose salt is gone with that."""
    await tx.run(
        "INSERT INTO sketches (what, step, at, salt, least) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (what, step) DO UPDATE SET"
        " at = excluded.at, salt = excluded.salt, least = excluded.least",
        *kept,
    )
