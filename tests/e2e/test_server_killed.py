"""A server that is killed again and again loses nothing and makes the same bytes."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.domain.intervals import Intervals
from server.domain.rollup import Measure
from server.services import rollups, stats
from tests.integration.test_production_life import WHOLE, output_of
from tests.kit.house import Hand, House, finish, house
from tests.kit.ports import free_port
from tests.kit.real_server import FarHouse, RealServer, far_house
from vmagent.wire import messages as m

KILLS = 10
HOSTS = ("ada", "bob", "cid", "dan")


class Worker:
    """A host that works until the production is done, and remembers what was acknowledged."""

    def __init__(self, hand: Hand, seed: int) -> None:
        self.hand = hand
        self.chance = random.Random(seed)
        self.acknowledged: dict[int, Intervals] = {}
        self.hurry = False

    async def work(self, over: asyncio.Event) -> None:
        """Take leases and compute them, in frames of random size."""
        while not over.is_set():
            for lease in await self.hand.leases(self.chance.choice((1, 2))):
                await self._compute(lease)
            await asyncio.sleep(0.01)

    async def _compute(self, lease: m.Lease) -> None:
        first = lease.first
        while first < lease.last:
            last = min(lease.last, first + self.chance.choice((3, 7, 20)))
            status, said = await self.hand.send(lease, first, last)
            if status == 410:
                return
            assert status == 200, said
            held = self.acknowledged.get(lease.task, Intervals())
            self.acknowledged[lease.task] = held.add(first, last)
            first = last
            if not self.hurry:
                await asyncio.sleep(self.chance.random() * 0.16)
        status, said = await self.hand.report(lease)
        assert status == 200, said

    async def check(self) -> None:
        """All that was acknowledged is there, or part of a unit that is settled."""
        for task, acknowledged in list(self.acknowledged.items()):
            status, state = await self.hand.call("GET", f"/api/v1/tasks/{task}")
            assert status == 200
            held = Intervals((first, last) for first, last in state["held"])
            assert acknowledged.minus(held).events == 0, (task, acknowledged, state)


async def undisturbed(folder: Path) -> dict[str, Any]:
    """The output of the same production on a server that nobody kills."""
    async with house(folder) as found:
        await found.produce(found.definition(reference=0))
        view = await finish(found, [await found.join(name) for name in HOSTS[:2]])
        return dict(view["output"])


async def kill_often(server: RealServer, workers: list[Worker], seed: int) -> None:
    """Kill the server at random moments, and start it again."""
    chance = random.Random(seed)
    for _ in range(KILLS):
        await asyncio.sleep(0.02 + 0.3 * chance.random())
        await server.kill()
        await server.start()
        for worker in workers:
            await worker.check()


async def begin(found: House) -> list[Worker]:
    """A production and its hosts."""
    await found.produce(found.definition(reference=0))
    return [Worker(await found.join(name), number) for number, name in enumerate(HOSTS)]


async def wait_done(found: FarHouse) -> dict[str, Any]:
    """Wait until the output is there."""
    while True:
        view = await found.show()
        if view["state"] == "done":
            return view
        await asyncio.sleep(0.05)


@pytest.mark.timeout(400)
async def test_a_server_killed_at_random_moments_makes_the_same_output(tmp_path: Path) -> None:
    server = RealServer(tmp_path, free_port(), {"limits.work_per_minute": "100000"})
    await server.start()
    over = asyncio.Event()
    async with aiohttp.ClientSession() as session:
        found = far_house(server, session)
        workers = await begin(found)
        working = [asyncio.create_task(worker.work(over)) for worker in workers]
        try:
            await kill_often(server, workers, seed=7)
            assert (await found.show())["state"] == "active", "all was done before the last kill"
            for worker in workers:
                worker.hurry = True
            async with asyncio.timeout(180):
                view = await wait_done(found)
        finally:
            over.set()
            told = await asyncio.gather(*working, return_exceptions=True)
            status = await server.stop()
        assert [error for error in told if error is not None] == []
        assert status == 0
    assert view["settled"] == 1000
    assert view["output"]["digest"] == (await undisturbed(tmp_path / "calm"))["digest"]
    async with house(tmp_path) as again:
        assert await output_of(again) == WHOLE
        _, checked = await again.manage("POST", "/productions/toy-run/verify")
        assert (checked["ok"], checked["events"]) == (True, 1000)
        # Each start counts what the ledgers have, and was killed at it or soon after.
        _, counted = await again.manage("POST", "/stats/check")
        assert counted == {"ok": True, "discrepancies": []}
        await rollups.once(again.deps)
        assert await stats.total(again.deps, Measure.EVENTS_SETTLED) == 1000


async def test_a_second_server_on_the_same_data_is_refused_with_its_reason(tmp_path: Path) -> None:
    server = RealServer(tmp_path, free_port())
    await server.start()
    second = RealServer(tmp_path, free_port())
    try:
        process = await second.start()
        assert await process.wait() == 3
        said = (tmp_path / "log").read_text()
        assert "is in use by process" in said
        assert "Traceback" not in said
        async with aiohttp.ClientSession() as session:
            answer = await far_house(server, session).answer("GET", "/healthz")
            assert answer.status == 200
    finally:
        assert await server.stop() == 0
