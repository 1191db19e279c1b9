"""Hosts that earn trust, lose it, and cheat: the real rules on a real database."""

from __future__ import annotations

from typing import Any

import pytest

from server.domain.trust import Standing
from server.services import credit
from tests.kit.backroom import Backroom
from tests.kit.crowd import Crowd, Member, adaptive
from tests.kit.house import Make, honest

HONEST = tuple(f"honest{k}" for k in range(6))
EVENTS, UNIT, BLOCK = 2400, 300, 10
UNITS = EVENTS // UNIT


async def produce(room: Backroom, name: str = "toy-run", share: float = 0.1) -> int:
    return await room.produce(
        name=name, events=EVENTS, unit=UNIT, block=BLOCK, more=adaptive(share)
    )


async def known(room: Backroom, *others: tuple[str, Make]) -> tuple[Crowd, list[Member]]:
    """A pool whose honest hosts are trusted by now, and the others that were there meanwhile."""
    crowd = Crowd(room)
    await crowd.join(*HONEST)
    guests = [(await crowd.join(account, make=make))[0] for account, make in others]
    for k in range(6):  # who works with whom is chosen by a key that is new in every test
        await crowd.finished(await produce(room, f"before{k}"), UNITS)
        room.now += 20.0
        if {crowd.standing(m) for m in crowd.members if m.make is honest} == {Standing.TRUSTED}:
            return crowd, guests
    raise AssertionError([crowd.standing(member) for member in crowd.members])


def altered(event: int) -> bytes:
    return honest(event).replace(b"seed 7", b"seed 8")


def rarely(event: int) -> bytes:
    return altered(event) if event % 1000 == 50 else honest(event)  # once before it can be trusted


def other_interval(event: int) -> bytes:
    return honest(event + UNIT)


def earlier_production(event: int) -> bytes:
    return honest(event).replace(b"seed 7", b"seed 6")


def garbage(event: int) -> bytes:
    return b"\xff" * 20 + b"\n"


def one_event(event: int) -> bytes:
    return honest(0)


async def test_trusted_hosts_settle_alone_but_for_checks_that_never_stop(room: Backroom) -> None:
    crowd, _ = await known(room)
    before = await crowd.sums(1)
    second = await produce(room, "second")
    await crowd.finished(second, UNITS)
    assert await crowd.wrong(second, UNITS, EVENTS) == set()
    sums = await crowd.sums(second)
    # Short gaps between two checks are computed with them, and then agreed on too.
    assert EVENTS * 0.85 < sums["trusted"] <= EVENTS * 0.9
    assert EVENTS * 1.1 <= sums["copies"] < EVENTS * 1.35 < before["copies"]
    checks = await room.rows("SELECT events FROM trust_checks WHERE production = $1", second)
    assert checks == [(EVENTS * 0.1,)]


async def test_a_quorum_alone_means_as_many_copies_as_before(room: Backroom) -> None:
    crowd, _ = await known(room)
    plain = await room.produce(name="plain", events=EVENTS, unit=UNIT, block=BLOCK)
    await crowd.finished(plain, UNITS)
    sums = await crowd.sums(plain)
    assert sums["trusted"] == 0
    assert sums["copies"] >= 2 * EVENTS


async def test_a_unit_is_not_written_before_its_checks_are_in(room: Backroom) -> None:
    crowd, _ = await known(room)
    second = await produce(room, "second")
    one = crowd.members[0]
    crowd.members = [one]
    for _ in range(6):
        await crowd.turn(second)
    assert room.deps.registry.productions[second].units_settled == 0
    waiting = await room.rows(
        "SELECT sum(last - first) FROM tasks WHERE production = $1 AND state = 'ready'"
        " AND unit = 0",
        second,
    )
    # Three stretches are checked; a gap of one block between two of them is computed with them.
    assert waiting[0][0] in {UNIT * 0.1 + gaps * BLOCK for gaps in range(3)}


async def test_a_cheat_honest_until_trusted_leaves_nothing_that_is_not_marked(
    room: Backroom,
) -> None:
    crowd, (cheat,) = await known(room, ("sly", honest))
    assert crowd.standing(cheat) is Standing.TRUSTED
    cheat.make = altered
    second = await produce(room, "second")
    await crowd.finished(second, UNITS)
    assert crowd.standing(cheat) is Standing.DOUBTED
    wrong = await crowd.wrong(second, UNITS, EVENTS)
    assert wrong <= await crowd.doubtful(second)
    moves = await room.rows("SELECT source, target, cause FROM moves WHERE machine = 'trust'")
    assert [row[2] for row in moves if row[1] == "doubted"]
    taken = await room.rows("SELECT host, events FROM corrections WHERE micros < 0")
    assert {host for host, _ in taken} <= {cheat.host}
    [(doubtful,)] = await room.rows(
        "SELECT coalesce(sum(last - first), 0) FROM taken_on_trust WHERE doubtful_at IS NOT NULL"
    )
    assert sum(events for _, events in taken) == doubtful
    assert await credit.check(room.deps) == credit.CreditCheck(True, 0)


async def test_what_waits_in_open_units_needs_a_quorum_once_its_host_is_caught(
    room: Backroom,
) -> None:
    crowd, (cheat,) = await known(room, ("sly", honest))
    second = await produce(room, "second")
    room.host(cheat.host).seen_at = room.now
    cheat.make = altered
    tasks = await room.ask(cheat.host, 3)  # all of unit 0, and nobody has checked yet
    for task in tasks:
        await crowd.finish(cheat, task)
    await room.judge()
    assert crowd.standing(cheat) is Standing.TRUSTED
    crowd.members = [m for m in crowd.members if m is not cheat]
    await crowd.finished(second, UNITS)
    assert crowd.standing(cheat) is Standing.DOUBTED
    assert await crowd.wrong(second, UNITS, EVENTS) == set()
    assert await crowd.doubtful(second) == set()
    rows = await room.rows(
        "SELECT 1 FROM taken_on_trust WHERE production = $1 AND host = $2", second, cheat.host
    )
    assert rows == []


@pytest.mark.parametrize(
    "make", [altered, rarely, other_interval, earlier_production, garbage, one_event]
)
async def test_nothing_of_a_new_host_that_cheats_gets_in_and_it_is_named(
    room: Backroom, make: Make
) -> None:
    crowd, _ = await known(room)
    (cheat,) = await crowd.join("cheat", make=make)
    second = await produce(room, "second")
    for _ in range(3):  # it is quick, and has its share of every unit
        room.host(cheat.host).seen_at = room.now
        for task in await room.ask(cheat.host, 4):
            await crowd.finish(cheat, task)
    await crowd.finished(second, UNITS)
    assert await crowd.wrong(second, UNITS, EVENTS) == set()
    assert room.deps.registry.book.history(cheat.host, "").caught > 0


async def test_accounts_that_collude_meet_trusted_hosts_and_not_each_other(
    room: Backroom,
) -> None:
    crowd, _ = await known(room)
    gang = await crowd.join("gang1", "gang2", "gang3", make=altered)
    second = await produce(room, "second")
    for _ in range(20):  # they ask before everybody else, again and again
        for member in gang:
            room.host(member.host).seen_at = room.now
            for task in await room.ask(member.host):
                await crowd.finish(member, task)
            await room.judge()
    await crowd.finished(second, UNITS)
    assert await crowd.wrong(second, UNITS, EVENTS) == set()
    assert {crowd.standing(member) for member in gang} == {Standing.DOUBTED}


async def test_a_new_host_of_a_doubted_account_is_no_fresh_start(room: Backroom) -> None:
    crowd, (cheat,) = await known(room, ("sly", altered))
    assert crowd.standing(cheat) is Standing.DOUBTED
    again, other = await crowd.join("sly", "new")
    assert crowd.standing(again) is Standing.DOUBTED
    assert crowd.standing(other) is Standing.NEW


async def test_trust_and_the_key_of_the_checks_outlive_a_restart(room: Backroom) -> None:
    crowd, (cheat,) = await known(room, ("sly", altered))
    key = room.deps.registry.book.key
    stood = {member.host: crowd.standing(member) for member in crowd.members}
    await room.stop()
    await room.open()
    assert room.deps.registry.book.key == key
    assert len(key) == 32
    assert {member.host: crowd.standing(member) for member in crowd.members} == stood
    assert stood[cheat.host] is Standing.DOUBTED


async def test_a_verdict_that_is_rolled_back_leaves_trust_as_it_was(room: Backroom) -> None:
    crowd = Crowd(room)
    one, two = await crowd.join("ada", "bob")
    await produce(room)
    for member in (one, two):  # the second gets what the first has made
        await room.judge()
        for task in await room.ask(member.host):
            await crowd.finish(member, task)
    book, flush = room.deps.registry.book, room.deps.store.write
    seen: list[int] = []

    async def write(job: Any) -> Any:
        async def both(tx: Any) -> None:
            await job(tx)
            seen.extend(found.agreed for found in book.histories.get("", {}).values())
            raise RuntimeError("the disk is gone")

        return await flush(both)

    room.deps.store.write = write  # type: ignore[method-assign, assignment]
    await room.judge()
    room.deps.store.write = flush  # type: ignore[method-assign]
    assert seen == [100, 100]
    assert not book.histories.get("")
    room.now += 60.0
    await room.judge()
    assert [found.agreed for found in book.histories[""].values()] == [100, 100]
