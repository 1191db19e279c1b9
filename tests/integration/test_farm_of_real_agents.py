"""Real agents on a farm that is switched off while they work, and on again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.kit.agent_process import AgentProcess
from tests.kit.fake_server import FakeServer
from tests.kit.house import House, house
from tests.kit.payload_scripts import SLOW


@pytest.fixture
async def found(tmp_path: Path) -> AsyncIterator[House]:
    """A server with a production whose events take 20 ms."""
    async with house(tmp_path) as server:
        text = server.definition(events=240, unit=60, quorum=1, reference=2)
        await server.produce(text, SLOW.replace("of %d;", "of %d\\n").encode())
        yield server


@pytest.fixture
async def agents(found: House, tmp_path: Path) -> AsyncIterator[list[AgentProcess]]:
    """Two agents of the farm, at work."""
    made = []
    for number in range(2):
        token = (await found.token("hlt", site="farm"))["token"]
        agent = AgentProcess(tmp_path / f"node-{number}")
        door = cast(FakeServer, SimpleNamespace(url=found.url, token=token))
        await asyncio.to_thread(agent.join, door)
        made.append(agent)
    for agent in made:  # together: neither is to find that the other has made everything
        agent.start("--flush-s", "0.2")
    yield made
    for agent in made:
        await asyncio.to_thread(agent.kill_all)


async def site(found: House) -> Any:
    """The farm as the administrator sees it."""
    return (await found.manage("GET", "/sites/farm"))[1]


async def is_quiet(found: House) -> bool:
    """Whether no event comes for a second."""
    before = await found.show()
    await asyncio.sleep(1.0)
    after = await found.show()
    return bool((before["settled"], before["in_hand"]) == (after["settled"], after["in_hand"]))


@pytest.mark.parametrize("how", ["stop", "suspend", "drain"])
async def test_agents_leave_when_told_stay_for_the_farm_and_come_back(
    found: House, agents: list[AgentProcess], how: str
) -> None:
    async def at_work() -> bool:
        view = await found.show()
        return bool((await site(found))["working"] == 2 and view["in_hand"] > 0)

    async def empty() -> bool:
        return bool((await site(found))["stage"] == "drained")

    await found.until(at_work, 60.0)
    body = {"mode": "offline", "how": how, "grace_s": 60 if how == "drain" else 2}
    status, _ = await found.manage("PUT", "/sites/farm/mode", body)
    assert status == 200
    await found.until(empty, 60.0)
    view = await site(found)
    assert (view["leases"] > 0) == (how == "suspend")
    assert view["last_switch"]["taken_back"] == 0  # each gave back what it had, by itself
    if how == "suspend":  # what was finished is still sent
        await found.until(lambda: is_quiet(found))
    before = await found.show()
    assert before["state"] != "done"
    await asyncio.sleep(1.0)
    after = await found.show()
    assert after["settled"] + after["in_hand"] == before["settled"] + before["in_hand"]
    assert [agent.running[0].poll() for agent in agents] == [None, None]  # they have stayed
    await found.manage("PUT", "/sites/farm/mode", {"mode": "online"})

    async def done() -> bool:
        return bool((await found.show())["state"] == "done")

    await found.until(done, 60.0)
    status, said = await found.manage("POST", "/productions/toy-run/verify")
    assert (status, said["ok"], said["events"]) == (200, True, 240)
