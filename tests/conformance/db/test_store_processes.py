"""Real processes: what a killed one was told stays true, and two never have one database."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from server.db.choose import connect
from server.db.errors import StoreInUse
from tests.conformance.db.conftest import CountingStore
from tests.kit import db_child

ROOT = Path(db_child.__file__).parents[2]


@contextlib.asynccontextmanager
async def child(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The writing program, ready; killed in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", db_child.__name__, url, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()


async def test_kill_9_loses_nothing_that_was_acknowledged(url: str, store: CountingStore) -> None:
    await store.close()
    told: set[int] = set()
    for _ in range(3):
        async with child(url) as process:
            assert process.stdout is not None
            for _ in range(200):
                told.add(int(await process.stdout.readline()))
            process.send_signal(signal.SIGKILL)
            rest = await process.stdout.read()
            told.update(int(line) for line in rest.split(b"\n")[:-1])
            assert await process.wait() == -signal.SIGKILL
        again = await connect(url)
        kept = {row[0] for row in await again.read(lambda tx: tx.all("SELECT number FROM notes"))}
        await again.write(lambda tx: tx.run("DELETE FROM notes"))
        await again.close()
        assert told <= kept
        # Of what was not told, no more than was under way can be there.
        assert len(kept - told) <= db_child.WRITERS
        told.clear()


async def test_a_second_server_is_refused_until_the_first_is_gone(
    url: str, store: CountingStore
) -> None:
    await store.close()
    async with child(url) as process:
        with pytest.raises(StoreInUse) as caught:
            await connect(url)
        if url.startswith("sqlite"):
            assert caught.value.holder == f"process {process.pid}"
        else:
            assert "PostgreSQL process" in caught.value.holder
        assert "stop that one first" in str(caught.value)
        process.send_signal(signal.SIGKILL)
        await process.communicate()
        again = await connect(url)
        await again.close()


async def test_two_databases_have_a_server_each(new_url: Callable[[], str]) -> None:
    first, second = await connect(new_url()), await connect(new_url())
    for store in (first, second):
        assert await store.read(lambda tx: tx.one("SELECT 1")) == (1,)
    await first.close()
    await second.close()


async def test_a_closed_store_can_be_opened_again(url: str, store: CountingStore) -> None:
    await store.close()
    again = await connect(url)
    assert await again.read(lambda tx: tx.all("SELECT id FROM notes")) == []
    await again.close()
