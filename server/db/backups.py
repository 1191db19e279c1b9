"""What is known of backups of the database: made, failed, deleted since."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx

_COLUMNS = "id, name, place, state, size, digest, began_at, ended_at, made_by, why"


@dataclass(frozen=True)
class Backup:
    """A backup: its file or key, the folder or URL it is in, whole, failed or deleted since.

    ``size`` is in bytes, ``digest`` the SHA-256 of its bytes; times in s since 1970.
    """

    id: int
    name: str
    place: str
    state: str
    size: int
    digest: str
    began_at: float
    ended_at: float
    made_by: str
    why: str


async def add(tx: Tx, made: Backup) -> int:
    """Keep what came of a backup; its number, whatever it had before."""
    row = await tx.one(
        "INSERT INTO backups (name, place, state, size, digest, began_at, ended_at, made_by, why)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
        made.name, made.place, made.state, made.size, made.digest, made.began_at, made.ended_at,
        made.made_by, made.why,
    )  # fmt: skip
    assert row is not None  # noqa: S101  RETURNING returns what was inserted
    return int(row[0])


async def latest(tx: Tx, most: int) -> list[Backup]:
    """The latest, newest first."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM backups ORDER BY id DESC LIMIT $1",  # noqa: S608
        most,
    )
    return [Backup(*row) for row in rows]


async def last_whole(tx: Tx) -> Backup | None:
    """The latest that is whole and still there."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM backups WHERE state = 'whole'"  # noqa: S608
        " ORDER BY id DESC LIMIT 1"
    )
    return None if row is None else Backup(*row)


async def too_many(tx: Tx, place: str, keep: int) -> list[Backup]:
    """Those of a place that are whole, but for the ``keep`` newest."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM backups WHERE state = 'whole' AND place = $1"  # noqa: S608
        " ORDER BY id DESC LIMIT 1000 OFFSET $2",
        place,
        keep,
    )
    return [Backup(*row) for row in rows]


async def deleted(tx: Tx, number: int) -> None:
    """A backup was deleted."""
    await tx.run("UPDATE backups SET state = 'deleted' WHERE id = $1", number)
