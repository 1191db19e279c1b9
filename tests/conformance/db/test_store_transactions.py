"""One transaction: values, order, and what is visible to whom."""

from __future__ import annotations

import asyncio

import pytest

from server.db.base import Tx
from server.db.errors import NestedWrite, ReadOnly, StatementFailed, TransactionOver
from tests.conformance.db.conftest import CountingStore
from tests.conformance.db.notes import INSERT, kept, note, note_now, texts


async def test_every_kind_of_value_comes_back_as_it_was(store: CountingStore) -> None:
    table = "CREATE TABLE kinds (id {id}, i {bigint}, r {real}, t TEXT, b {blob})"
    rows = [
        (1, -(2**63), 0.1, "Zürich 'n\"", b"\x00\xff"),
        (2, 2**63 - 1, 1e300, "", b""),
        (3, None, None, None, None),
    ]

    async def op(tx: Tx) -> None:
        await tx.run(store.dialect.ddl(table))
        await tx.many("INSERT INTO kinds VALUES ($1, $2, $3, $4, $5)", rows)

    await store.write(op)
    assert await store.read(lambda tx: tx.all("SELECT * FROM kinds ORDER BY id")) == rows


async def test_sums_truths_and_averages_are_plain_numbers(store: CountingStore) -> None:
    await store.write(note("a", 2))
    await store.write(note("b", 3))
    row = await store.read(
        lambda tx: tx.one("SELECT sum(number), avg(number), sum(number) = 5, 1 > 2 FROM notes")
    )
    assert row is not None
    assert row == (5, 2.5, 1, 0)
    assert [type(value) for value in row] == [int, float, int, int]


async def test_a_parameter_may_be_used_twice_and_in_any_order(store: CountingStore) -> None:
    row = await store.read(
        lambda tx: tx.one(
            "SELECT CAST($2 AS TEXT), CAST($1 AS {b}), CAST($2 AS TEXT), '$1 ?'".replace(
                "{b}", store.dialect.types["bigint"]
            ),
            7,
            "seven",
        )
    )
    assert row == ("seven", 7, "seven", "$1 ?")


async def test_run_tells_how_many_rows_changed(store: CountingStore) -> None:
    async def op(tx: Tx) -> list[int]:
        await tx.many(INSERT, [(n, f"n{n}") for n in range(5)])
        return [
            await tx.run("UPDATE notes SET number = number + 10 WHERE number < $1", 3),
            await tx.run("UPDATE notes SET number = 0 WHERE number = $1", 99),
            await tx.run(INSERT + " ON CONFLICT (text) DO NOTHING", 1, "n1"),
            await tx.run(
                "WITH low AS (SELECT id FROM notes WHERE number < 10)"
                " DELETE FROM notes WHERE id IN (SELECT id FROM low)"
            ),
        ]

    assert await store.write(op) == [3, 0, 0, 2]


async def test_ids_number_themselves_and_can_be_given(store: CountingStore) -> None:
    async def op(tx: Tx) -> tuple[int, int]:
        first = await tx.one(INSERT + " RETURNING id", 1, "a")
        second = await tx.one(INSERT + " RETURNING id", 1, "b")
        await tx.run("INSERT INTO notes (id, text) VALUES ($1, $2)", 2**40, "c")
        assert first is not None
        assert second is not None
        return first[0], second[0]

    first, second = await store.write(op)
    assert second > first
    row = await store.read(lambda tx: tx.one("SELECT id FROM notes WHERE text = 'c'"))
    assert row == (2**40,)


async def test_an_empty_answer_is_no_row(store: CountingStore) -> None:
    assert await store.read(lambda tx: tx.one("SELECT id FROM notes")) is None
    assert await store.read(lambda tx: tx.all("SELECT id FROM notes")) == []


async def test_many_with_no_rows_does_nothing(store: CountingStore) -> None:
    await store.write(lambda tx: tx.many(INSERT, []))
    assert await kept(store) == []


async def test_what_is_collected_runs_statement_by_statement_in_order_of_first_use(
    store: CountingStore,
) -> None:
    async def op(tx: Tx) -> None:
        tx.later(INSERT, (1, "a"))
        tx.later("UPDATE notes SET number = number * 10 WHERE text = $1", ("a",))
        tx.later("UPDATE notes SET number = number * 10 WHERE text = $1", ("b",))
        tx.later(INSERT, (2, "b"))  # before both updates, because its statement came first

    await store.write(op)
    rows = await store.read(lambda tx: tx.all("SELECT text, number FROM notes ORDER BY id"))
    assert rows == [("a", 10), ("b", 20)]


async def test_what_is_collected_is_seen_by_the_next_read_of_the_batch(
    store: CountingStore,
) -> None:
    seen = await asyncio.gather(
        store.write(note("a")), store.write(texts), store.write(note("b")), store.write(texts)
    )
    assert list(seen) == ["a", ["a"], "b", ["a", "b"]]
    assert store.counts.commits == 2  # the table, and one for all of these


async def test_a_write_is_visible_after_its_commit_and_not_before(store: CountingStore) -> None:
    written, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Tx) -> None:
        await tx.run(INSERT, 1, "a")
        written.set()
        await go_on.wait()

    writing = asyncio.create_task(store.write(slow))
    await written.wait()
    assert await kept(store) == []
    go_on.set()
    await writing
    assert await kept(store) == ["a"]


async def test_a_read_sees_one_state_while_others_write(store: CountingStore) -> None:
    await store.write(note("a"))

    async def twice(tx: Tx) -> tuple[list[str], list[str]]:
        before = await texts(tx)
        await store.write(note("b"))
        return before, await texts(tx)

    assert await store.read(twice) == (["a"], ["a"])
    assert await kept(store) == ["a", "b"]


async def test_many_reads_run_at_once(store: CountingStore) -> None:
    await store.write(note("a"))
    assert await asyncio.gather(*(kept(store) for _ in range(40))) == [["a"]] * 40


async def test_a_read_cannot_write(store: CountingStore) -> None:
    async def by_later(tx: Tx) -> None:
        tx.later(INSERT, (1, "a"))

    async def by_query(tx: Tx) -> None:
        await tx.one(INSERT + " RETURNING id", 1, "a")

    for op in (note_now("a"), by_later, lambda tx: tx.many(INSERT, [(1, "a")])):
        with pytest.raises(ReadOnly):
            await store.read(op)
    with pytest.raises(StatementFailed):
        await store.read(by_query)
    assert await kept(store) == []


async def test_a_cancelled_read_gives_its_connection_back(store: CountingStore) -> None:
    endless = (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000000000)"
        " SELECT count(*) FROM c"
    )
    for _ in range(6):  # more often than there are connections
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await store.read(lambda tx: tx.one(endless))
    async with asyncio.timeout(90):
        assert await kept(store) == []


async def test_a_write_inside_of_a_write_is_refused_instead_of_waiting_for_ever(
    store: CountingStore,
) -> None:
    with pytest.raises(NestedWrite):
        await store.write(lambda _tx: store.write(note("inner")))
    assert await kept(store) == []


async def test_a_transaction_cannot_be_used_when_it_is_over(store: CountingStore) -> None:
    leaked: list[Tx] = []

    async def leak(tx: Tx) -> None:
        leaked.append(tx)

    await store.write(leak)
    with pytest.raises(TransactionOver):
        leaked[0].later(INSERT, (1, "a"))
    with pytest.raises(TransactionOver):
        leaked[0].on_abort(leaked.clear)
    with pytest.raises(TransactionOver):
        await leaked[0].run(INSERT, 1, "a")
    assert await kept(store) == []


async def test_a_text_with_a_zero_is_no_fault_in_any_statement(store: CountingStore) -> None:
    """Everybody can put %00 into an address; PostgreSQL has no such text."""

    async def op(tx: Tx) -> int:
        await tx.run(INSERT, 1, "a\0b")
        await tx.many(INSERT, [(2, "\0"), (3, "c")])
        return await tx.run("UPDATE notes SET number = 7 WHERE text = $1", "a\0b")

    assert await store.write(op) == 1
    found = "SELECT number FROM notes WHERE text = $1"
    assert await store.read(lambda tx: tx.one(found, "a\0b")) == (7,)
    assert await store.read(lambda tx: tx.one(found, "a\0")) is None
