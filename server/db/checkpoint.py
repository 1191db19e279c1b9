"""Moves SQLite's write-ahead log into the database file, off the event loop."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

from server.db.aside import Aside

# Unforced checkpoints never wait for anybody, but a log that is always in use never shrinks:
# measured under load it grew without bound. Beyond this size the writer pauses for one.
LIMIT_BYTES = 64 * 1024 * 1024
PAUSE_S = 1.0
# How long the writer may stand still for readers of an old snapshot before it goes on.
PATIENCE_S = 0.2

_log = logging.getLogger(__name__)


class Checkpointer:
    """One connection in one thread, which only makes checkpoints."""

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        """For the database at this path; a loop must be running."""
        self.passive = 0
        self.forced = 0
        self._loop = asyncio.get_running_loop()
        self._wal = path.with_name(path.name + "-wal")
        self._limit = limit_bytes
        self._force_at = limit_bytes
        self._next = self._loop.time() + PAUSE_S
        self._running: asyncio.Future[None] | None = None
        self._aside = Aside("checkpoint", self._loop)
        self._connection = sqlite3.connect(
            path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False
        )

    async def rest(self) -> None:
        """To be called between two transactions of the writer."""
        size = self._size()
        if size >= self._force_at:
            emptied = await self._aside.call(lambda: self._checkpoint("TRUNCATE"))
            self.forced += 1
            # If a reader holds on to it, pausing at every batch would help nobody.
            self._force_at = self._limit if emptied else size + self._limit // 4
        elif self._loop.time() >= self._next and (self._running is None or self._running.done()):
            self._next = self._loop.time() + PAUSE_S
            self._running = self._aside.call(self._unforced)

    async def close(self) -> None:
        """End the thread, then the connection."""
        await self._aside.close()
        self._connection.close()

    def _size(self) -> int:
        try:
            return self._wal.stat().st_size
        except OSError:
            return 0

    def _unforced(self) -> None:
        self._checkpoint("PASSIVE")
        self.passive += 1

    def _checkpoint(self, mode: str) -> bool:
        try:
            row = self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        except sqlite3.Error as error:
            # Nothing is lost: the log only stays longer than it should.
            _log.warning("no checkpoint", extra={"action": "checkpoint", "error": str(error)})
            return False
        return bool(row[0] == 0)
