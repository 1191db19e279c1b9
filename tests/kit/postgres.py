"""A PostgreSQL of its own for the tests of a run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from urllib.parse import urlsplit

import pytest

from server.db.choose import open_store
from tools import postgres
from tools.postgres import programs

_MEMORY, _ROOM = "/dev/shm", 4 * 2**30  # each of some hundred databases takes 12 MB


class Postgres(postgres.Postgres):
    """A server that makes databases with the tables of today by copying one."""

    def new_pool(self) -> str:
        """The address of a database of its own with all tables."""
        return self.new_database(self._filled)

    @cached_property
    def _filled(self) -> str:
        url = self.new_database()

        async def fill() -> None:
            await (await open_store(url)).close()

        with ThreadPoolExecutor(1) as beside:  # whoever asks has a loop of its own
            beside.submit(lambda: asyncio.run(fill())).result()
        return urlsplit(url).path.lstrip("/")


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """A server for as long as the context lasts; skips the test if PostgreSQL is not installed."""
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql-15 (or dnf, brew)")
    # Copying and removing databases is what takes the time: no disk is needed for that.
    free = shutil.disk_usage(_MEMORY).free if os.path.isdir(_MEMORY) else 0
    server = Postgres(binaries, within=_MEMORY if free > _ROOM else None)
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One server for all tests."""
    with running() as server:
        yield server
