"""A real virtual machine, given nothing but a rendered context, joins and finishes a production."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contexts.part import Machine
from contexts.render.targets import render
from contexts.schema import Document
from tests.kit.house import House
from tests.kit.payload_scripts import GOOD, SLOW
from tests.kit.tls import tls_house
from tools import pack_agent
from tools.realvm.image import Guest, NotToBeHad, build
from tools.realvm.machine import HOST, Running

CACHE = Path.home() / ".cache" / "windfall"
EVENTS = 60
PATIENCE_S = 400.0


@pytest.fixture(scope="module")
def guest(request: pytest.FixtureRequest) -> Guest:
    """The guest, made once and kept; skipped where it is not wanted or cannot be had."""
    if "vm" not in request.config.option.markexpr and not os.environ.get("WINDFALL_VM"):
        pytest.skip("takes a minute or two: pytest -m vm, or WINDFALL_VM=1")
    try:
        return build(CACHE / "guest")
    except NotToBeHad as error:
        pytest.skip(str(error))


def publish(found: House) -> str:
    """The agent with the libraries that the guest lacks, for the server to hand out; its digest."""
    try:
        return pack_agent.pack(
            found.settings.data / "agent" / "windfall-agent.pyz", CACHE / "wheels", ["x86_64"]
        )
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the agent's libraries cannot be had: {error}")


def context(certificate: str) -> Document:
    """What a volunteer's machine is told, and whom it believes."""
    lines = certificate.strip().splitlines()
    told = "\n".join(f"echo '{line}' >>/etc/windfall-pool.pem" for line in lines)
    return {
        "hostname": {"hostname": "volunteer-0001"},
        "contextualization": {"before": told},
        "agent": {"slots": 1, "ca": "/etc/windfall-pool.pem", "reserve_mb": 1},
    }


@asynccontextmanager
async def booted(guest: Guest, found: House, folder: Path) -> AsyncIterator[Running]:
    """A machine that starts with nothing but a rendered context."""
    token = (await found.token("ada"))["token"]
    machine = Machine(
        name="volunteer-0001",
        server=f"https://{HOST}:{found.port}",
        token=token,
        agent_sha256=await asyncio.to_thread(publish, found),
    )
    told = context((folder / "cert.pem").read_text())
    rendered = render(told, 1, "iso", machine)
    assert "machine.token" in rendered.secrets
    seed = folder / "seed.iso"
    seed.write_bytes(rendered.file("seed.iso").body)
    try:
        running = Running(guest, seed, folder)
    except NotToBeHad as error:
        pytest.skip(str(error))
    try:
        yield running
    finally:
        running.kill()


async def reached(found: House, running: Running, true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so while the machine runs; what it said, if it does not come."""

    async def look() -> bool:
        assert running.process.poll() is None, running.serial[-4000:]
        assert "windfall: The agent is not here" not in running.serial, running.serial[-4000:]
        await asyncio.sleep(0.2)
        return await true()

    try:
        await found.until(look, PATIENCE_S)
    except TimeoutError:
        pytest.fail(running.serial[-8000:])


@pytest.mark.vm
@pytest.mark.timeout(900)
async def test_a_machine_of_a_rendered_context_joins_by_its_token_and_finishes_a_production(
    guest: Guest, tmp_path: Path
) -> None:
    async with tls_house(tmp_path, HOST) as found:
        text = found.definition(events=EVENTS, unit=30, quorum=1, reference=2)
        await found.produce(text, GOOD.replace("of %d;", "of seed %d\\n").encode())

        async def done() -> bool:
            return bool((await found.show())["state"] == "done")

        async with booted(guest, found, tmp_path) as running:
            await reached(found, running, done)
        _, hosts = await found.manage("GET", "/hosts")
        assert [host["name"] for host in hosts["hosts"]] == ["volunteer-0001"]
        status, said = await found.manage("POST", "/productions/toy-run/verify")
        assert (status, said["ok"], said["events"]) == (200, True, EVENTS)


@pytest.mark.vm
@pytest.mark.timeout(900)
async def test_the_power_button_of_a_machine_loses_nothing_that_is_finished(
    guest: Guest, tmp_path: Path
) -> None:
    async with tls_house(tmp_path, HOST) as found:
        text = found.definition(events=100_000, unit=100_000, quorum=1, reference=2)
        await found.produce(text, SLOW.replace("of %d;", "of seed %d\\n").encode())

        async def at_work() -> bool:
            [view] = (await found.manage("GET", "/productions"))[1]["productions"]
            return bool(view["in_hand"] > 0)

        async with booted(guest, found, tmp_path) as running:
            await reached(found, running, at_work)
            assert "return" in running.tell("system_powerdown")
            assert await asyncio.to_thread(running.process.wait, 120) == 0
        assert "guest: the power button" in running.serial
        rows = await found.rows(
            "SELECT state, cause, held, done FROM tasks WHERE host IS NOT NULL ORDER BY id"
        )
        assert [row[0] for row in rows] == ["returned"], (rows, running.serial[-4000:])
        _, _, held, done = rows[0]
        assert held >= done > 0, "what it said is finished is in hand"
