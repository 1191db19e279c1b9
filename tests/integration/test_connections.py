"""One address takes up no more connections than it may, and others come in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server.handlers.peer import networks
from server.handlers.turnstile import Turnstile
from tests.kit.house import house
from tests.kit.ports import free_port
from tests.kit.real_server import RealServer

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
FEW = {"limits.connections_per_address": "3"}


async def asks(port: int) -> asyncio.StreamWriter | None:
    """A connection that stays, if it is answered."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEALTH)
        head = await reader.readline()
    except ConnectionError:
        return None
    if not head:
        writer.close()
        return None
    assert b"200" in head
    return writer


@pytest.mark.parametrize("lane", ["true", "false"])
async def test_one_address_has_so_many_connections_and_a_place_that_is_left_is_free(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, lane: str
) -> None:
    async with house(tmp_path, **FEW, **{"server.fast_lane": lane}) as found:
        port = int(found.url.rpartition(":")[2])
        here = [await asks(port) for _ in range(6)]
        assert [one is not None for one in here] == [True] * 3 + [False] * 3
        told = [one.getMessage() for one in caplog.records if "connections" in one.getMessage()]
        assert told == ["too many connections of one address"]
        first = here[0]
        assert first is not None
        first.close()

        async def free() -> bool:
            here.append(await asks(port))
            return here[-1] is not None

        await found.until(free)
        assert await asks(port) is None
        for writer in here:
            if writer is not None:
                writer.close()


async def test_a_real_server_turns_away_who_has_too_many(tmp_path: Path) -> None:
    """Its loop is another one (uvloop) than that of the tests."""
    server = RealServer(tmp_path, free_port(), FEW)
    await server.start()
    try:
        here = [await asks(server.port) for _ in range(6)]
        assert [one is not None for one in here] == [True] * 3 + [False] * 3
        for writer in here[:3]:
            assert writer is not None
            writer.close()
    finally:
        await server.stop()
    said = (tmp_path / "log").read_text()
    assert ("too many connections of one address" in said, "Traceback" in said) == (True, False)


async def test_connections_of_a_proxy_of_ours_are_those_of_everybody(tmp_path: Path) -> None:
    options = {"server.behind_proxy": "true", "server.proxies": "127.0.0.1"}
    async with house(tmp_path, **FEW, **options) as found:
        port = int(found.url.rpartition(":")[2])
        here = [await asks(port) for _ in range(6)]
        assert all(here)
        for writer in here:
            assert writer is not None
            writer.close()


async def test_places_are_counted_and_forgotten() -> None:
    gate = Turnstile(2, networks(["10.0.0.0/8"]))
    assert [gate.enter(f"2001:db8::{n}") for n in range(3)] == ["2001:db8::/64"] * 2 + [None]
    assert gate.enter("2001:db8:0:1::1") == "2001:db8:0:1::/64"
    assert gate.enter("::ffff:192.0.2.1") == gate.enter("192.0.2.1") == "192.0.2.1"
    assert gate.enter("192.0.2.1") is None
    assert [gate.enter("10.1.2.3") for _ in range(5)] == [""] * 5
    for place in ("2001:db8::/64", "2001:db8::/64", "2001:db8:0:1::/64", "192.0.2.1", "192.0.2.1"):
        gate.leave(place)
    gate.leave("")
    assert gate._here == {}, "an address that has gone costs nothing"
