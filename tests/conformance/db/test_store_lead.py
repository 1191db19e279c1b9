"""What every batch of writes begins with: seen by all of the batch, and undone with it."""

from __future__ import annotations

import asyncio

from server.db.base import Tx
from tests.conformance.db.conftest import CountingStore
from tests.conformance.db.notes import INSERT, Refused, kept


class Notes:
    """Names that wait to be written at the beginning of a batch."""

    def __init__(self, *names: str) -> None:
        self.waiting = list(names)

    async def lead(self, tx: Tx) -> None:
        names, self.waiting = self.waiting, []
        if names:
            tx.on_abort(lambda: self.waiting.extend(names))
            await tx.many(INSERT, [(0, name) for name in names])


async def nothing(tx: Tx) -> None:
    """An operation that only brings a batch about."""


async def test_whoever_writes_sees_what_the_batch_began_with(store: CountingStore) -> None:
    notes = Notes("first", "second")
    store.lead(notes.lead)

    async def look(tx: Tx) -> int:
        return len(await tx.all("SELECT text FROM notes"))

    assert await asyncio.gather(*(store.write(look) for _ in range(3))) == [2, 2, 2]
    assert await kept(store) == ["first", "second"]
    assert notes.waiting == []


async def test_it_stays_though_an_operation_is_refused(store: CountingStore) -> None:
    notes = Notes("kept")
    store.lead(notes.lead)

    async def refused(tx: Tx) -> None:
        tx.later(INSERT, (0, "refused"))
        raise Refused

    found = await asyncio.gather(store.write(refused), store.write(nothing), return_exceptions=True)
    assert isinstance(found[0], Refused)
    assert await kept(store) == ["kept"]


async def test_it_is_done_again_when_its_batch_was_rolled_back(store: CountingStore) -> None:
    notes = Notes("again")
    store.lead(notes.lead)

    async def spoils(tx: Tx) -> None:
        await tx.run(INSERT, 0, "spoilt")
        raise Refused

    found = await asyncio.gather(store.write(spoils), store.write(nothing), return_exceptions=True)
    assert isinstance(found[0], Refused)
    assert await kept(store) == ["again"]
    await store.write(nothing)
    assert await kept(store) == ["again"]
