"""A farm is switched off: its hosts alone are told, at once, also after a restart, and answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import postgres
from tests.kit.house import Hand, House, house


@pytest.fixture
async def found(tmp_path: Path) -> AsyncIterator[House]:
    """A server with a production."""
    async with house(tmp_path) as server:
        await server.produce(server.definition(events=1000, reference=0, quorum=1))
        yield server


async def join(found: House, name: str, site: str = "", account: str = "hlt") -> Hand:
    """A host of a site."""
    made = await found.token(account, **({"site": site} if site else {}))
    status, joined = await found.enrol(made["token"], name)
    assert status == 201, joined
    return Hand(found, name, joined["host"], joined["token"])


async def switch(found: House, path: str = "/sites/farm/mode", **facts: Any) -> dict[str, Any]:
    """Throw the switch."""
    status, made = await found.manage("PUT", path, {"mode": "offline", **facts})
    assert status == 200, made
    return dict(made)


async def site(found: House, name: str = "farm") -> Any:
    """A site as the administrator sees it."""
    return await found.told(f"/sites/{name}")


async def heard(hand: Hand, since: int = 0, wait: float = 0.0) -> list[Any]:
    """The commands of a host after one."""
    status, said = await hand.call("GET", f"/api/v1/commands?since={since}&wait={wait}")
    assert status == 200, said
    return list(said["commands"])


async def left(hand: Hand, seq: int) -> int:
    """Say that a command is obeyed."""
    body = {"seq": seq, "released_at": 1.0}
    status, _ = await hand.call("POST", "/api/v1/released", body)
    return status


async def test_a_switch_wakes_the_long_polls_of_its_site_and_no_others(found: House) -> None:
    farm = [await join(found, f"node-{n}", "farm") for n in range(3)]
    other, alone = await join(found, "desk", "office"), await join(found, "laptop")
    polls = [asyncio.create_task(heard(hand, 0, 50.0)) for hand in (*farm, other, alone)]
    await found.until(lambda: asyncio.sleep(0, found.deps.registry.hosts[alone.id].seen_at))
    await asyncio.sleep(0.05)
    made = await switch(found, reason="beam at 14:00")
    assert made["hosts"] == 3
    told = await asyncio.gather(*polls[:3])
    assert [[c["name"] for c in commands] for commands in told] == [["stop"]] * 3
    assert told[0][0]["args"] == {"stay": "1", "grace_s": "2"}
    assert not polls[3].done()
    assert not polls[4].done()
    rows = await found.rows("SELECT seq FROM commands")
    assert [row[0] for row in rows] == [made["seq"]]  # one row, whatever the number of hosts
    await switch(found, "/mode", how="drain")
    assert [c[0]["name"] for c in await asyncio.gather(*polls[3:])] == ["drain", "drain"]


async def test_who_is_switched_off_gets_no_work_and_others_do(found: House) -> None:
    node, other = await join(found, "node", "farm"), await join(found, "desk", "office")
    await switch(found)
    reply = await node.ask()
    assert (reply.leases, [c.name for c in reply.commands]) == ([], ["stop"])
    assert reply.retry_after > 0
    assert await other.leases()
    _, said = await found.manage("GET", "/hosts")
    assert [h["state"] for h in said["hosts"] if h["id"] == node.id] == ["switched off"]
    newcomer = await join(found, "node-2", "farm")
    reply = await newcomer.ask()
    assert (reply.leases, [c.name for c in reply.commands]) == ([], ["stop"])
    await switch(found, mode="online")
    assert await node.leases()
    assert [c["name"] for c in await heard(node)] == ["resume"]
    assert [c["name"] for c in await heard(newcomer)] == ["resume"]  # the stop is worth nothing now


async def test_a_command_is_repeated_until_it_is_acknowledged_and_no_longer(found: House) -> None:
    node = await join(found, "node", "farm")
    made = await switch(found, how="drain", grace_s=60)
    for _ in range(2):
        assert [c.seq for c in (await node.ask()).commands] == [made["seq"]]
    status, said = await node.call("POST", "/api/v1/heartbeat", {"tasks": [], "seq": made["seq"]})
    assert (status, said["commands"]) == (200, [])
    assert (await node.ask()).commands == []
    # Who knows of less than before has lost its memory, and is told anew.
    assert [c["seq"] for c in await heard(node, 0)] == [made["seq"]]
    # Who says that it has heard what was never said is not deaf for that.
    assert await heard(node, 2**60) == []
    again = await switch(found)
    assert [c.seq for c in (await node.ask()).commands] == [again["seq"]]


async def test_release_times_are_kept_and_who_has_not_answered_is_named(found: House) -> None:
    farm = [await join(found, f"node-{n}", "farm") for n in range(3)]
    lease = (await farm[0].leases())[0]
    made = await switch(found)
    seq = made["seq"]
    assert (await site(found))["stage"] == "announced"
    assert await heard(farm[0], seq) == []
    assert (await site(found))["stage"] == "draining"
    for hand in (farm[0], farm[1], farm[1]):
        assert await left(hand, seq) == 204
    assert await left(farm[2], seq - 1) == 204  # of no switch that reaches it: not counted
    view = await site(found)
    last = view["last_switch"]
    assert (view["mode"], view["how"], view["stage"]) == ("offline", "stop", "draining")
    assert (last["hosts"], last["released"], last["waiting"]) == (3, 2, ["node-2"])
    assert last["release_50_s"] >= 0
    assert last["release_100_s"] is None
    # What a host still had when it said that it had left is new work at once.
    assert last["taken_back"] == 1
    status, state = await farm[0].call("GET", f"/api/v1/tasks/{lease.task}")
    assert (status, state["state"]) == (200, "returned")
    assert await left(farm[2], seq) == 204
    view = await site(found)
    assert view["stage"] == "drained"
    assert view["last_switch"]["release_100_s"] >= view["last_switch"]["release_50_s"]


async def test_a_switch_and_its_answers_outlive_the_server(tmp_path: Path) -> None:
    await outlives(tmp_path)


@pytest.mark.postgres
async def test_a_switch_and_its_answers_outlive_the_server_on_postgresql(
    tmp_path: Path, postgres_server: postgres.Postgres
) -> None:
    await outlives(tmp_path, **{"database.url": postgres_server.new_pool()})


async def outlives(tmp_path: Path, **options: str) -> None:
    """A site is switched off; the server that comes after knows, and switches it on."""
    async with house(tmp_path, **options) as found:
        await found.produce(found.definition(events=1000, reference=0, quorum=1))
        farm = [await join(found, f"node-{n}", "farm") for n in range(2)]
        other = await join(found, "desk", "office")
        made = await switch(found, how="suspend", reason="beam")
        assert await left(farm[0], made["seq"]) == 204
    async with house(tmp_path, **options) as found:
        for hand in (*farm, other):
            hand.house = found
        view = await site(found)
        assert (view["mode"], view["how"], view["reason"]) == ("offline", "suspend", "beam")
        assert view["last_switch"]["waiting"] == ["node-1"]
        assert [c["name"] for c in await heard(farm[1])] == ["suspend"]
        assert await heard(other) == []
        assert await other.leases()
        reply = await farm[0].ask()
        assert reply.leases == []
        again = await switch(found, mode="online")
        assert again["seq"] > made["seq"]
        assert await farm[0].leases()


async def test_listed_hosts_accounts_and_all_are_scopes_of_their_own(found: House) -> None:
    one, two = await join(found, "node-1", "farm"), await join(found, "node-2", "farm")
    desk = await join(found, "desk", "office", "physics")
    await switch(found, hosts=[two.id])
    assert [c["name"] for c in await heard(two)] == ["stop"]
    assert (await site(found))["mode"] == "online"  # the site as a whole is not switched
    assert await one.leases()
    status, said = await found.manage(
        "PUT", "/sites/farm/mode", {"mode": "offline", "hosts": [desk.id]}
    )
    assert (status, said["code"]) == (400, "bad-input")
    assert (await switch(found, "/accounts/physics/mode"))["hosts"] == 1
    assert [c["name"] for c in await heard(desk)] == ["stop"]
    assert (await switch(found, "/mode", how="drain"))["hosts"] == 3
    assert {view["how"] for view in (await found.manage("GET", "/sites"))[1]["sites"]} == {"drain"}
    assert (await switch(found, "/mode", mode="online"))["hosts"] == 3
    assert await desk.leases()


@pytest.mark.parametrize(
    ("role", "name", "codes"),
    [
        ("institute", "hlt", (403, 200, 403)),
        ("institute", "else", (403, 403, 403)),
        ("operator", "olga", (200, 200, 403)),
        ("admin", "root", (200, 200, 200)),
    ],
)
async def test_roles_may_switch_their_own_others_or_all(
    found: House, role: str, name: str, codes: tuple[int, ...]
) -> None:
    made = await found.token(name, role=role, kind="api")
    await join(found, "node", "farm")
    for path, code in zip(("/sites/farm/mode", "/accounts/hlt/mode", "/mode"), codes, strict=True):
        body = b'{"mode": "offline"}'
        status, said = await found.call("PUT", f"/api/v1{path}", body, made["token"])
        assert status == code, said


async def test_a_suspended_farm_keeps_its_leases_beyond_their_time(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition(events=1000, reference=0, quorum=1, lease_s=1.0))
        node, other = await join(found, "node", "farm"), await join(found, "desk", "office")
        kept, lost = (await node.leases())[0], (await other.leases())[0]
        await switch(found, how="suspend")

        async def over() -> bool:
            _, state = await other.call("GET", f"/api/v1/tasks/{lost.task}")
            return bool(state["state"] == "expired")

        await found.until(over)
        _, state = await node.call("GET", f"/api/v1/tasks/{kept.task}")
        assert state["state"] == "leased"


async def test_a_server_that_ends_does_not_wait_for_long_polls(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        node = await join(found, "node", "farm")
        poll = asyncio.create_task(heard(node, 0, 50.0))
        await found.until(lambda: asyncio.sleep(0, found.deps.registry.hosts[node.id].seen_at))
        await asyncio.sleep(0.05)
        found.deps.registry.hang_up()
        assert await poll == []
        assert await heard(node, 0, 50.0) == []
