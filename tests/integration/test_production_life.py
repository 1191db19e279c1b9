"""A production from definition to verified output, with hosts that speak the wire by hand."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import zstandard

from tests.kit.house import House, finish, honest, house
from vmagent.wire import messages as m


async def output_of(found: House, name: str = "toy-run") -> bytes:
    status, raw = await found.call("GET", f"/api/v1/productions/{name}/output", None, found.admin)
    assert status == 200, raw
    view = await found.show(name)
    assert hashlib.sha256(raw).hexdigest() == view["output"]["digest"]
    return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True).read()


WHOLE = b"".join(honest(event) for event in range(1000))


async def test_two_accounts_make_every_event_once_and_in_order(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition())
        hands = [await found.join("ada"), await found.join("bob")]
        view = await finish(found, hands)
        assert view["settled"] == 1000
        assert await output_of(found) == WHOLE
        status, checked = await found.manage("POST", "/productions/toy-run/verify")
        assert (status, checked["ok"], checked["events"]) == (200, True, 1000)


async def test_one_account_alone_settles_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition(events=200))
        ada, twin = await found.join("ada"), await found.join("ada2", "ada")
        for hand in (ada, twin, ada, twin):
            for lease in await hand.leases(8):
                await hand.work(lease)
        await asyncio.sleep(0.2)
        view = await found.show()
        assert view["settled"] == 0
        assert view["in_hand"] == 100  # 200 copies of one account, of two that are wanted


async def test_a_cheat_is_named_and_loses(tmp_path: Path) -> None:
    def altered(event: int) -> bytes:
        return honest(event).replace(b"7", b"8") if event % 10 == 3 else honest(event)

    async with house(tmp_path) as found:
        await found.produce(found.definition())
        ada, bob, eve = [await found.join(name) for name in ("ada", "bob", "eve")]
        eve.make = altered  # type: ignore[attr-defined]
        view = await finish(found, [eve, ada, bob])
        assert await output_of(found) == WHOLE
        assert [name for name, _ in view["rejected_hosts"]] == ["eve"]
        assert view["rejected"] > 0


async def test_what_a_lost_host_had_delivered_is_not_made_again(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition(events=200, quorum=1))
        ada, bob = await found.join("ada"), await found.join("bob")
        [lease] = await ada.leases()
        half = (lease.first + lease.last) // 2
        status, _ = await ada.send(lease, lease.first, half)
        assert status == 200
        status, reply = await ada.report(lease, "returned")
        assert reply["task"]["state"] == "returned"
        made: list[tuple[int, int]] = []
        while (await found.show())["state"] != "done":
            for given in await bob.leases():
                made.append((given.first, given.last))
                await bob.work(given)
            await asyncio.sleep(0.01)
        assert sum(last - first for first, last in made) == 200 - (half - lease.first)
        assert await output_of(found) == WHOLE[: len(b"".join(honest(e) for e in range(200)))]


async def test_a_restarted_server_goes_on_where_it_was(
    tmp_path: Path, options: dict[str, str]
) -> None:
    async with house(tmp_path, **options) as found:
        await found.produce(found.definition())
        ada, bob = await found.join("ada"), await found.join("bob")
        [lease] = await ada.leases()
        await ada.send(lease, lease.first, lease.first + 10)
    async with house(tmp_path, **options) as again:
        ada.house = bob.house = again
        status, state = await ada.call("GET", f"/api/v1/tasks/{lease.task}")
        assert (status, state["held"]) == (200, [[lease.first, lease.first + 10]])
        status, _ = await ada.send(lease, lease.first + 10, lease.last)
        assert status == 200
        status, _ = await ada.report(lease)
        assert status == 200
        assert (await finish(again, [ada, bob]))["settled"] == 1000
        assert await output_of(again) == WHOLE


async def test_the_same_ask_twice_gives_the_same_leases(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition(reference=0))
        ada = await found.join("ada")
        one = await ada.ask(2, ask="the-same-ask")
        two = await ada.ask(2, ask="the-same-ask")
        assert sorted(one.leases) == sorted(two.leases)
        assert len(one.leases) == 2
        assert isinstance(one, m.AskReply)
