"""The books of credit on both databases: pairs that add up, once for each event, re-derived."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.db.base import Tx
from server.services import credit
from server.services.deps import Limits
from tests.kit.backroom import Backroom


@pytest.fixture
async def room(pool_url: str, tmp_path: Path) -> AsyncIterator[Backroom]:
    """A server without doors."""
    async with Backroom(tmp_path, url=pool_url) as made:
        yield made


async def made(room: Backroom, seconds: float = 0.5) -> tuple[int, list[int]]:
    """A production of 300 events, computed twice; the hosts, each of an account of its own."""
    production = await room.produce(events=300, unit=300, quorum=2)
    hosts = [await room.join(name, name) for name in ("ada", "bob")]
    for host in hosts:
        room.host(host).speeds[production] = seconds
    for host in hosts:
        while given := await room.ask(host):
            for card in given:
                await room.send(card, card.row.first, card.row.last)
                await room.end(card, "deliver")
    await room.judge()
    await room.output(production, 1)
    return production, hosts


async def test_each_agreeing_copy_is_paid_and_both_sides_add_up_to_nothing(room: Backroom) -> None:
    _, hosts = await made(room)
    found = {(line.kind, line.name): line.credit for line in (await credit.show(room.deps)).lines}
    assert found == {
        ("account", "ada"): 150, ("account", "bob"): 150,
        ("host", "ada"): 150, ("host", "bob"): 150, ("production", "toy-run"): -300,
    }  # fmt: skip
    assert await credit.check(room.deps) == credit.CreditCheck(True, 0)
    assert (await credit.sums(room.deps)).hosts == dict.fromkeys(hosts, 150.0)


async def test_the_reference_host_says_what_a_core_second_is(room: Backroom) -> None:
    production = await room.produce(events=300, unit=300, quorum=1)
    slow, reference = await room.join("slow", "ada"), await room.join("reference", "bob")
    room.host(slow).speeds[production] = 100.0
    room.host(reference).speeds[production] = 0.25
    room.deps.limits = Limits(reference_host=reference)
    while given := await room.ask(slow):
        await room.send(given[0], given[0].row.first, given[0].row.last)
        await room.end(given[0], "deliver")
    await room.judge()
    lines = (await credit.show(room.deps)).lines
    [line] = [line for line in lines if line.kind == "production"]
    assert (line.credit, line.per_event, line.source) == (-75, 0.25, "reference")


async def test_a_late_copy_of_settled_events_and_a_wrong_one_are_not_paid(room: Backroom) -> None:
    production = await room.produce(events=300, unit=300, quorum=2)
    hosts = [await room.join(name, name) for name in ("ada", "bob", "eve")]
    cards = []
    for host in hosts[::2]:
        cards += await room.ask(host, 8)
    for card in cards:
        lies = card.row.host == hosts[2]
        make = (lambda event: b"wrong") if lies else (lambda event: f"right {event}".encode())
        await room.send(card, card.row.first, card.row.last, make)
        await room.end(card, "deliver")
    await room.judge()
    while given := await room.ask(hosts[1]):
        for card in given:
            await room.send(
                card, card.row.first, card.row.last, lambda event: f"right {event}".encode()
            )
            await room.end(card, "deliver")
    await room.judge()
    await room.output(production, 1)
    paid = {line.name for line in (await credit.show(room.deps)).lines if line.kind == "host"}
    assert paid == {"ada", "bob"}
    assert (await credit.check(room.deps)).ok


@pytest.mark.parametrize(
    ("deed", "what"),
    [
        ("UPDATE bookings SET micros = micros + 1 WHERE side = 'host'", "do not add up to zero"),
        ("UPDATE bookings SET micros = micros * 2", "another amount"),
        ("DELETE FROM bookings WHERE side = 'production'", "without a booking"),
        ("UPDATE bookings SET account = 1 WHERE side = 'host'", "another host, account"),
        (
            "INSERT INTO corrections (host, account, production, events, micros, cause, at)"
            " VALUES (1, 1, 1, 10, -5, 'out of spite', 0)",
            "corrections are not the credit",
        ),
        ("DELETE FROM credits", "bookings without agreed events"),
        ("UPDATE credits SET account = 2", "twice for one account"),
        ("UPDATE credits SET last = last + 1000", "outside of their task"),
        ("UPDATE units SET state = 'open'", "before they were settled"),
    ],
)
async def test_books_that_were_touched_are_found_out(room: Backroom, deed: str, what: str) -> None:
    await made(room)

    async def spoil(tx: Tx) -> None:
        await tx.run(deed)

    await room.store.write(spoil)
    found = await credit.check(room.deps)
    assert not found.ok
    assert any(what in fault for fault in found.faults), found
