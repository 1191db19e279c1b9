"""A host that says how long it will be there gets work for that time and no more."""

from __future__ import annotations

import pytest

from server.domain.sizing import FIRST_EVENTS, MARGIN
from tests.integration.test_leases_over import later
from tests.kit.house import Hand, House
from vmagent.wire import codec
from vmagent.wire import messages as m


async def length(hand: Hand, left: float | None) -> int:
    """How many events it is given; 0 if nothing."""
    reply = await hand.ask(left=left)
    for manifest in reply.probes:
        hand.classes[manifest] = "c" * 64
        report = m.ClassReport(manifest, "c" * 64, 0.1)  # seconds per event
        assert (await hand.call("POST", "/api/v1/classes", report))[0] == 204
        return await length(hand, left)
    spans = [codec.decode(text, m.Lease) for text in reply.leases]
    return sum(one.last - one.first for one in spans)


async def test_a_lease_is_cut_to_the_time_that_is_left(found: House) -> None:
    await found.produce(found.definition(events=100_000, unit=50_000, quorum=1))
    seconds = {name: left for name, left in (("ann", 60.0), ("bob", 600.0), ("cid", 22.0))}
    for name, left in seconds.items():
        hand = await found.join(name)
        assert await length(hand, left) == int(MARGIN * left / 0.1)


async def test_a_host_of_unknown_speed_gets_little_whatever_it_says(found: House) -> None:
    await found.produce(found.definition(events=100_000, unit=50_000, quorum=1, reference=0))
    hand = await found.join("ann")
    assert await length(hand, 3600.0) == FIRST_EVENTS


async def test_nothing_is_leased_of_which_not_one_block_would_be_finished(found: House) -> None:
    await found.produce(
        found.definition(events=100_000, unit=50_000, quorum=1, block=1000, reference=1000)
    )
    hand = await found.join("ann")
    assert await length(hand, 60.0) == 0
    assert await length(hand, 200.0) == 1000


@pytest.mark.parametrize("rested", [True, False])
async def test_a_night_in_suspension_is_not_taken_for_slowness(found: House, rested: bool) -> None:
    await found.produce(found.definition(events=100_000, unit=50_000, quorum=1))
    hand = await found.join("ann")
    assert await length(hand, 60.0) == 480
    (lease,) = await hand.leases()
    doing = {"doing": "suspended", "why": "on-battery"} if rested else {}
    beat = {"tasks": [{"task": lease.task, "done": 0}], **doing}
    assert (await hand.call("POST", "/api/v1/heartbeat", beat))[0] == 200
    later(found, 30.0)
    assert (await hand.send(lease, lease.first, lease.first + 1))[0] == 200
    assert (await hand.report(lease, "returned"))[0] == 200
    assert (await length(hand, 60.0) == 480) is rested


async def test_who_comes_back_first_after_a_break_does_not_take_it_all(found: House) -> None:
    await found.produce(found.definition(events=100_000, unit=50_000, quorum=1))
    hands = [await found.join(f"host{number}") for number in range(20)]
    deps = found.deps
    for hand in hands:
        deps.registry.hosts[hand.id].seen_at = deps.clock()
    deps.registry.count_here(deps.clock())
    assert deps.registry.tasks == {}
    assert await length(hands[0], None) == 100_000 // (2 * 20)
