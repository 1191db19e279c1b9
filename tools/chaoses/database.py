"""The database of the server under test: a file on its own disk, or PostgreSQL on another machine.

PostgreSQL is not under the shim: a power cut is one of the server's machine alone. It has a fault
of its own instead, `kill-database`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tools import postgres
from tools.demonstration.stage import StageFailed

KINDS = ("sqlite", "postgresql")
Command = Callable[..., Any]
_HOLD_FILE = (
    "import sqlite3,sys,time\n"
    "c=sqlite3.connect(sys.argv[1],timeout=20,isolation_level=None)\n"
    "c.execute('BEGIN EXCLUSIVE')\nprint('held',flush=True)\ntime.sleep(float(sys.argv[2]))\n"
)
_HOLD_POSTGRES = (
    "import asyncio,asyncpg,sys\n"
    "async def main():\n"
    " c=await asyncpg.connect(sys.argv[1])\n"
    " async with c.transaction():\n"
    "  await c.execute('LOCK TABLE tasks, units, frames, hosts IN ACCESS EXCLUSIVE MODE')\n"
    "  print('held',flush=True)\n  await asyncio.sleep(float(sys.argv[2]))\n"
    "asyncio.run(main())\n"
)


class Database(Protocol):
    """What the faults need of a database."""

    @property
    def url(self) -> str:
        """For ``database.url``; empty for the file in the data folder."""
        ...

    def put_back(self, backup: Path, command: Command) -> None:
        """Put a backup back; ``command`` is `Server.command`, and no server runs."""
        ...

    def holder(self, seconds: float) -> list[str]:
        """A command that holds the database for itself so long, and says ``held`` when it does."""
        ...

    def crash(self) -> bool:
        """End it as by kill -9, and start it again; False if it ends with the server."""
        ...

    def remove(self) -> None:
        """It is needed no more."""
        ...


@dataclass(frozen=True)
class Sqlite:
    """A file."""

    file: Path
    url: str = ""

    def put_back(self, backup: Path, command: Command) -> None:
        """As an operator does."""
        command("db", "restore", backup)

    def holder(self, seconds: float) -> list[str]:
        """An exclusive transaction."""
        return [sys.executable, "-c", _HOLD_FILE, str(self.file), str(seconds)]

    def crash(self) -> bool:
        """It is a part of the server."""
        return False

    def remove(self) -> None:
        """It goes with its folder."""


class Postgres:
    """A PostgreSQL of its own, which flushes what it commits."""

    def __init__(self) -> None:
        """Start it. Raises StageFailed if it is not installed."""
        binaries = postgres.programs()
        if binaries is None:
            raise StageFailed("PostgreSQL is not installed; run: apt-get install postgresql")
        self._binaries = binaries
        self._server = postgres.Postgres(binaries, options="")
        self.url = self._server.new_database()

    def put_back(self, backup: Path, command: Command) -> None:
        """As an operator does: an empty database, pg_restore, and what makes it fit."""
        name = self.url.split("/")[3].split("?")[0]
        self._server.run("dropdb", "--force", name)
        self._server.run("createdb", name)
        words = [f"--dbname={self.url}", "--exit-on-error", str(backup)]
        subprocess.run(
            [str(self._binaries / "pg_restore"), *words], check=True, capture_output=True
        )
        command("db", "restore")

    def holder(self, seconds: float) -> list[str]:
        """Locks on the tables that most requests need."""
        return [sys.executable, "-c", _HOLD_POSTGRES, self.url, str(seconds)]

    def crash(self) -> bool:
        """Every connection is cut, and it recovers from its log."""
        self._server.stop()
        self._server.start()
        return True

    def remove(self) -> None:
        """With its folder."""
        self._server.remove()
