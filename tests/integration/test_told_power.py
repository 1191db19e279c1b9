"""What machines tell of their benchmarks: from the features of a site to its page alone."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from server.domain.rollup import Kind
from server.services import words
from tests.integration.test_doors import WORD, doors
from tests.integration.test_giving import NOVEMBER
from tests.kit.agent_process import AgentProcess
from tests.kit.command_line import run
from tests.kit.fake_server import FakeServer
from tests.kit.gifts import amount, gave
from tests.kit.house import Hand, House, house
from tests.kit.surfer import Surfer
from vmagent.wire import messages as m

Scene = tuple[House, Surfer]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A server with an administrator, and a browser."""
    async with doors(tmp_path, **{"leases.retry_s": "0.2"}) as found:
        yield found


async def told(hand: Hand, **power: Any) -> int:
    """The status of an ask in which a machine tells this of itself."""
    return (await hand.call("POST", "/api/v1/work", _asked(**power)))[0]


def _asked(**power: Any) -> m.AskRequest:
    return m.AskRequest(uuid.uuid4().hex, 1, 8000, 8000, **power)


async def benchmarks(found: House, host: int) -> list[tuple[str, float, str, bool]]:
    """What programs are told of the benchmarks of a machine."""
    said = await found.told(f"/hosts/{host}")
    keys = ("name", "core", "origin", "counts")
    return [cast(Any, tuple(one[key] for key in keys)) for one in said["benchmarks"]]


async def test_an_agent_tells_what_the_features_of_its_site_say_and_what_they_say_later(
    scene: Scene, tmp_path: Path
) -> None:
    found, browser = scene
    await found.manage("POST", "/accounts", {"name": "desy", "role": "institute"})
    token = (await found.token("desy", site="zeuthen"))["token"]
    agent = AgentProcess(tmp_path / "node")
    door = cast(FakeServer, SimpleNamespace(url=found.url, token=token))
    await asyncio.to_thread(agent.join, door)
    [host] = found.deps.registry.hosts
    machine = tmp_path / "machinefeatures"
    machine.mkdir()
    (machine / "hs06").write_text("320\n")
    (machine / "total_cpu").write_text("16\n")

    async def knows(*expected: tuple[str, float, str, bool]) -> bool:
        return await benchmarks(found, host) == list(expected)

    agent.start("--machine-features", str(machine), "--features-s", "0.1")
    try:
        await found.until(lambda: knows(("hs06", 20.0, "machine", True)))
        (machine / "hs06").write_text("no number\n")
        (machine / "hepscore23").write_text("360\n")
        await found.until(lambda: knows(("hepscore23", 22.5, "machine", True)))
        await gave(found, Kind.HOST, str(host), NOVEMBER, amount(1, 2))
        await browser.log_in("admin", WORD)
        page = (await browser.get("/sites/zeuthen/giving?month=2025-11")).text
        assert "told by machine" in page
        assert "Every machine that gave CPU hours has a benchmark." in page
        page = (await browser.get(f"/hosts/{host}")).text
        assert "22.5 a core, told by the machine" in page
    finally:
        await asyncio.to_thread(agent.kill_all)


async def test_an_operators_benchmark_counts_before_the_machines_own_word(
    scene: Scene, tmp_path: Path
) -> None:
    found, browser = scene
    hand = await found.join("ada")
    assert await told(hand, hs06=18.2, hepscore23=0.0) == 200
    await found.manage("PUT", f"/hosts/{hand.id}/benchmark", {"name": "hs06", "value": 80})
    assert await benchmarks(found, hand.id) == [
        ("hs06", 20.0, "operator", True), ("hs06", 18.2, "machine", False),
    ]  # fmt: skip
    assert await told(hand, hs06=99.0, hepscore23=0.0) == 200
    assert (await benchmarks(found, hand.id))[0] == ("hs06", 20.0, "operator", True)
    await browser.log_in("admin", WORD)
    page = (await browser.get(f"/hosts/{hand.id}")).text
    assert "20 a core, set by admin as 80 in all" in page
    assert "99 a core, told by the machine, passed over" in page
    (tmp_path / "token").write_text(found.admin)
    door = ("--server", found.url, "--token-file", tmp_path / "token")
    said = await asyncio.to_thread(run, "host", "benchmark", str(hand.id), *door)
    assert [line.split()[:4] for line in said.out.splitlines()[-2:]] == [
        ["hs06", "20", "80", "operator"], ["hs06", "99", "396", "machine"],
    ]  # fmt: skip


async def test_hours_say_whose_word_their_benchmark_is_and_how_many_have_none(scene: Scene) -> None:
    found, browser = scene
    hosts = {}
    for number, (name, power) in enumerate({"n1": 10.0, "n2": 12.5, "n3": 0.0}.items(), 1):
        made = await found.token("desy", site="zeuthen", role="institute")
        status, said = await found.enrol(made["token"], name)
        assert status == 201
        hosts[name] = said["host"]
        hand = Hand(found, name, said["host"], said["token"])
        assert await told(hand, hs06=power, hepscore23=0.0) == 200
        await gave(found, Kind.HOST, str(hand.id), NOVEMBER, amount(number, 1))
    await found.manage("PUT", f"/hosts/{hosts['n1']}/benchmark", {"name": "hs06", "value": 80})
    status, said = await found.manage("GET", "/sites/zeuthen/giving?month=2025-11")
    [n1, n2, n3] = [one["given"] for one in said["machines"]]
    hours = [one["cpu_h"] for one in (n1, n2, n3)]
    assert (n1["hs06_h"], n1["hs06_told_h"]) == (20.0 * hours[0], 0.0)
    assert n2["hs06_h"] == n2["hs06_told_h"] == 12.5 * hours[1]
    assert [one["unmeasured_h"] for one in (n1, n2, n3)] == [0.0, 0.0, hours[2]]
    whole = said["whole"]
    assert (whole["cpu_h"], whole["unmeasured_h"]) == (sum(hours), hours[2])
    assert whole["hs06_told_h"] == n2["hs06_h"]
    await browser.log_in("admin", WORD)
    page = (await browser.get("/sites/zeuthen/giving?month=2025-11")).text
    words = f"{hours[2]:.1f} of the {sum(hours):.1f} CPU hours are of machines without a benchmark"
    assert words in page
    csv = (await browser.get("/sites/zeuthen/giving.csv?month=2025-11")).text.splitlines()
    assert [line.split(",")[-3] for line in csv] == ["hs06_from", "operator", "machine", ""]


@pytest.mark.parametrize("power", [100.5, 1e300, -1.0])
async def test_an_absurd_benchmark_is_refused_at_the_door(scene: Scene, power: float) -> None:
    found, _ = scene
    hand = await found.join("ada")
    assert await told(hand, hs06=power, hepscore23=0.0) == 400
    assert await told(hand, hs06=0.0, hepscore23=power) == 400
    for text in ("NaN", "Infinity", "1e999", '"20"'):
        body = b'{"ask":"ask-0123456789","slots":1,"memory_mb":1,"disk_mb":1,"hs06":%s}'
        status, _ = await found.call("POST", "/api/v1/work", body % text.encode(), hand.token)
        assert status == 400, text
    assert await benchmarks(found, hand.id) == []


async def test_a_machines_word_outlives_the_server_and_silence_and_is_written_when_it_changes(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as found:
        hand = await found.join("ada")
        assert await told(hand, hs06=12.5, hepscore23=13.5) == 200
    async with house(tmp_path) as found:
        hand = Hand(found, "ada", hand.id, hand.token)
        [card] = found.deps.registry.hosts.values()
        assert card.power == (12.5, 13.5)
        for power in ({"hs06": 12.5, "hepscore23": 13.5}, {}):
            at = await found.rows("SELECT power_told_at FROM hosts")
            assert await told(hand, **power) == 200, "the same again, and an older agent"
            assert await found.rows("SELECT power_told_at FROM hosts") == at
            assert [one[1] for one in await benchmarks(found, hand.id)] == [12.5, 13.5]
        assert await told(hand, hs06=0.0, hepscore23=0.0) == 200
        assert await benchmarks(found, hand.id) == []


async def test_a_machines_word_of_its_power_is_neither_credit_nor_trust(scene: Scene) -> None:
    found, _ = scene
    hands = [await found.join(name) for name in ("ada", "bob")]
    assert await told(hands[0], hs06=100.0, hepscore23=100.0) == 200
    await found.produce(found.definition(events=100, unit=100))
    for hand in hands:
        [lease] = await hand.leases()
        await hand.work(lease)

    async def paid() -> Any:
        rows = await found.rows("SELECT host, sum(credit) FROM credits GROUP BY host ORDER BY host")
        return rows if len(rows) == 2 else None

    [ada, bob] = await found.until(paid)
    assert (ada[0], bob[0]) == (hands[0].id, hands[1].id)
    assert ada[1] == bob[1] > 0
    trusts = [await words.show(found.deps, hand.id) for hand in hands]
    assert trusts[0].payloads == trusts[1].payloads
