"""Pairing when two do it at once, on each database."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.domain import pairing as rules
from server.domain.errors import IllegalMove, NotFound, Overtaken, PinsMany, Refusal
from server.domain.match import Facts
from server.services import enrol, pairing, presenting
from server.services.deps import Deps
from server.services.desk import Desk
from server.services.factsheet import Sheet
from server.services.pairing import Wish
from server.services.presenting import Said
from tests.kit.backroom import Backroom

SHEET = Sheet(Facts(4, 8000, 8000, "x86_64", ()))
SECRET = b"k" * 32


@dataclass
class Two:
    """Two people at one server, since a database has one."""

    one: Deps
    two: Deps
    account: int
    other: int


@pytest.fixture
async def both(url: str, tmp_path: Path) -> AsyncIterator[Two]:
    room = Backroom(tmp_path, url=url)
    await room.open()
    deps = room.deps
    deps.desk = Desk(SECRET)
    ada, eve = [(await enrol.create_account(deps, name, "volunteer")).id for name in ("ada", "eve")]
    yield Two(deps, deps, ada, eve)
    await room.stop()


def known(number: int) -> bytes:
    """What only this machine has."""
    return bytes([number]) * 32


def said(number: int) -> Said:
    """What a machine says."""
    commitment = hashlib.sha256(known(number)).hexdigest()
    return Said(f"nonce-{number:08}", commitment, "", f"vm-{number}", "", "", "x86_64", 1, 1, "")


async def at_once(*calls: Awaitable[Any]) -> list[Any]:
    """What each call came to: its answer, or its refusal."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, Refusal):
            raise one
    return list(found)


def won(found: list[Any]) -> list[Any]:
    """The calls that were answered."""
    return [one for one in found if not isinstance(one, Refusal)]


async def claimed(both: Two, number: int = 1) -> tuple[str, str, str]:
    """A pairing that a machine waits in: its id, the machine's, and its poll token."""
    made = await pairing.begin(both.one, both.account, "volunteer", Wish(), "192.0.2.1")
    started = await presenting.present(both.one, made.pin, said(number), "192.0.2.9")
    view = await pairing.look(both.one, both.account, made.id)
    assert view.machine is not None
    return made.id, view.machine.id, started.poll_token


async def test_of_two_confirmations_at_once_one_counts(both: Two) -> None:
    handle, machine, _ = await claimed(both)
    found = await at_once(
        *(pairing.confirm(deps, both.account, handle, machine) for deps in (both.one, both.two))
    )
    assert len(won(found)) == 1
    assert isinstance(next(one for one in found if one not in won(found)), (IllegalMove, Overtaken))
    assert (await pairing.look(both.one, both.account, handle)).state == "confirmed"


@pytest.mark.parametrize("cause", ["cancel", "reject"])
async def test_confirmed_or_taken_back_at_once_is_one_of_the_two(both: Two, cause: str) -> None:
    handle, machine, poll = await claimed(both)
    await at_once(
        pairing.confirm(both.one, both.account, handle, machine),
        pairing.end(both.two, both.account, handle, cause),
    )
    state = (await pairing.look(both.one, both.account, handle)).state
    assert state in ("confirmed", {"cancel": "cancelled", "reject": "rejected"}[cause])
    collected = await at_once(presenting.collect(both.two, poll, known(1), "r" * 12, "vm", SHEET))
    moved = await both.one.store.read(
        lambda tx: tx.all("SELECT cause FROM moves WHERE machine = 'pairing' ORDER BY id")
    )
    if state == "confirmed":
        assert len(won(collected)) == 1
        assert [row[0] for row in moved] == ["claim", "confirm", "deliver"]
    else:
        assert won(collected) == []
        # Confirmed and then cancelled is a way too; nothing was collected in between.
        assert [row[0] for row in moved][-1] == cause


async def test_two_that_collect_at_once_are_one_host_and_an_alarm(both: Two) -> None:
    handle, machine, poll = await claimed(both)
    await pairing.confirm(both.one, both.account, handle, machine)
    found = await at_once(
        *(
            presenting.collect(deps, poll, known(1), f"request-{k}", "vm", SHEET)
            for k, deps in enumerate((both.one, both.two))
        )
    )
    assert len(won(found)) == 1
    rows = await both.one.store.read(lambda tx: tx.all("SELECT id FROM hosts"))
    assert len(rows) == 1
    view = await pairing.look(both.one, both.account, handle)
    assert view.state == "delivered"


async def test_no_more_than_three_machines_get_into_one_pairing(both: Two) -> None:
    made = await pairing.begin(both.one, both.account, "volunteer", Wish(), "192.0.2.1")
    await at_once(
        *(presenting.present(both.one, made.pin, said(k), f"192.0.{k}.9") for k in range(8))
    )
    view = await pairing.look(both.one, both.account, made.id)
    assert len(view.machines) == 3


async def test_no_more_than_three_pins_are_open_for_one_account(both: Two) -> None:
    found = await at_once(
        *(
            pairing.begin(deps, both.account, "volunteer", Wish(), "192.0.2.1")
            for deps in (both.one, both.two) * 4
        )
    )
    assert len(won(found)) == 3
    assert all(isinstance(one, PinsMany) for one in found if one not in won(found))
    assert len({one.pin for one in won(found)}) == 3


async def test_a_code_that_two_type_at_once_is_of_one(both: Two) -> None:
    started = await presenting.show_code(both.one, said(1), "192.0.2.9")
    found = await at_once(
        *(
            pairing.type_code(deps, account, "volunteer", started.code, Wish())
            for deps, account in ((both.one, both.account), (both.two, both.other))
        )
    )
    assert len(won(found)) == 1
    assert isinstance(next(one for one in found if one not in won(found)), NotFound)


async def test_a_pin_is_drawn_again_if_another_that_lives_has_it(
    both: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rules.pin_of
    drawn = {0: "000001", 1: "000002"}
    monkeypatch.setattr(rules, "pin_of", lambda key, who, n: drawn.get(n) or real(key, who, n))
    views = [
        await pairing.begin(both.one, account, "volunteer", Wish(), "192.0.2.1")
        for account in (both.account, both.other)
    ]
    assert [view.pin for view in views] == ["000001", "000002"]
    await pairing.end(both.one, both.account, views[0].id, "cancel")
    third = await pairing.begin(both.one, both.account, "volunteer", Wish(), "192.0.2.1")
    assert third.pin == "000001"


async def test_an_expired_pairing_says_so_in_the_table_and_its_pin_is_free(both: Two) -> None:
    handle, machine, _ = await claimed(both)
    now = both.one.clock()
    both.one.clock = lambda: now + 301
    assert await pairing.expire(both.one) == 1
    assert await pairing.expire(both.one) == 0
    with pytest.raises(IllegalMove):
        await pairing.confirm(both.one, both.account, handle, machine)
    rows = await both.one.store.read(
        lambda tx: tx.all("SELECT target FROM moves WHERE machine = 'pairing' ORDER BY id")
    )
    assert [row[0] for row in rows] == ["claimed", "expired"]
    both.one.clock = lambda: now + 3000
    await pairing.forget(both.one)
