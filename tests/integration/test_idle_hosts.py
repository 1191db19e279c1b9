"""Hosts without work: the more there are, the longer each waits, and they are woken for work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.services import dispatch, idling
from server.services.deps import Limits
from tests.kit.backroom import Backroom
from tests.kit.house import house
from vmagent.wire.messages import AskRequest

HOSTS, RATE = 300, 10.0


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Backroom]:
    """A server without doors where those without work ask ten times a second, all together."""
    async with Backroom(tmp_path, limits=Limits(idle_asks_per_s=RATE)) as made:
        yield made


class Crowd:
    """Hosts that ask when they were told to, or are woken."""

    def __init__(self, room: Backroom, hosts: list[int]) -> None:
        self.room, self.due = room, dict.fromkeys(hosts, room.now)
        self.busy: set[int] = set()
        self.asked = 0

    async def second(self) -> int:
        """One second goes by; how many asked in it."""
        room, asked = self.room, 0
        room.now += 1.0
        idling.wake(room.deps)
        for host in self.due:
            card = room.host(host)
            woken = any(order.name == "work" for order in card.orders)
            if host in self.busy or (self.due[host] > room.now and not woken):
                continue
            asked += 1
            word = f"ask-{host}-{room.now:.0f}"
            offer = await dispatch.lease(room.deps, card, AskRequest(word, 1, 8000, 8000))
            self.due[host] = room.now + offer.retry_after
            if offer.leases:
                self.busy.add(host)
        return asked


async def crowd(room: Backroom, hosts: int = HOSTS) -> Crowd:
    """So many hosts of one account, and a production whose one unit somebody has."""
    await room.produce(events=100, unit=100, quorum=1)
    await room.ask(await room.join("busy", "bob"))
    return Crowd(room, [await room.join(f"idle-{n}", "ada") for n in range(hosts)])


async def test_hosts_without_work_ask_no_more_often_together_than_the_setting_says(
    room: Backroom,
) -> None:
    found = await crowd(room)
    for _ in range(90):  # they come at one moment, and have to be spread first
        await found.second()
    asked = [await found.second() for _ in range(120)]
    assert sum(asked) / len(asked) <= RATE * 1.4  # waits are cut by up to a quarter to spread them
    assert max(asked) <= RATE * 6  # plain waits of 5 s would be 60 a second
    assert all(until - room.now <= 60.0 for until in found.due.values())


async def test_a_few_hosts_wait_as_long_as_ever(room: Backroom) -> None:
    found = await crowd(room, 5)
    await found.second()
    assert {due - room.now for due in found.due.values()} == {room.deps.limits.retry_s}


async def test_who_waits_is_woken_within_seconds_when_there_is_work(room: Backroom) -> None:
    found = await crowd(room)
    for _ in range(60):
        await found.second()
    [card] = room.deps.registry.tasks.values()
    await room.end(card, "give-back")  # one range waits again
    await room.judge()
    waited = 0
    while not found.busy:
        await found.second()
        waited += 1
    assert waited <= 3
    assert len(found.busy) == 1


async def test_work_for_all_reaches_all_in_a_while_and_not_at_one_moment(room: Backroom) -> None:
    found = await crowd(room)
    for _ in range(60):
        await found.second()
    await room.produce(name="more", events=HOSTS * 100, unit=100, quorum=1)
    asked = []
    while len(found.busy) < HOSTS:
        asked.append(await found.second())
    assert len(asked) <= 10
    assert max(asked) <= RATE * idling.BURST + RATE * 6


async def test_a_real_long_poll_brings_the_word_that_there_is_work(tmp_path: Path) -> None:
    options = {"leases.retry_s": "3000", "leases.idle_most_s": "3000"}
    async with house(tmp_path, **options) as found:
        ada = await found.join("ada")
        reply = await ada.ask()
        assert reply.retry_after >= 3000
        await found.produce(found.definition(events=200, unit=200, quorum=1, reference=0))
        status, said = await ada.call("GET", "/api/v1/commands?wait=50")
        assert (status, [order["name"] for order in said["commands"]]) == (200, ["work"])
        reply = await ada.ask()
        assert (len(reply.leases), reply.commands) == (1, [])
