"""A backup put back, and made to fit what went on after it: hosts and segments know a later time.

Things of the time that is forgotten must not come back with another meaning: the numbers of tasks
and commands (agents refuse a task they had, and pass over commands they think obeyed), frames in
segments that were deleted since, which segments are closed (their numbers may be given again), and
what waited then: sessions that were ended since, links that were used, orders that were carried out
or undone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.db import frames
from server.db.base import Tx
from server.db.choose import connect, sqlite_path, upgrade_store
from server.db.errors import RestoreFailed
from server.db.lock import FileLock

GAP = 10**10
"""Numbers that are passed over: more than there were since any backup worth putting back.

At 10,000 leases a second they last for eleven days; 64 bits have room for a thousand million gaps.
"""


@dataclass(frozen=True)
class Restored:
    """What was done: migrations applied, and frames dropped whose bytes are gone."""

    applied: list[str]
    frames_dropped: int


def restore(url: str, file: Path | None, sizes: Mapping[int, int]) -> Restored:
    """Put a backup back; ``sizes`` are the segments there are. All of it happens, or nothing.

    PostgreSQL's own ``pg_restore`` puts its backup back: then, with ``file`` None, the database as
    it stands is made to fit. Raises `RestoreFailed`, `StoreInUse`, and what `upgrade_store` does.
    """
    path = sqlite_path(url)
    if path is None or file is None:
        if file is not None:
            raise RestoreFailed(
                "pg_restore puts back a backup of PostgreSQL; do that, then give no file here"
            )
        return asyncio.run(_fit(url, sizes))
    if not file.is_file():
        raise RestoreFailed(f"there is no file {file}; name a backup made by windfall db backup")
    if path.exists() and file.samefile(path):
        raise RestoreFailed(f"{file} is the database itself; name a backup")
    partial = path.with_name(f".{path.name}.{os.getpid()}.restoring")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # a new machine has none yet
    except OSError as error:
        raise RestoreFailed(f"{error}; name another data folder") from error
    lock = FileLock(path)
    try:
        partial.touch(mode=0o600)  # there are hashes of passwords in it
        shutil.copyfile(file, partial)
        done = asyncio.run(_fit(f"sqlite:///{partial}", sizes))
        _put(partial, path)
        return done
    except (OSError, sqlite3.Error) as error:
        raise RestoreFailed(f"{error}; see that there is room and that it is a backup") from error
    finally:
        for left in path.parent.glob(f"{partial.name}*"):
            with contextlib.suppress(OSError):
                left.unlink()
        lock.release()


def _put(source: Path, target: Path) -> None:
    """Overwrite a database in one transaction: killed on the way, it is the one from before.

    What is no database any more cannot be overwritten so, and is moved aside, with its log.
    """
    if not _is_database(target):
        for name in (target.name, f"{target.name}-wal", f"{target.name}-shm"):
            with contextlib.suppress(FileNotFoundError):
                target.with_name(name).replace(target.with_name(f"{name}.damaged"))
    target.touch(mode=0o600)
    with (
        contextlib.closing(sqlite3.connect(source)) as new,
        contextlib.closing(sqlite3.connect(target, timeout=10.0)) as old,
    ):
        new.backup(old, pages=-1)
        faults = old.execute("PRAGMA quick_check(1)").fetchone()[0]
    if faults != "ok":
        raise RestoreFailed(f"the database is damaged after it: {faults}; look after the disk")


def _is_database(path: Path) -> bool:
    """Whether SQLite takes a file for one of its own; one that is empty or not there too."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=10.0)) as found:
            found.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        return True  # locked, or out of reach: overwriting it tells why
    except sqlite3.DatabaseError:
        return False
    return True


async def _fit(url: str, sizes: Mapping[int, int]) -> Restored:
    applied = await upgrade_store(url)
    store = await connect(url)
    try:
        return Restored(
            applied, await store.write(lambda tx: _adapt(tx, store.dialect.name, sizes))
        )
    finally:
        await store.close()


async def _adapt(tx: Tx, dialect: str, sizes: Mapping[int, int]) -> int:
    await tx.run(
        # No task, but it has a number, and the next ones are counted from there.
        "INSERT INTO tasks (id, production, unit, first, last, state, cause)"
        " SELECT coalesce(max(id), 0) + $1, 0, 0, 0, 1, 'withdrawn', 'restored' FROM tasks",
        GAP,
    )
    row = await tx.one(
        "INSERT INTO commands (seq, host, name, args, issued_by, issued_at, expires_at)"
        " SELECT coalesce(max(seq), 0) + $1, 0, 'restored', '{}', 'restore', 0, 0 FROM commands"
        " RETURNING seq",
        GAP,
    )
    if dialect == "postgresql" and row is not None:
        await tx.all("SELECT setval(pg_get_serial_sequence('commands', 'seq'), $1)", row[0])
    await tx.run("DELETE FROM segments_closed")
    await _end_what_waited(tx)
    return await _drop_gone(tx, sizes)


async def _end_what_waited(tx: Tx) -> None:
    """What was ended, used, undone or carried out since must not be good once more."""
    await tx.run("DELETE FROM sessions")
    await tx.run(
        "UPDATE links SET revoked_at = made_at"
        " WHERE kind = 'reset' AND used_at IS NULL AND revoked_at IS NULL"
    )
    await tx.run(
        "UPDATE bulk_orders SET undone_at = begins_at, undone_by = 'restore'"
        " WHERE done_at IS NULL AND undone_at IS NULL"
    )


async def _drop_gone(tx: Tx, sizes: Mapping[int, int]) -> int:
    """Forget frames whose segments are gone or end before them; their events are made again."""
    dropped = 0
    for segment, end in (await frames.segments(tx)).items():
        size = sizes.get(segment, -1)
        if size >= end:
            continue
        dropped += await frames.lose_there(tx, segment, "place + length > $3", size)
    return dropped
