"""Servers on PostgreSQL, both killed: nothing is lost or counted twice, and one server works."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from server.db import lock, postgres
from server.domain.rollup import Measure
from server.services import rollups, stats
from tests.e2e.test_server_killed import Worker, wait_done
from tests.integration.test_production_life import output_of
from tests.kit.house import honest, house
from tests.kit.ports import free_port
from tests.kit.postgres import Postgres
from tests.kit.real_server import RealServer, far_house

pytestmark = pytest.mark.postgres
EVENTS = 400
WRITER = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND (classid::bigint << 32) + objid::bigint = $1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
END_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def ask(url: str, sql: str, *args: object) -> list[tuple[object, ...]]:
    """What the database says, on a connection of its own."""
    connection = await postgres.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(sql, *args)]
    finally:
        await connection.close()


async def kill_writer(url: str) -> None:
    """Kill -9 of the process of PostgreSQL that writes: its server ends all and starts anew."""
    [[number]] = await ask(url, WRITER, lock.ADVISORY_KEY)
    assert isinstance(number, int)
    os.kill(number, signal.SIGKILL)


def count(worker: Worker) -> int:
    """How many events of this one were acknowledged."""
    return sum(held.events for held in worker.acknowledged.values())


async def more(worker: Worker, before: int) -> bool:
    """Whether more of its events were acknowledged since, or all."""
    return count(worker) > before or before == EVENTS


@pytest.mark.timeout(300)
async def test_postgresql_and_the_server_are_killed_and_every_figure_holds(
    tmp_path: Path, postgres_server: Postgres
) -> None:
    options = {"limits.work_per_minute": "100000", "database.url": postgres_server.new_pool()}
    url, server = options["database.url"], RealServer(tmp_path, free_port(), options)
    await server.start()
    over = asyncio.Event()
    async with aiohttp.ClientSession() as session:
        found = far_house(server, session)
        await found.produce(found.definition(events=EVENTS, unit=100, reference=0))
        workers = [Worker(await found.join(name), 7) for name in ("ada", "bob")]
        ada, bob = workers
        working = [asyncio.create_task(ada.work(over))]
        try:
            for _ in range(2):
                before = count(ada)
                await kill_writer(url)
                await found.until(partial(more, ada, before))
                await ada.check()
                await server.kill()
                # It waits for the database, counts, and is killed at it or soon after.
                assert (await server.start()).returncode is None
            await ada.check()
            working.append(asyncio.create_task(bob.work(over)))  # nothing is settled without him
            for worker in workers:
                worker.hurry = True
            async with asyncio.timeout(180):
                await wait_done(found)
        finally:
            over.set()
            told = await asyncio.gather(*working, return_exceptions=True)
            status = await server.stop()
    assert [error for error in told if error is not None] == []
    assert status == 0
    async with house(tmp_path, **options) as again:
        assert await output_of(again) == b"".join(map(honest, range(EVENTS)))
        _, counted = await again.manage("POST", "/stats/check")
        assert counted == {"ok": True, "discrepancies": []}
        await rollups.once(again.deps)
        assert await stats.total(again.deps, Measure.EVENTS_SETTLED) == EVENTS
        assert await stats.total(again.deps, Measure.EVENTS_RECEIVED) == 2 * EVENTS


@pytest.mark.timeout(300)
async def test_one_server_works_on_a_database_and_who_lost_it_to_another_ends(
    tmp_path: Path, postgres_server: Postgres
) -> None:
    url = postgres_server.new_pool()
    first, second = (
        RealServer(folder, free_port(), {"database.url": url})
        for folder in (tmp_path / "first", tmp_path / "second")
    )
    for each in (first, second):
        each.folder.mkdir()
    try:
        process = await first.start()
        refused = await second.start()
        assert await refused.wait() == 3
        said = (second.folder / "log").read_text()
        assert "is in use by the server with PostgreSQL process" in said
        assert "stop that one first" in said
        assert "Traceback" not in said
        # The first one's machine stands still, long enough for its connection to be given up.
        process.send_signal(signal.SIGSTOP)
        await ask(url, END_OTHERS)
        await second.start()
        await second.kill()
        process.send_signal(signal.SIGCONT)
        assert await process.wait() == 3
        said = (first.folder / "log").read_text()
        last = said.rstrip().splitlines()[-1]
        assert last.startswith("Error: ")
        assert "another server has written to it since" in last
    finally:
        for each in (first, second):
            if each.process is not None and each.process.returncode is None:
                await each.kill()
