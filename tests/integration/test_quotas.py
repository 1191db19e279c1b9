"""Hosts that spoil what they get: less of it each day, until they deliver; also after restarts."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.domain.throttle import Minute
from server.services import dispatch
from server.services.deps import Limits
from tests.kit.backroom import Backroom
from vmagent.wire.messages import AskRequest


@pytest.fixture
async def room(pool_url: str, tmp_path: Path) -> AsyncIterator[Backroom]:
    """A server without doors, whose hosts may spoil three leases a day."""
    async with Backroom(tmp_path, limits=Limits(bad_per_day=3), url=pool_url) as made:
        yield made


async def spoil(room: Backroom, host: int, cause: str = "expire") -> int:
    """Let leases run out until there are none; how many did."""
    count = 0
    while given := await room.ask(host):
        for card in given:
            await room.end(card, cause)
            count += 1
        await room.judge()
    return count


async def test_who_lets_leases_run_out_gets_less_each_day_and_more_when_it_delivers(
    room: Backroom,
) -> None:
    await room.produce(events=9000, unit=300, quorum=1)
    host = await room.join("ada", "ada")
    assert await spoil(room, host) == 2
    asked = AskRequest(uuid.uuid4().hex, 1, 8000, 8000, None, {}, 1)
    room.host(host).asks = Minute()
    told = await dispatch.lease(room.deps, room.host(host), asked)
    assert told.retry_after == min(3600.0, 86400 - room.now % 86400)
    await room.stop()
    await room.open()
    assert await room.ask(host) == []
    room.now += 86400
    assert await spoil(room, host) == 1
    room.now += 86400
    for _ in range(3):
        [card] = await room.ask(host)
        await room.send(card, card.row.first, card.row.last)
        await room.end(card, "deliver")
    assert room.host(host).quotas == {}
    assert await room.rows("SELECT host FROM quotas") == []


async def test_what_one_host_spoils_is_not_held_against_another_or_for_giving_back(
    room: Backroom,
) -> None:
    await room.produce(events=9000, unit=300, quorum=1)
    bad, good = await room.join("ada", "ada"), await room.join("bob", "ada")
    await spoil(room, bad)
    for _ in range(9):
        [card] = await room.ask(good)
        await room.end(card, "give-back")
    assert room.host(good).quotas == {}
    assert await room.ask(good) != []


async def test_no_host_is_believed_to_have_more_slots_than_the_setting_says(
    room: Backroom,
) -> None:
    await room.produce(events=90_000, unit=300, quorum=1)
    host = await room.join("ada", "ada")
    room.deps.limits = Limits(slots_per_host=2)
    asked = AskRequest(uuid.uuid4().hex, 4, 8000, 8000, None, {}, 256)
    told = await dispatch.lease(room.deps, room.host(host), asked)
    assert len(told.leases) == 8
