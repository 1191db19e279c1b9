"""Group commit: few commits for many writes, whoever goes away meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from server.db.base import Tx
from server.db.errors import StoreClosed
from tests.conformance.db.conftest import CountingStore
from tests.conformance.db.notes import INSERT, kept, note


async def test_writes_that_come_together_share_one_commit(store: CountingStore) -> None:
    before = store.counts.commits
    said = await asyncio.gather(*(store.write(note(f"n{n}")) for n in range(256)))
    assert said == [f"n{n}" for n in range(256)]
    assert store.counts.commits - before == 1
    assert store.counts.rollbacks == 0
    assert await kept(store) == said


async def test_writers_that_go_on_share_the_commits_that_follow(store: CountingStore) -> None:
    before = store.counts.commits

    async def client(name: int) -> None:
        for n in range(10):
            await store.write(note(f"{name}-{n}"))

    await asyncio.gather(*(client(name) for name in range(32)))
    assert store.counts.commits - before == 10
    assert len(await kept(store)) == 320


async def test_a_lone_write_does_not_wait_for_company(store: CountingStore) -> None:
    before = store.counts.commits
    for n in range(5):
        await store.write(note(f"n{n}"))
    assert store.counts.commits - before == 5


async def test_more_writes_than_a_batch_takes_are_all_done(store: CountingStore) -> None:
    said = await asyncio.gather(*(store.write(note(f"n{n}")) for n in range(2500)))
    assert await kept(store) == said


async def test_who_goes_away_before_the_batch_is_left_out(store: CountingStore) -> None:
    running, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_tx: Tx) -> None:
        running.set()
        await go_on.wait()

    slowly = asyncio.create_task(store.write(slow))
    await running.wait()
    tasks = [asyncio.create_task(store.write(note(f"n{n}"))) for n in range(3)]
    await asyncio.sleep(0)  # each has asked, and waits for the next batch
    tasks[1].cancel()
    go_on.set()
    await slowly
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(done[1], asyncio.CancelledError)
    assert await kept(store) == ["n0", "n2"]


async def test_who_goes_away_in_the_midst_does_not_disturb_the_others(
    store: CountingStore,
) -> None:
    running, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Tx) -> None:
        tx.later(INSERT, (0, "slow"))
        running.set()
        await go_on.wait()

    slowly = asyncio.create_task(store.write(slow))
    others = [asyncio.create_task(store.write(note(f"n{n}"))) for n in range(3)]
    await running.wait()
    slowly.cancel()
    others[1].cancel()
    go_on.set()
    assert list(await asyncio.gather(others[0], others[2])) == ["n0", "n2"]
    assert {"n0", "n2"} <= set(await kept(store))
    assert await store.write(note("after")) == "after"


async def test_closing_answers_what_was_taken_and_refuses_the_rest(store: CountingStore) -> None:
    tasks = [asyncio.create_task(store.write(note(f"n{n}"))) for n in range(20)]
    await asyncio.sleep(0)  # each has asked
    await store.close()
    assert await asyncio.gather(*tasks) == [f"n{n}" for n in range(20)]
    with pytest.raises(StoreClosed):
        await store.write(note("late"))
    with pytest.raises(StoreClosed):
        await kept(store)
    await store.close()
