"""Hosts that hoard or fail: the others get the work, a unit is not held by one of them alone."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.integration.test_leases_over import later, unmarked
from tests.kit.house import Hand, House, finish
from vmagent.wire import messages as m


async def fail(found: House, hand: Hand) -> m.Lease:
    """Lease a range and fail it."""
    [lease] = await hand.leases()
    status, _ = await hand.report(lease, "failed", reason="crashed", log="Traceback\nno disk\n")
    assert status == 200
    await unmarked(found)
    return lease


async def cannot(hand: Hand, manifest: str, log: str = "x\nno /cvmfs here\n\n") -> None:
    """Tell that the reference events fail."""
    message = m.ClassReport(manifest, "0" * 64, 0.0, "crashed", log)
    status, _ = await hand.call("POST", "/api/v1/classes", message)
    assert status == 204


async def test_no_host_leases_more_than_its_slots_can_use(found: House) -> None:
    await found.produce(found.definition(events=1000, unit=5, reference=0))
    ada = await found.join("ada")
    given = [await ada.ask(256, slots=4096) for _ in range(2)]
    assert [len(reply.leases) for reply in given] == [16, 0]
    assert given[1].retry_after > 0
    bob = await found.join("bob")
    assert len((await bob.ask(256, slots=1)).leases) == 4


async def test_asks_at_once_share_the_room_of_their_host(found: House) -> None:
    await found.produce(found.definition(events=1000, unit=5, reference=0))
    ada = await found.join("ada")
    replies = await asyncio.gather(*(ada.ask(16, slots=1) for _ in range(8)))
    assert sum(len(reply.leases) for reply in replies) == 4


async def test_room_comes_back_when_a_lease_ends(found: House) -> None:
    await found.produce(found.definition(events=1000, unit=5, reference=0))
    ada = await found.join("ada")
    leases = await ada.leases(4)
    assert await ada.leases(4) == []
    await ada.work(leases[0])
    assert len(await ada.leases(4)) == 1


async def test_a_lease_that_stands_still_is_renewed_no_more(found: House) -> None:
    await found.produce(found.definition(events=200, unit=200, reference=0))
    ada = await found.join("ada")
    [lease] = await ada.leases()

    async def beat(done: int) -> float:
        beats = m.HeartbeatRequest([m.Progress(lease.task, done)])
        _, said = await ada.call("POST", "/api/v1/heartbeat", beats)
        return float(said["tasks"][0]["until"])

    first = await beat(1)
    later(found, 7100.0)
    second = await beat(1)
    assert second > first + 7000
    later(found, 200.0)
    assert await beat(1) == second
    assert await beat(2) > second


async def test_one_volunteer_alone_holds_no_unit(found: House) -> None:
    await found.produce(
        found.definition(events=100, unit=100, reference=0, quorum=1, most_errors=2)
    )
    ada, bob = await found.join("ada"), await found.join("bob")
    twin = await found.join("ada2", "ada")
    await fail(found, ada)
    for hand in (ada, twin):
        assert await hand.leases() == []  # the account failed it, and bob may have it
    later(found, 80.0)
    await finish(found, [bob])
    assert "held" not in (await found.show())["reason"]


async def test_an_account_that_failed_tries_again_after_a_while(found: House) -> None:
    await found.produce(
        found.definition(events=100, unit=100, reference=0, quorum=1, most_errors=2)
    )
    ada, bob = await found.join("ada"), await found.join("bob")
    await fail(found, ada)
    assert await ada.leases() == []
    later(found, 601.0)
    await bob.ask()  # bob is here, and gets the range before ada may have it again
    [errors] = await found.rows("SELECT errors FROM units")
    assert errors == (1,)
    assert await found.until(lambda: no_shunning(found))


async def no_shunning(found: House) -> bool:
    return all(not line.shunned for line in found.deps.lines.values())


async def test_a_lone_account_still_finds_out_that_a_unit_cannot_be_made(found: House) -> None:
    await found.produce(
        found.definition(events=100, unit=100, reference=0, quorum=1, most_errors=2)
    )
    ada = await found.join("ada")
    for _ in range(2):
        await fail(found, ada)
    assert "2 tasks of this unit failed" in (await found.show())["reason"]


async def test_a_host_that_fails_again_and_again_rests_longer_each_time(found: House) -> None:
    await found.produce(found.definition(events=1000, unit=5, reference=0, quorum=1))
    ada = await found.join("ada")
    await fail(found, ada)
    pauses = []
    for _ in range(11):
        await fail(found, ada)
        waits = (await ada.ask()).retry_after
        pauses.append(waits)
        later(found, waits + 0.1)
    assert pauses[:3] == [5.0, 5.0, pytest.approx(8.0, abs=1.0)]
    assert pauses[-1] == pytest.approx(600.0, abs=2.0)
    [lease] = await ada.leases()
    await ada.work(lease)
    assert len(await ada.leases()) == 1


async def test_of_many_failures_the_first_three_logs_are_kept(found: House) -> None:
    await found.produce(found.definition(events=100, unit=100, reference=0, quorum=1))
    ada = await found.join("ada")
    for _ in range(5):
        await fail(found, ada)
        later(found, 60.0)
    kept = await found.rows("SELECT log FROM tasks WHERE state = 'failed' ORDER BY id")
    assert [row[0] is not None for row in kept] == [True, True, True, False, False]


async def test_a_host_whose_reference_events_fail_is_told_by_its_number(
    found: House,
) -> None:
    await found.produce(found.definition(events=100, unit=100, quorum=1))
    ada, bob = await found.join("ada"), await found.join("bob")
    [manifest] = (await ada.ask()).probes
    await cannot(ada, manifest)
    reply = await ada.ask()
    assert (reply.probes, reply.leases) == ([], [])
    reason = (await found.show())["reason"]
    assert reason == f"its reference events fail on host {ada.id} (crashed): no /cvmfs here"
    page = await found.answer("GET", "/productions/toy-run")
    assert f"reference events fail on host {ada.id} " in page.body.decode()
    text = page.body.decode()
    assert not re.search(r"\bada\b", text), text
    await cannot(bob, manifest)
    later(found, 2.0)
    assert "and on 1 host more" in (await found.show())["reason"]
    later(found, 601.0)
    assert (await ada.ask()).probes == [manifest]
    await finish(found, [bob])
    assert (await found.show())["reason"] == ""


async def test_a_newer_long_poll_ends_the_older_one(found: House) -> None:
    ada = await found.join("ada")
    older = asyncio.create_task(ada.call("GET", "/api/v1/commands?wait=50"))
    await found.until(lambda: listening(found, 1))
    newer = asyncio.create_task(ada.call("GET", "/api/v1/commands?wait=50"))
    async with asyncio.timeout(60):
        assert await older == (200, {"commands": []})
    assert not newer.done()
    await found.until(lambda: listening(found, 1))
    await found.manage("POST", f"/hosts/{ada.id}/commands", {"name": "drain"})
    status, said = await newer
    assert (status, said["commands"][0]["name"]) == (200, "drain")


async def listening(found: House, count: int) -> bool:
    [card] = found.deps.registry.hosts.values()
    return len(card.woken._waiters) == count
