"""The end of a production, on both databases: slow hosts are cut, silent ones get a double."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.domain import sizing
from tests.kit.backroom import Backroom


@pytest.fixture
async def room(
    pool_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Backroom]:
    """A server without doors, whose leases are a whole unit."""
    monkeypatch.setattr(sizing, "FIRST_EVENTS", 1000)
    async with Backroom(tmp_path, url=pool_url) as made:
        yield made


async def all_leased(room: Backroom, quorum: int = 1) -> tuple[int, int, int]:
    """A production whose one unit a slow host has, and a fast host without work."""
    production = await room.produce(events=1000, unit=1000, quorum=quorum)
    slow, fast = await room.join("slow", "ada"), await room.join("fast", "bob")
    room.proven(fast, production, 0.01)
    return production, slow, fast


async def test_a_slow_host_is_cut_and_a_fast_one_makes_the_tail(room: Backroom) -> None:
    production, slow, fast = await all_leased(room)
    [lease] = await room.ask(slow)
    assert (lease.row.first, lease.row.last) == (0, 1000)
    await room.later(50)
    await room.send(lease, 0, 50)
    await room.hasten()
    end = lease.row.last
    assert 50 < end < 200
    assert await room.rows("SELECT last, lent FROM tasks WHERE id = $1", lease.row.id) == [
        (end, 1000)
    ]
    [tail] = await room.ask(fast)
    assert (tail.row.first, tail.row.last) == (end, 1000)
    # What was under way when the host was told is taken, and is no second copy of its account's.
    await room.send(lease, 50, end + 10)
    assert lease.held.covers(0, end + 10)
    await room.send(tail, tail.row.first, 1000)
    await room.end(tail, "deliver")
    await room.end(lease, "deliver")
    await room.judge()
    await room.output(production, 1)


async def test_a_cut_lease_is_still_cut_after_a_restart(room: Backroom) -> None:
    _, slow, _ = await all_leased(room)
    [lease] = await room.ask(slow)
    await room.later(50)
    await room.send(lease, 0, 50)
    await room.hasten()
    await room.stop()
    await room.open()
    again = room.deps.registry.tasks[lease.row.id]
    assert (again.row.last, again.lent) == (lease.row.last, 1000)
    await room.send(again, 50, 300)
    assert again.held.covers(0, 300)


async def test_what_a_silent_host_holds_is_made_once_more_and_the_loser_told(
    room: Backroom,
) -> None:
    production, slow, fast = await all_leased(room)
    [lease] = await room.ask(slow)
    await room.send(lease, 0, 100)
    await room.later(50, fast)
    await room.hasten()
    assert lease.row.last == 1000
    [copy] = await room.ask(fast)
    assert (copy.row.first, copy.row.last) == (100, 1000)
    await room.send(lease, 100, 150)
    for first in range(100, 1000, 100):
        await room.send(copy, first, first + 100)
    await room.end(copy, "deliver")
    await room.judge()
    await room.output(production, 1)
    assert lease.row.id not in room.deps.registry.tasks
    assert [(o.name, o.args) for o in room.host(slow).orders] == [
        ("abort", {"task": str(lease.row.id)})
    ]
    booked = await room.rows("SELECT host, first, last FROM credits ORDER BY first, host")
    assert (slow, 0, 100) in booked


async def test_a_loser_is_cut_where_the_double_has_settled_the_tail(room: Backroom) -> None:
    _, slow, fast = await all_leased(room)
    [lease] = await room.ask(slow)
    await room.later(50, fast)
    await room.hasten()
    [copy] = await room.ask(fast)
    await room.send(copy, 500, 1000)
    await room.end(copy, "give-back")
    await room.judge()
    assert (lease.row.first, lease.row.last) == (0, 500)
    waiting = await room.rows("SELECT first, last FROM tasks WHERE state = 'ready'")
    assert waiting == [(0, 500)]  # the double of what is not settled, once
    view = await room.rows("SELECT cause FROM moves WHERE subject = $1 AND source = target",
                           lease.row.id)  # fmt: skip
    assert view == [("trimmed to 500, the rest is settled",)]


async def test_the_double_waits_for_no_unreliable_host_but_not_for_ever(room: Backroom) -> None:
    _, slow, fast = await all_leased(room)
    new = await room.join("new", "cid")
    await room.ask(slow)
    await room.later(50, fast)
    await room.hasten()
    assert await room.ask(new) == []
    await room.later(90, slow, fast, new)
    await room.hasten()
    [copy] = await room.ask(new)
    assert copy.row.first == 0


async def test_no_account_gets_the_double_of_its_own_lease(room: Backroom) -> None:
    production, slow, fast = await all_leased(room)
    mate = await room.join("mate", "ada")
    room.proven(mate, production, 0.001)
    await room.ask(slow)
    room.host(fast).seen_at = 0.0
    await room.later(50, mate)
    await room.hasten()
    assert await room.rows("SELECT id FROM tasks WHERE state = 'ready'") == []
    assert await room.ask(mate) == []


async def test_with_a_quorum_each_late_copy_is_doubled_once(room: Backroom) -> None:
    _, slow, fast = await all_leased(room, quorum=2)
    other = await room.join("other", "cid")
    await room.ask(slow)
    await room.ask(other)
    await room.later(50, fast)
    for _ in range(3):
        await room.hasten()
    waiting = await room.rows("SELECT first, last FROM tasks WHERE state = 'ready'")
    assert waiting == [(0, 1000)]


async def test_while_work_waits_nobody_is_cut(room: Backroom) -> None:
    production = await room.produce(events=100_000, unit=1000, quorum=1)
    slow, fast = await room.join("slow", "ada"), await room.join("fast", "bob")
    room.proven(fast, production, 0.01)
    [lease] = await room.ask(slow)
    await room.later(50, fast)
    await room.hasten()
    assert not lease.late
    assert not lease.lent
