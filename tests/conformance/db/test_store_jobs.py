"""Jobs done before a commit, such as the flush of bytes that the rows tell of."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from server.db.base import Tx
from server.db.errors import ReadOnly, TransactionOver
from tests.conformance.db.conftest import CountingStore
from tests.conformance.db.notes import INSERT, Refused, kept


class Flush:
    """A job that keeps what it was given, and fails for some of it."""

    def __init__(self, *bad: str) -> None:
        self.bad = set(bad)
        self.calls: list[list[str]] = []
        self.threads: set[int] = set()

    def __call__(self, items: Sequence[Any]) -> None:
        self.calls.append(list(items))
        self.threads.add(threading.get_ident())
        if self.bad & set(items):
            raise OSError("this one cannot be flushed")


def frame(flush: Flush, name: str) -> Callable[[Tx], Awaitable[str]]:
    async def op(tx: Tx) -> str:
        tx.later(INSERT, (0, name))
        tx.before_commit(flush, name)
        return name

    return op


async def test_a_job_is_done_once_for_all_of_a_batch_and_beside_the_loop(
    store: CountingStore,
) -> None:
    flush, names = Flush(), [f"n{n}" for n in range(20)]
    assert await asyncio.gather(*(store.write(frame(flush, name)) for name in names)) == names
    assert flush.calls == [names]
    assert threading.get_ident() not in flush.threads
    assert await kept(store) == names


async def test_nothing_is_committed_of_what_could_not_be_flushed(store: CountingStore) -> None:
    flush, names = Flush("n5"), [f"n{n}" for n in range(8)]
    found = await asyncio.gather(
        *(store.write(frame(flush, name)) for name in names), return_exceptions=True
    )
    assert [isinstance(one, OSError) for one in found] == [name == "n5" for name in names]
    assert sorted(await kept(store)) == [name for name in names if name != "n5"]


async def test_who_is_refused_takes_its_item_along(store: CountingStore) -> None:
    flush = Flush("refused")

    async def refused(tx: Tx) -> None:
        tx.before_commit(flush, "refused")
        raise Refused

    found = await asyncio.gather(
        store.write(frame(flush, "good")), store.write(refused), return_exceptions=True
    )
    assert found[0] == "good"
    assert isinstance(found[1], Refused)
    assert flush.calls == [["good"]]


async def test_a_read_and_an_old_transaction_have_no_commit_to_wait_for(
    store: CountingStore,
) -> None:
    leaked: list[Tx] = []

    async def leak(tx: Tx) -> None:
        leaked.append(tx)

    async def read(tx: Tx) -> None:
        tx.before_commit(Flush(), "n")

    with pytest.raises(ReadOnly):
        await store.read(read)
    await store.write(leak)
    with pytest.raises(TransactionOver):
        leaked[0].before_commit(Flush(), "n")
