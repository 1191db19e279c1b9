"""The end of a production with real agents, of which one is really stopped (SIGSTOP)."""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from server import loops
from server.blobs.seekable import compress_unit
from server.services import endgame
from tests.kit.agent_process import AgentProcess
from tests.kit.fake_server import FakeServer
from tests.kit.house import House, honest, house
from tests.kit.payload_scripts import SLOW

EVENTS, UNIT, AGENTS = 1500, 100, 3
LEASE_S = 600.0  # nothing runs out in this test: what ends leases is the end of the production


@pytest.fixture
async def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A server that looks often at what holds up the end, and takes 4 s for silence."""
    monkeypatch.setattr(loops, "HASTEN_S", 0.5)
    monkeypatch.setattr(endgame, "BEATS", LEASE_S / 2.0)
    async with house(tmp_path, **{"leases.retry_s": "0.5"}) as server:
        facts: dict[str, Any] = {
            "events": EVENTS,
            "unit": UNIT,
            "quorum": 1,
            "reference": 2,
            "lease_s": LEASE_S,
        }
        script = SLOW.replace("event %d of %d;", "event %d of seed %d\\n")
        await server.produce(server.definition(**facts), script.encode())
        yield server


@pytest.fixture
async def agents(found: House, tmp_path: Path) -> AsyncIterator[list[AgentProcess]]:
    """Agents of different accounts, at work."""
    made = []
    for number in range(AGENTS):
        token = (await found.token(f"account-{number}"))["token"]
        agent = AgentProcess(tmp_path / f"node-{number}")
        door = cast(FakeServer, SimpleNamespace(url=found.url, token=token))
        await asyncio.to_thread(agent.join, door)
        agent.start("--flush-s", "0.2")
        made.append(agent)
    yield made
    for agent in made:
        await asyncio.to_thread(agent.kill_all)


async def stopped_at_work(found: House, agent: AgentProcess, host: int) -> int:
    """Stop an agent's process while it holds a lease that is not covered; which lease."""
    process, card = agent.running[0], found.deps.registry.hosts[host]

    async def caught() -> int:
        if not any(not task.covered for task in card.tasks.values()):
            return 0
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.5)  # what it sent before arrives
        for number, task in card.tasks.items():
            if not task.covered:
                return int(number)
        process.send_signal(signal.SIGCONT)
        return 0

    return int(await found.until(caught, 120.0))


async def test_what_a_stopped_agent_holds_is_made_by_others_and_it_is_told_when_it_goes_on(
    found: House, agents: list[AgentProcess]
) -> None:
    hosts = sorted(found.deps.registry.hosts)

    async def near_the_end() -> bool:
        view = await found.show()
        known = all(found.deps.registry.hosts[host].proven for host in hosts)
        return bool(known and view["settled"] >= EVENTS // 5)

    await found.until(near_the_end, 120.0)
    task = await stopped_at_work(found, agents[0], hosts[0])

    async def done() -> bool:
        return bool((await found.show())["state"] == "done")

    await found.until(done, 150.0)
    agents[0].running[0].send_signal(signal.SIGCONT)
    assert await found.rows("SELECT state FROM tasks WHERE id = $1", task) == [("aborted",)]
    copies = await found.rows(
        "SELECT t.host FROM tasks AS t JOIN tasks AS s ON s.id = $1 AND t.unit = s.unit"
        " WHERE t.id > $1 AND t.state = 'delivered' AND t.first < s.last AND t.last > s.first",
        task,
    )
    assert {row[0] for row in copies} - {hosts[0]} != set()

    async def idle() -> bool:
        shown = await asyncio.to_thread(agents[0].status)
        kept = list((agents[0].state / "tasks").iterdir())
        return bool(shown["state"] == "idle" and shown["tasks"] == [] and kept == [])

    await found.until(idle, 120.0)  # and it keeps nothing of it
    units = await found.rows("SELECT digest FROM units ORDER BY number")
    wanted = []
    for first in range(0, EVENTS, UNIT):
        content = b"".join(honest(event) for event in range(first, first + UNIT))
        wanted.append((hashlib.sha256(compress_unit(content).data).hexdigest(),))
    assert [tuple(row) for row in units] == wanted
    status, said = await found.manage("POST", "/productions/toy-run/verify")
    assert (status, said["ok"], said["events"]) == (200, True, EVENTS)
