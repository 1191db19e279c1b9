"""Failures: only the guilty operation fails, and nothing of it remains."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from server.db.base import Tx
from server.db.errors import OperationCancelled, RowRefused, StatementFailed, StoreFull
from tests.conformance.db.conftest import CountingStore
from tests.conformance.db.notes import INSERT, Refused, kept, note, note_now, texts


async def together(store: CountingStore, *ops: object) -> list[object]:
    """What each operation of one batch returned or raised."""
    return await asyncio.gather(
        *(store.write(op) for op in ops),  # type: ignore[arg-type]
        return_exceptions=True,
    )


async def test_one_that_fails_before_writing_leaves_the_batch_alone(store: CountingStore) -> None:
    runs = 0

    async def bad(tx: Tx) -> None:
        nonlocal runs
        runs += 1
        tx.later("UPDATE notes SET number = 99", ())
        tx.later(INSERT, (0, "never"))
        raise Refused

    done = await together(store, note("a"), bad, note("b"))
    assert done[0::2] == ["a", "b"]
    assert isinstance(done[1], Refused)
    assert (runs, store.counts.rollbacks, store.counts.commits) == (1, 0, 2)
    rows = await store.read(lambda tx: tx.all("SELECT text, number FROM notes ORDER BY id"))
    assert rows == [("a", 0), ("b", 0)]


async def test_one_that_was_taken_out_leaves_no_trace_in_the_order(store: CountingStore) -> None:
    rename = "UPDATE notes SET text = $1 WHERE text = $2"

    async def bad(tx: Tx) -> None:
        tx.later(rename, ("never", "a"))
        raise Refused

    async def good(tx: Tx) -> None:
        tx.later(INSERT, (0, "a"))
        tx.later(rename, ("b", "a"))  # finds its row only if the insert is the first statement

    await together(store, bad, good)
    assert await kept(store) == ["b"]


async def test_a_change_of_no_row_is_not_a_write(store: CountingStore) -> None:
    async def overtaken(tx: Tx) -> None:
        if await tx.run("UPDATE notes SET number = 1 WHERE text = $1", "nobody") == 0:
            raise Refused

    done = await together(store, note("a"), overtaken, note("b"))
    assert isinstance(done[1], Refused)
    assert store.counts.rollbacks == 0
    assert await kept(store) == ["a", "b"]


@pytest.mark.parametrize("how", ["run", "many", "returning", "later and read"])
async def test_one_that_fails_after_writing_is_undone_alone(store: CountingStore, how: str) -> None:
    async def bad(tx: Tx) -> None:
        if how == "run":
            await tx.run(INSERT, 0, "never")
        elif how == "many":
            await tx.many(INSERT, [(0, "never")])
        elif how == "returning":
            await tx.one(INSERT + " RETURNING id", 0, "never")
        else:
            tx.later(INSERT, (0, "never"))
            await texts(tx)
        raise Refused

    names = [f"n{n}" for n in range(10)]
    done = await together(store, *map(note, names[:5]), bad, *map(note_now, names[5:]))
    assert done[:5] == names[:5]
    assert isinstance(done[5], Refused)
    assert done[6:] == [1] * 5
    assert store.counts.rollbacks > 0
    assert await kept(store) == names


async def test_several_guilty_ones_are_all_found(store: CountingStore) -> None:
    async def bad(tx: Tx) -> None:
        await tx.run(INSERT, 0, "never")
        raise Refused

    ops = [bad if n % 7 == 3 else note(f"n{n}") for n in range(50)]
    done = await together(store, *ops)
    assert [n for n in range(50) if isinstance(done[n], Refused)] == list(range(3, 50, 7))
    assert await kept(store) == [f"n{n}" for n in range(50) if n % 7 != 3]


async def test_a_collected_row_that_is_refused_fails_its_own_operation(
    store: CountingStore,
) -> None:
    await store.write(note("taken"))
    done = await together(store, note("a"), note("taken"), note("b"), texts)
    assert (done[0], done[2]) == ("a", "b")
    assert isinstance(done[1], RowRefused)
    assert done[3] == ["taken", "a", "b"]
    assert await kept(store) == ["taken", "a", "b"]


async def test_a_statement_that_failed_cannot_be_passed_over(store: CountingStore) -> None:
    await store.write(note("taken"))

    async def bad(tx: Tx) -> str:
        with pytest.raises(RowRefused):
            await tx.run(INSERT, 0, "taken")
        with pytest.raises(RowRefused):
            await tx.run(INSERT, 0, "never")
        return "as if nothing had happened"

    done = await together(store, note("a"), bad, note("b"))
    assert isinstance(done[1], RowRefused)
    assert await kept(store) == ["taken", "a", "b"]


async def test_wrong_sql_and_wrong_values_are_told(store: CountingStore) -> None:
    async def wrong_value(tx: Tx) -> None:
        tx.later(INSERT, (2**70, "huge"))

    done = await together(store, note("a"), lambda tx: tx.all("SELECT nothing FROM"), wrong_value)
    assert done[0] == "a"
    assert [type(error) for error in done[1:]] == [StatementFailed] * 2
    with pytest.raises(StatementFailed):
        await store.read(lambda tx: tx.all("SELECT nothing FROM"))
    assert await kept(store) == ["a"]


async def test_a_verdict_that_rested_on_what_was_undone_is_given_again(
    store: CountingStore,
) -> None:
    async def first(tx: Tx) -> None:
        await tx.run(INSERT, 0, "token used")
        tx.later(INSERT, (0, None))  # refused when it is too late

    async def second(tx: Tx) -> str:
        if "token used" in await texts(tx):
            raise Refused
        await tx.run(INSERT, 0, "token used")
        return "mine"

    done = await together(store, first, second)
    assert isinstance(done[0], RowRefused)
    assert done[1] == "mine"
    assert await kept(store) == ["token used"]


async def test_callbacks_tell_of_every_undoing_newest_first(store: CountingStore) -> None:
    told: list[str] = []

    def op(name: str, *, fails: bool) -> object:
        async def run(tx: Tx) -> str:
            tx.on_abort(lambda: told.append(f"{name}1"))
            tx.on_abort(lambda: told.append(f"{name}2"))
            await tx.run(INSERT, 0, name)
            if fails:
                raise Refused
            return name

        return run

    assert await together(store, op("a", fails=False), op("b", fails=False)) == ["a", "b"]
    assert told == []
    done = await together(store, op("c", fails=False), op("d", fails=True))
    assert done[0] == "c"
    # Once for the batch, once for the guilty one alone; what was kept in the end tells no more.
    assert told == ["d2", "d1", "c2", "c1", "d2", "d1"]


async def test_callbacks_of_one_taken_out_alone_are_called_and_those_of_others_are_not(
    store: CountingStore,
) -> None:
    told: list[str] = []

    async def good(tx: Tx) -> None:
        tx.on_abort(lambda: told.append("good"))

    async def bad(tx: Tx) -> None:
        tx.on_abort(lambda: told.append("bad"))
        raise Refused

    await together(store, good, bad, good)
    assert told == ["bad"]


async def test_a_callback_that_fails_stops_nothing(
    store: CountingStore, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    async def bad(tx: Tx) -> None:
        tx.on_abort(lambda: told.append("first"))
        tx.on_abort(lambda: cast(None, 1 // 0))
        raise Refused

    done = await together(store, bad, note("a"))
    assert isinstance(done[0], Refused)
    assert told == ["first"]
    assert "a rollback callback failed" in caplog.text
    assert await store.write(note("b")) == "b"
    assert await kept(store) == ["a", "b"]


async def test_something_cancelled_inside_of_an_operation_does_not_stop_the_batches(
    store: CountingStore,
) -> None:
    async def early(_tx: Tx) -> None:
        raise asyncio.CancelledError

    async def late(tx: Tx) -> None:
        await tx.run(INSERT, 0, "never")
        raise asyncio.CancelledError

    done = await together(store, note("a"), early, late, note("b"))
    assert [type(error) for error in done[1:3]] == [OperationCancelled] * 2
    assert await kept(store) == ["a", "b"]


async def test_a_full_disk_fails_those_that_need_room(store: CountingStore) -> None:
    if store.dialect.name == "sqlite":
        page = await store.write(lambda tx: tx.one("PRAGMA page_count"))
        assert page is not None
        await store.write(lambda tx: tx.one(f"PRAGMA max_page_count = {page[0] + 8}"))
        big = note("x" * 1_000_000)
    else:  # PostgreSQL's own error, since its disk cannot be filled here

        async def big(tx: Tx) -> str:
            await tx.run(INSERT, 0, "never")
            await tx.run("DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''53100''; END'")
            return "never"

    done = await together(store, note("a"), big, note("b"))
    assert (done[0], done[2]) == ("a", "b")
    assert isinstance(done[1], StoreFull)
    assert done[1].retry_after > 0
    if store.dialect.name == "sqlite":
        await store.write(lambda tx: tx.one("PRAGMA max_page_count = 1000000"))
        assert await store.write(big) == "x" * 1_000_000
    else:
        await store.write(note("c"))
    assert (await kept(store))[:2] == ["a", "b"]
    assert len(await kept(store)) == 3
