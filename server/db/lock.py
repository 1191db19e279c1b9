"""One server per database: a lock that ends with the process, however that ends."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
from pathlib import Path
from typing import Any

from server.db.errors import StoreInUse, StoreUnreachable

# "windfall" in ASCII; the lock is one of the database it is taken in, not of the whole cluster.
ADVISORY_KEY = 0x77696E6466616C6C
# A killed server's connection is noticed by PostgreSQL after a moment only.
ADVISORY_PATIENCE_S = 2.0
_ADVISORY_PAUSE_S = 0.05


class FileLock:
    """An flock on a file beside the database, which tells the holder's process id.

    Not on the database itself: closing any descriptor of that file would drop SQLite's own locks.
    """

    def __init__(self, database: Path) -> None:
        """Take it; `StoreInUse` if another process has it."""
        self.path = database.with_name(database.name + ".lock")
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnreachable(str(database), str(error)) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise StoreInUse(str(database), f"process {holder or 'unknown'}") from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go; the file stays, since removing it would let two others each lock their own."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


async def take_advisory(connection: Any, where: str) -> None:
    """Take PostgreSQL's lock on the connection that writes; `StoreInUse` if another has it.

    A connection that is lost loses the lock, and with it the right to write. Who gets it back on a
    new one sees by `holder` whether others had it meanwhile.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + ADVISORY_PATIENCE_S
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_KEY):
        if loop.time() >= until:
            pid = await connection.fetchval(
                "SELECT min(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND (classid::bigint << 32) + objid::bigint = $1"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                ADVISORY_KEY,
            )
            raise StoreInUse(where, f"the server with PostgreSQL process {pid}")
        await asyncio.sleep(_ADVISORY_PAUSE_S)


async def hold(connection: Any) -> str:
    """Write down who has the lock from now on; a name of its own, empty before there are tables."""
    if await connection.fetchval("SELECT to_regclass('meta') IS NULL"):
        return ""
    name = secrets.token_hex(8)
    await connection.execute(
        "INSERT INTO meta (key, value) VALUES ('holder', $1)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        name,
    )
    return name


async def holder(connection: Any) -> str:
    """Who had the lock last, by the name of `hold`."""
    return str(await connection.fetchval("SELECT value FROM meta WHERE key = 'holder'"))
