"""Leases that end early, late or not at all; units that are held; productions that are stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_production_life import output_of
from tests.kit.house import Hand, House, finish, honest, house
from vmagent.wire import messages as m


def expected(events: int) -> bytes:
    """What honest hosts make of all events."""
    return b"".join(honest(event) for event in range(events))


def later(found: House, seconds: float) -> None:
    """The clock of the server goes on."""
    before = found.deps.clock
    found.deps.clock = lambda: before() + seconds


async def ready(found: House) -> list[tuple[int, int]]:
    """The ranges that wait."""
    rows = await found.rows("SELECT first, last FROM tasks WHERE state = 'ready' ORDER BY first")
    return [(first, last) for first, last in rows]


async def over(found: House, lease: m.Lease, state: str) -> None:
    """Wait until a task has ended so."""

    async def ended() -> bool:
        [row] = await found.rows("SELECT state FROM tasks WHERE id = $1", lease.task)
        return bool(row[0] == state)

    await found.until(ended)


async def unmarked(found: House) -> None:
    """Wait until nothing is to be judged."""

    async def clean() -> bool:
        return not found.deps.dirty and not await found.rows(
            "SELECT number FROM units WHERE dirty > 0"
        )

    await found.until(clean)


async def test_only_the_rest_of_an_expired_lease_is_made_again(found: House) -> None:
    await found.produce(found.definition(events=100, unit=100, quorum=1, reference=0))
    ada, bob = await found.join("ada"), await found.join("bob")
    [lease] = await ada.leases()
    for first, last in ((0, 20), (50, 60)):
        await ada.send(lease, first, last)
    later(found, 61)
    await over(found, lease, "expired")
    await unmarked(found)
    made = []
    while leases := await bob.leases():
        for given in leases:
            made.append((given.first, given.last))
            await bob.work(given)
    assert made == [(20, 50), (60, 100)]
    await finish(found, [])
    assert await output_of(found) == expected(100)


async def test_a_sign_of_life_keeps_a_lease_but_not_beyond_its_deadline(found: House) -> None:
    text = found.definition(events=100, unit=100, quorum=1, reference=0)
    await found.produce(text.replace("lease_s = 60.0", "lease_s = 60.0\ndeadline_s = 150.0"))
    ada = await found.join("ada")
    [lease] = await ada.leases()
    beat = m.HeartbeatRequest([m.Progress(lease.task, 1)])
    for _ in range(2):
        later(found, 50)
        _, said = await ada.call("POST", "/api/v1/heartbeat", beat)
        assert said["tasks"][0]["state"] == "leased"
    later(found, 51)
    await ada.call("POST", "/api/v1/heartbeat", beat)
    await over(found, lease, "expired")


async def test_frames_of_a_lease_that_is_over_still_count(found: House) -> None:
    await found.produce(found.definition(events=100, unit=100, reference=0))
    ada, bob = await found.join("ada"), await found.join("bob")
    [lease] = await ada.leases()
    later(found, 61)
    await over(found, lease, "expired")
    status, said = await ada.send(lease, 0, 100)
    assert (status, said["task"]["state"]) == (200, "expired")
    [given] = await bob.leases()
    assert (given.first, given.last) == (0, 100)
    await bob.work(given)
    view = await finish(found, [])
    assert view["settled"] == 100
    assert (await found.rows("SELECT DISTINCT host FROM credits ORDER BY host")) != []


async def test_who_sent_late_frames_gets_no_second_copy_of_them(found: House) -> None:
    await found.produce(found.definition(events=100, unit=100, reference=0))
    ada = await found.join("ada")
    [lease] = await ada.leases()
    await ada.report(lease, "returned")
    await ada.send(lease, 0, 100)
    await unmarked(found)
    assert await ada.leases() == []


async def test_the_last_copy_after_a_unit_settled_is_taken_and_not_kept(found: House) -> None:
    await found.produce(found.definition(events=200, unit=100, reference=0))
    ada, bob, cid = [await found.join(name) for name in ("ada", "bob", "cid")]
    [lease] = await ada.leases()
    await ada.report(lease, "returned")
    await unmarked(found)
    for hand in (bob, cid):
        [given] = await hand.leases()
        assert given.first == 0
        await hand.work(given)

    async def settled() -> bool:
        return bool((await found.show())["units_settled"] == 1)

    await found.until(settled)
    status, said = await ada.send(lease, 0, 100)
    assert (status, said["task"]["state"]) == (200, "returned")
    assert await found.rows("SELECT id FROM frames WHERE unit = 0") == []
    _, state = await ada.call("GET", f"/api/v1/tasks/{lease.task}")
    assert state["held"] == [[0, 100]]


async def test_a_lease_whose_unit_settled_is_taken_back_and_its_host_told(found: House) -> None:
    await found.produce(found.definition(events=200, unit=100, reference=0))
    ada, bob, cid = [await found.join(name) for name in ("ada", "bob", "cid")]
    [one] = await ada.leases()
    await ada.report(one, "returned")
    await unmarked(found)
    await bob.work((await bob.leases())[0])
    [mine] = await cid.leases()
    assert mine.first == 0
    await ada.send(one, 0, 100)
    await over(found, mine, "aborted")
    _, said = await cid.call("GET", "/api/v1/commands?since=0&wait=5")
    assert [(c["name"], c["args"]) for c in said["commands"]] == [
        ("abort", {"task": str(mine.task)})
    ]


async def test_the_clock_of_a_host_does_not_matter(found: House) -> None:
    """No message of a host carries a time: a day off or a year, all it sends is the same."""
    for message in (m.AskRequest, m.ReportRequest, m.HeartbeatRequest, m.Progress, m.ClassReport):
        fields = message.__dataclass_fields__
        assert not {"time", "at", "now", "since"} & set(fields)
    await found.produce(found.definition(events=100, unit=100, quorum=1, reference=0))
    ada = await found.join("ada")
    [lease] = await ada.leases()
    path = f"/api/v1/tasks/{lease.task}"
    yesterday = {"Date": "Tue, 15 Nov 1994 08:12:31 GMT", "If-Modified-Since": "x"}
    answer = await found.answer("GET", path, token=ada.token, headers=yesterday)
    assert answer.status == 200
    await ada.work(lease)
    await finish(found, [])


@pytest.mark.parametrize("most", [2, 3])
async def test_a_unit_that_finds_no_agreement_is_held_with_its_reason(
    found: House, most: int
) -> None:
    await found.produce(found.definition(events=200, unit=100, reference=0, most_copies=most))
    hands = [await found.join(f"h{n}") for n in range(4)]
    for number, hand in enumerate(hands):

        def own(event: int, who: int = number) -> bytes:
            return f"{event} by {who}\n".encode() if event == 7 else honest(event)

        for lease in await hand.leases(8):
            await hand.work(lease, own)
        await unmarked(found)
    view = await found.show()
    assert "1 work unit held" in view["reason"]
    assert f"events [7, 8) found no 2 agreeing copies among {most}" in view["reason"]
    assert view["state"] == "active"
    assert await ready(found) == []
    page = await found.answer("GET", "/productions/toy-run")
    assert b"found no 2 agreeing copies" in page.body
    assert (view["strip"], view["settled"]) == (["held", "settled"], 100)


async def held_by_errors(found: House) -> list[Hand]:
    """Fail with enough accounts on the first unit."""
    hands = [await found.join(name) for name in ("ada", "bob", "cid")]
    for hand in hands:
        [lease] = await hand.leases()
        word = [m.EventFailure(7, 8, "segfault")]
        await hand.report(lease, "failed", reason="events-failed", failures=word)
        await unmarked(found)
    return hands


async def test_a_unit_whose_tasks_fail_too_often_is_held_with_their_words(found: House) -> None:
    text = found.definition(events=100, unit=100, reference=0, most_errors=3)
    await found.produce(text + "set_aside_after = 0\n")
    hands = await held_by_errors(found)
    view = await found.show()
    assert "3 tasks of this unit failed" in view["reason"]
    assert "events [7, 8) failed on 3 hosts: segfault" in view["reason"]
    for hand in hands:
        assert await hand.leases() == []


async def test_a_held_unit_goes_on_when_it_is_released(found: House) -> None:
    text = found.definition(events=100, unit=100, reference=0, most_errors=3)
    await found.produce(text + "set_aside_after = 0\n")
    hands = await held_by_errors(found)
    status, view = await found.manage("POST", "/productions/toy-run/release")
    assert (status, view["reason"]) == (200, "")
    await finish(found, hands)
    assert await output_of(found) == expected(100)
    status, said = await found.manage("POST", "/productions/toy-run/release")
    assert (status, said["code"]) == (409, "illegal-move")


async def test_a_unit_without_agreement_gets_new_copies_when_released(found: House) -> None:
    await found.produce(found.definition(events=100, unit=100, reference=0, most_copies=2))
    cid = await found.join("cid")
    for name, make in (("eve", lambda event: b"lie\n"), ("ada", honest)):
        hand = await found.join(name)
        await hand.work((await hand.leases())[0], make)
    await unmarked(found)
    assert await cid.leases() == []
    await found.manage("POST", "/productions/toy-run/release")
    await finish(found, [cid])
    assert await output_of(found) == expected(100)


async def test_a_late_copy_settles_even_a_unit_that_is_held(found: House) -> None:
    await found.produce(found.definition(events=100, unit=100, reference=0, most_copies=2))
    ada, bob, eve = [await found.join(name) for name in ("ada", "bob", "eve")]
    [late] = await bob.leases()
    await bob.report(late, "returned")
    await unmarked(found)
    for hand, make in ((eve, lambda event: b"lie\n"), (ada, honest)):
        await hand.work((await hand.leases())[0], make)
    await unmarked(found)
    assert "held" in (await found.show())["reason"]
    await bob.send(late, 0, 100)
    await finish(found, [])
    assert await output_of(found) == expected(100)


async def test_a_paused_production_takes_frames_and_gives_no_leases(found: House) -> None:
    await found.produce(found.definition(events=200, unit=100, reference=0))
    ada, bob = await found.join("ada"), await found.join("bob")
    [lease] = await ada.leases()
    await found.manage("POST", "/productions/toy-run/pause")
    assert await bob.leases() == []
    await ada.work(lease)
    view = await found.show()
    assert (view["state"], view["reason"], view["in_hand"]) == ("paused", "pause by admin", 50)
    status, said = await found.manage("POST", "/productions/toy-run/pause")
    assert (status, said["code"]) == (409, "illegal-move")
    await found.manage("POST", "/productions/toy-run/resume")
    await finish(found, [ada, bob])
    assert await output_of(found) == expected(200)


async def test_a_paused_production_may_be_completed_by_what_is_under_way(found: House) -> None:
    await found.produce(found.definition(events=100, unit=100, quorum=1, reference=0))
    ada = await found.join("ada")
    [lease] = await ada.leases()
    await found.manage("POST", "/productions/toy-run/pause")
    await ada.work(lease)
    await finish(found, [])
    assert await output_of(found) == expected(100)


async def test_the_hosts_of_an_aborted_production_are_told_to_stop(found: House) -> None:
    await found.produce(found.definition(events=200, unit=100, reference=0))
    ada, bob = await found.join("ada"), await found.join("bob")
    [lease] = await ada.leases()
    await ada.send(lease, lease.first, lease.first + 10)
    waiting = asyncio.create_task(ada.call("GET", "/api/v1/commands?since=0&wait=20"))
    await asyncio.sleep(0)
    status, view = await found.manage("POST", "/productions/toy-run/abort")
    assert (status, view["state"]) == (200, "aborted")
    _, said = await waiting
    assert [(c["name"], c["args"]["task"]) for c in said["commands"]] == [
        ("abort", str(lease.task))
    ]
    _, said = await ada.call(
        "POST", "/api/v1/heartbeat", m.HeartbeatRequest([m.Progress(lease.task)])
    )
    assert said["tasks"][0]["state"] == "gone"
    assert await bob.leases() == []
    states = await found.rows("SELECT state, count(*) FROM tasks GROUP BY state ORDER BY state")
    assert {row[0] for row in states} == {"aborted", "withdrawn"}
    assert {row[0] for row in await found.rows("SELECT state FROM units")} == {"aborted"}
    assert await found.rows("SELECT id FROM frames") == []
    assert found.deps.lines == {} or not found.deps.lines.get(1)


async def test_an_aborted_production_stays_over_after_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition(events=200, unit=100, reference=0))
        ada = await found.join("ada")
        [lease] = await ada.leases()
        await found.manage("POST", "/productions/toy-run/abort")
    async with house(tmp_path) as again:
        ada.house = again
        assert await ada.leases() == []
        status, said = await ada.send(lease, 0, 10)
        assert (status, said["code"]) == (410, "production-over")
        assert again.deps.registry.tasks == {}


async def test_a_million_millions_of_events_are_created_without_a_row_for_each(
    found: House,
) -> None:
    text = found.definition(events=10**12, unit=10_000, reference=0)
    view = await found.produce(text)
    assert (view["events"], view["units"]) == (10**12, 10**8)
    assert await found.rows("SELECT count(*) FROM units") == [(0,)]
    ada = await found.join("ada")
    [lease] = await ada.leases()
    await ada.send(lease, lease.first, lease.first + 10)
    for table, most in (("units", 1000), ("tasks", 2001), ("frames", 1), ("settled", 0)):
        [(count,)] = await found.rows(f"SELECT count(*) FROM {table}")
        assert count <= most
    page = await found.answer("GET", "/productions/toy-run")
    assert page.status == 200
    assert len(page.body) < 100_000


async def collect(found: House, path: str) -> list[Any]:
    """The first event of a live page."""
    async with found.session.get(found.url + path) as reply:
        assert reply.content_type == "text/event-stream"
        lines: list[Any] = []
        while line := (await reply.content.readline()).decode().rstrip("\n"):
            lines.append(line)
        return lines


async def test_pages_and_live_pages_show_what_really_happens(found: House) -> None:
    await found.produce(found.definition(events=100, unit=100, reference=0))
    ada, bob = await found.join("ada"), await found.join("bob")
    for hand in (ada, bob):
        await hand.work((await hand.leases())[0])
    await finish(found, [])
    digest = (await found.show())["output"]["digest"]
    for path, words in (
        ("/", ["toy-run", "100 of 100"]),
        ("/productions/toy-run", ["toy 1", digest, "leased to host 1", "settle"]),
    ):
        answer = await found.answer("GET", path)
        assert answer.status == 200
        live = "\n".join(await collect(found, f"{path.rstrip('/')}/events"))
        assert live.startswith("event: live\ndata: ")
        for word in words:
            assert word in answer.body.decode()
            assert word in live
