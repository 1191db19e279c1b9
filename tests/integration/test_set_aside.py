"""An event that fails on everybody is set aside, and everything else is made exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.kit.house import Hand, House, honest, house
from vmagent.wire import messages as m

BAD = 137


async def crash(hand: Hand, lease: m.Lease, event: int = BAD) -> None:
    """Deliver what comes before this event, and die of it; or do all if it is not there."""
    if not lease.first <= event < lease.last:
        await hand.work(lease)
        return
    if lease.first < event:
        status, said = await hand.send(lease, lease.first, event)
        assert status == 200, said
    failure = m.EventFailure(event, event + 1, "crashed")
    log = f"reading geometry\n#0 Tracker::fit\nSegmentation fault at event {event}\n"
    status, said = await hand.report(lease, "failed", reason="crashed", failures=[failure], log=log)
    assert status == 200, said


async def settle(found: House, hands: Sequence[Hand], event: int = BAD) -> dict[str, Any]:
    """Let these hosts work, all of them dying of this event, until the production is done."""
    for _ in range(2000):
        view = await found.show()
        if view["state"] == "done":
            return view
        for hand in hands:
            for lease in await hand.leases():
                await crash(hand, lease, event)
        await asyncio.sleep(0.01)
    raise AssertionError(await found.show())


async def toy(found: House, **changes: Any) -> list[Hand]:
    """A production that nobody can make event 137 of, and three hosts of three accounts."""
    facts = {"events": 400, "unit": 200, "reference": 0, **changes}
    await found.produce(found.definition(**facts))
    return [await found.join(name) for name in ("ada", "bob", "cat")]


async def until_held(found: House, hands: Sequence[Hand]) -> None:
    """Every lease crashes, until the production holds the unit."""

    async def held() -> bool:
        for hand in hands:
            for lease in await hand.leases():
                await crash(hand, lease)
        return "held" in (await found.show())["reason"]

    assert await found.until(held)


async def output(found: House) -> bytes:
    body = await found.told("/productions/toy-run/output")
    return zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read()


@pytest.mark.parametrize("quorum", [1, 2])
async def test_a_production_goes_on_without_the_event_that_fails_everywhere(
    found: House, quorum: int
) -> None:
    view = await settle(found, await toy(found, quorum=quorum))
    assert (view["settled"], view["set_aside"]) == (399, 1)
    [event] = view["set_aside_events"]
    assert (event["first"], event["last"], event["accounts"]) == (BAD, BAD + 1, 3)
    assert event["why"] == "crashed"
    assert event["line"] == f"Segmentation fault at event {BAD}"
    wanted = [honest(event) for event in range(400) if event != BAD]
    assert await output(found) == b"".join(wanted)
    status, verified = await found.manage("POST", "/productions/toy-run/verify")
    assert (status, verified["ok"], verified["faults"]) == (200, True, [])
    assert (verified["events"], verified["expected"], verified["set_aside"]) == (399, 399, 1)


async def test_one_account_alone_sets_nothing_aside(found: House) -> None:
    ada, bob, cat = await toy(found, quorum=1, most_errors=50)
    twins = [ada, await found.join("ada2", "ada"), await found.join("ada3", "ada")]
    for twin in twins:
        for lease in await twin.leases():
            await crash(twin, lease)
    for _ in range(500):
        if (await found.show())["state"] == "done":
            break
        for hand in (bob, cat):
            for lease in await hand.leases():
                await hand.work(lease)
        await asyncio.sleep(0.01)
    view = await found.show()
    assert (view["state"], view["settled"], view["set_aside"]) == ("done", 400, 0)


async def test_hosts_that_were_often_wrong_set_nothing_aside(found: House) -> None:
    hands = await toy(found, quorum=1, most_errors=3)
    await found.deps.store.write(
        lambda tx: tx.run("UPDATE hosts SET rejected_events = 1000 WHERE id = $1", hands[0].id)
    )

    await until_held(found, hands)
    view = await found.show()
    assert view["set_aside"] == 0
    assert "events [137, 138) failed on 3 hosts: crashed" in view["reason"]


async def test_doubted_hosts_set_nothing_aside(found: House) -> None:
    hands = await toy(found, quorum=1, most_errors=3)
    body = {"word": "distrust", "reason": "odd spectra"}
    assert (await found.manage("POST", f"/hosts/{hands[0].id}/trust", body))[0] == 200

    await until_held(found, hands)
    assert (await found.show())["set_aside"] == 0


async def test_failures_put_down_to_the_payload_are_not_held_against_hosts(found: House) -> None:
    hands = await toy(found, quorum=1)
    cards = [found.deps.registry.hosts[hand.id] for hand in hands]
    for hand, card in zip(hands[:2], cards[:2], strict=True):
        while not card.quotas:
            for lease in await hand.leases():
                await crash(hand, lease)
    await settle(found, hands)
    assert [card.quotas for card in cards] == [{}, {}, {}]
    assert await found.rows("SELECT host FROM quotas") == []


async def test_a_payload_that_fails_at_everything_ends_held_and_not_empty(found: House) -> None:
    text = found.definition(events=40, unit=40, reference=0, quorum=1, most_errors=3)
    await found.produce(text + "most_set_aside = 2\n")
    hands = [await found.join(name) for name in ("ada", "bob", "cat")]

    async def held() -> bool:
        for hand in hands:
            for lease in await hand.leases():
                await crash(hand, lease, lease.first)
        return "held" in (await found.show())["reason"]

    assert await found.until(held)
    told = "2 of this production are set aside already, and no more may be (most_set_aside = 2)"
    assert told in (await found.show())["reason"]
    assert (await found.show())["set_aside"] == 2


async def test_events_set_aside_can_be_tried_again_until_they_are_written(found: House) -> None:
    hands = await toy(found, quorum=1)

    async def apart() -> bool:
        for hand in hands:
            for lease in await hand.leases():
                if lease.first < 200:
                    await crash(hand, lease)
                else:
                    await hand.report(lease, "returned")
        return bool((await found.show())["set_aside"])

    assert await found.until(apart)
    status, said = await found.manage("POST", "/productions/toy-run/give-back", {"event": 5})
    assert (status, said["code"]) == (404, "event-unknown")
    status, said = await found.manage("POST", "/productions/toy-run/give-back", {})
    assert (status, said) == (200, {"events": 1})
    view = await settle(found, hands, event=-1)
    assert (view["settled"], view["set_aside"]) == (400, 0)
    assert await output(found) == b"".join(honest(event) for event in range(400))


async def test_what_is_written_is_given_back_no_more(found: House) -> None:
    await settle(found, await toy(found, quorum=1))
    status, said = await found.manage("POST", "/productions/toy-run/give-back", {"event": BAD})
    assert (status, said["code"]) == (409, "already-written")
    status, said = await found.manage("POST", "/productions/toy-run/give-back", {})
    assert (status, said) == (200, {"events": 0})


async def test_a_parked_unit_is_written_after_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        hands = await toy(found, quorum=1)

        async def parked() -> bool:
            for hand in hands:
                for lease in await hand.leases():
                    if lease.first < 200:
                        await crash(hand, lease)
                    else:
                        await hand.report(lease, "returned")
            return bool(found.deps.parked.get(1))

        assert await found.until(parked)
        tokens = [(hand.name, hand.id, hand.token) for hand in hands]
    async with house(tmp_path) as found:
        again = [Hand(found, *one) for one in tokens]
        view = await settle(found, again)
        assert (view["settled"], view["set_aside"]) == (399, 1)
