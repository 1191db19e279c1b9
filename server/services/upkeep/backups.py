"""Backups on schedule: copied while the server writes, looked over, kept for a while, deleted."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from server.blobs.base import Blobs, BlobTrouble
from server.db import backup as copying
from server.db import backups as rows
from server.db.backups import Backup
from server.db.base import Tx
from server.db.errors import BackupFailed
from server.domain.errors import Refusal
from server.services import audit
from server.services.deps import Deps
from server.services.upkeep.desk import Vault

__all__ = ["Backup", "BackupNotMade", "NoVault", "fetch", "listed", "lying", "make", "once"]

log = logging.getLogger("windfall.upkeep")
FIRST_S = 600.0  # a new server has other things to do
EVERY_S = 60.0  # the schedule is looked at
AGAIN_S = 900.0  # after one that failed
PIECE = 1 << 20
_NAME = re.compile(r"windfall-\d{8}T\d{6}\.\d{6}Z\.(db|pgdump)")


class NoVault(Refusal):
    """This server makes no backups itself: {why}."""

    code = "no-backups"
    why: str


class BackupNotMade(Refusal):
    """The backup was not made: {why}; the one before is as it was."""

    code = "backup-failed"
    why: str


async def once(deps: Deps) -> None:
    """Make a backup if it is time for one."""
    desk, now = deps.upkeep, deps.clock()
    schedule = desk.schedule
    if not schedule.every_s or schedule.elsewhere or desk.vault is None:
        return
    latest = await deps.store.read(lambda tx: rows.latest(tx, 1))
    last = await deps.store.read(rows.last_whole)
    due = last.began_at + schedule.every_s if last else desk.started_at + FIRST_S
    if latest and latest[0].state == "failed":
        due = max(due, latest[0].ended_at + AGAIN_S)
    if now >= due:
        try:
            await make(deps, "schedule")
        except BackupNotMade:
            return  # it is in the table, in the log, and an alert once it is late


async def make(deps: Deps, by: str) -> Backup:
    """Copy the database now, look the copy over, and let go of those too old.

    Raises NoVault, BackupNotMade.
    """
    desk = deps.upkeep
    vault, place = desk.vault, desk.schedule.place
    if vault is None:
        raise NoVault("it has no place for them (backup.to)")
    if desk.backing_up.locked():
        raise BackupNotMade("one is being made at this moment")
    async with desk.backing_up:
        began = deps.clock()
        name = name_of(vault.database, began)
        try:
            size, digest = await _copied(vault, name)
        except (BackupFailed, BlobTrouble, OSError) as error:
            why = (str(error) or type(error).__name__)[:500]
            await _keep(deps, Backup(0, name, place, "failed", 0, "", began, deps.clock(), by, why))
            log.error("backup failed", extra={"action": "backup", "why": why})
            raise BackupNotMade(why) from error
        made = Backup(0, name, place, "whole", size, digest, began, deps.clock(), by, "")
        made = await _keep(deps, made)
        log.info("backup made", extra={"action": "backup", "file": name, "bytes": size})
        await _thin(deps, vault)
        return made


def name_of(database: str, at: float) -> str:
    """What a backup is called: sorted by name they are sorted by time."""
    ending = "db" if database.startswith("sqlite") else "pgdump"
    return f"windfall-{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%S.%fZ}.{ending}"


async def _copied(vault: Vault, name: str) -> tuple[int, str]:
    """Make a copy at its place, and read it once more: its size and SHA-256."""
    await asyncio.to_thread(_prepare, vault)
    path = vault.folder / name
    await asyncio.to_thread(copying.backup, vault.database, path)
    try:
        await asyncio.to_thread(copying.look_over, vault.database, path)
        size, digest = await asyncio.to_thread(_digest, path)
        if vault.blobs is not None:
            await _sent(vault.blobs, path, name, digest)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if vault.blobs is not None:
        path.unlink(missing_ok=True)
    return size, digest


def _prepare(vault: Vault) -> None:
    """A folder without what a server that was killed left half written, or half sent."""
    vault.folder.mkdir(0o700, parents=True, exist_ok=True)
    for pattern in (".windfall-*.partial", *(("windfall-*",) if vault.blobs is not None else ())):
        for left in vault.folder.glob(pattern):
            left.unlink(missing_ok=True)


async def _sent(blobs: Blobs, path: Path, name: str, digest: str) -> None:
    """Send a copy away, and read it back: what was not read is no backup."""
    stored = await blobs.put(name, _Pieces(path))
    again = hashlib.sha256()
    async for piece in blobs.stream(name):
        again.update(piece)
    if not stored.sha256 == digest == again.hexdigest():
        await blobs.delete(name)
        raise BackupFailed(f"{name} was read back with other bytes than it was sent with")


async def lying(blobs: Blobs) -> list[str]:
    """The names of the backups of a place, the newest first; no database is asked."""
    return sorted([key async for key in blobs.list() if _NAME.fullmatch(key)], reverse=True)


async def fetch(blobs: Blobs, name: str, target: Path) -> int:
    """Bring a backup here, and look it over whole; its size. Raises BlobTrouble, BackupFailed."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    count = 0
    partial.touch(0o600, exist_ok=False)
    try:
        with partial.open("wb") as file:
            async for piece in blobs.stream(name):
                count += await asyncio.to_thread(file.write, piece)
        database = "sqlite:///" if name.endswith(".db") else "postgresql://"
        await asyncio.to_thread(copying.look_over, database, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return count


class _Pieces:
    """The bytes of a file, read again each time they are iterated over."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def __aiter__(self) -> AsyncIterator[bytes]:
        file = await asyncio.to_thread(self.path.open, "rb")
        try:
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece
        finally:
            file.close()


def _digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return os.fstat(file.fileno()).st_size, digest


async def _keep(deps: Deps, made: Backup) -> Backup:
    async def write(tx: Tx) -> int:
        number = await rows.add(tx, made)
        if made.made_by != "schedule":
            audit.note(tx, made.made_by, "backup.make", made.name, made.why, at=made.ended_at)
        return number

    number = await deps.store.write(write)
    return Backup(number, *list(vars(made).values())[1:])


async def _thin(deps: Deps, vault: Vault) -> None:
    """Delete the oldest of this place above the number to keep."""
    schedule = deps.upkeep.schedule

    async def read(tx: Tx) -> list[Backup]:
        return await rows.too_many(tx, schedule.place, schedule.keep)

    for old in await deps.store.read(read):
        try:
            if vault.blobs is not None:
                await vault.blobs.delete(old.name)
            else:
                await asyncio.to_thread((vault.folder / old.name).unlink, True)
        except (BlobTrouble, OSError) as error:
            log.warning("old backup not deleted", extra={"action": "backup", "why": str(error)})
            continue
        await deps.store.write(partial(rows.deleted, number=old.id))


async def listed(deps: Deps, most: int) -> list[Backup]:
    """The latest backups, newest first."""
    return await deps.store.read(lambda tx: rows.latest(tx, most))
