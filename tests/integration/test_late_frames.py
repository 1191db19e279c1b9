"""Frames that come when their lease is over: of no event has an account two copies, ever."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.blobs.seekable import compress_unit
from server.domain import sizing
from server.services.cards import TaskCard
from tests.kit.backroom import Backroom
from tests.kit.house import frame, honest


@pytest.fixture
async def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Backroom]:
    """A server without doors, whose leases are a whole unit."""
    monkeypatch.setattr(sizing, "FIRST_EVENTS", 300)
    async with Backroom(tmp_path) as made:
        yield made


async def leased_twice(room: Backroom, sent: tuple[int, int] | None = None) -> list[TaskCard]:
    """A lease that ran out, and one on the same events of another host of the account."""
    await room.produce(events=300, unit=300, quorum=2)
    first, second = await room.join("one", "ada"), await room.join("two", "ada")
    [old] = await room.ask(first)
    if sent:
        await room.send(old, *sent)
    await room.end(old, "expire")
    await room.judge()
    [new] = await room.ask(second)
    return [old, new]


async def held(room: Backroom) -> list[tuple[int, int, int]]:
    """Task, first and last of every frame, in order of events."""
    rows = await room.rows("SELECT task, first, last FROM frames ORDER BY first")
    return [tuple(row) for row in rows]


async def finish(room: Backroom) -> None:
    """All leases end, others make what is missing, and the unit has every event once."""
    for card in list(room.deps.registry.tasks.values()):
        await room.end(card, "give-back")
    hosts = [await room.join(name, name) for name in ("bob", "cid")]
    for _ in range(4):
        await room.judge()
        for host in hosts:
            for card in await room.ask(host, 4):
                await room.send(card, card.row.first, card.row.last)
                await room.end(card, "deliver")
    await room.judge()
    whole = compress_unit(b"".join(honest(event) for event in range(300))).data
    unit = hashlib.sha256(whole).hexdigest()
    assert await room.output(1, 1) == hashlib.sha256(unit.encode()).hexdigest()


async def test_a_late_frame_cuts_the_lease_that_its_account_has_on_the_same_events(
    room: Backroom,
) -> None:
    old, new = await leased_twice(room)
    await room.send(old, 100, 150)
    assert (new.row.first, new.row.last) == (0, 100)
    await room.judge()
    assert await room.ask(old.row.host or 0) != []  # what follows is open to the account again
    await finish(room)


async def test_a_lease_that_has_nothing_left_in_front_is_ended_and_its_host_told(
    room: Backroom,
) -> None:
    old, new = await leased_twice(room)
    await room.send(old, 0, 50)
    assert new.row.id not in room.deps.registry.tasks
    assert [(o.name, o.args) for o in room.host(new.row.host or 0).orders] == [
        ("abort", {"task": str(new.row.id)})
    ]
    await finish(room)


async def test_of_a_late_frame_only_what_its_account_has_not_sent_is_kept(room: Backroom) -> None:
    old, new = await leased_twice(room)
    await room.send(new, 0, 40)
    await room.send(new, 60, 80)
    await room.send(old, 20, 120)
    assert new.row.id in room.deps.registry.tasks
    assert (new.row.first, new.row.last) == (0, 40)
    assert await held(room) == [
        (new.row.id, 0, 40), (old.row.id, 40, 60), (new.row.id, 60, 80), (old.row.id, 80, 120),
    ]  # fmt: skip
    await room.send(old, 20, 120)  # and again
    assert len(await held(room)) == 4
    await finish(room)


async def test_a_late_frame_of_which_nothing_is_new_disturbs_nobody(room: Backroom) -> None:
    old, new = await leased_twice(room)
    await room.send(new, 0, 100)
    await room.send(old, 20, 80)
    assert await held(room) == [(new.row.id, 0, 100)]
    assert (new.row.first, new.row.last) == (0, 300)
    await finish(room)


async def test_what_was_under_way_when_its_lease_was_cut_is_taken_once(room: Backroom) -> None:
    old, new = await leased_twice(room)
    await asyncio.gather(
        room.send(new, 0, 120), room.send(old, 100, 200), room.send(new, 120, 220),
        room.send(old, 0, 50), room.send(old, 210, 300),
    )  # fmt: skip
    events: list[int] = []
    for _, first, last in await held(room):
        events.extend(range(first, last))
    assert sorted(events) == list(range(300))
    await finish(room)


async def test_a_frame_that_was_kept_in_parts_comes_back_in_parts_after_a_crash(
    room: Backroom,
) -> None:
    old, new = await leased_twice(room)
    await room.send(new, 0, 100)
    await room.send(old, 50, 150)
    before = await held(room)

    async def forget(room: Backroom) -> None:
        """What a crash before the next commit leaves: labels without rows."""
        await room.store.write(lambda tx: tx.run("DELETE FROM frames"))

    await forget(room)
    await room.stop()
    await room.open()
    assert await held(room) == before
    body = frame(100, 150, honest)
    rows = await room.rows("SELECT segment, place, length FROM frames WHERE first = 100")
    assert room.deps.segments.read(*rows[0]) == body
    await finish(room)
