"""Lists of tasks: the same on each database, every one of them by an index, and page by page."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from server.db import tasklist
from server.db.choose import connect
from server.db.dialect import SQLITE, split
from server.db.migrate import OpenStore, packaged, upgrade
from server.db.tasklist import ENDED, NEWEST, OLDEST, Listed, Slice, Wanted

SMALL, LARGE = 1_000, 1_000_000
HOSTS, ACCOUNTS = 50, 10
STATES = ("delivered", "delivered", "delivered", "returned", "expired", "failed", "aborted")
_INSERT = (
    "INSERT INTO tasks (id, production, unit, first, last, state, host, account, leased_at,"
    " ended_at, cause, held) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
)


def row(number: int, hosts: int = HOSTS) -> tuple[object, ...]:
    """A task that is over, but for every 97th (leased) and every 101st (waiting)."""
    state = STATES[number * 7919 % len(STATES)]
    host = 1 + number * 31 % hosts
    ended: float | None = 1e9 + number + number * 13 % 100
    if number % 97 == 0:
        state, ended = "leased", None
    if number % 101 == 0:
        return (number, 1 + number % 3, number // 9, 0, 9, "ready", *[None] * 6)
    account = 1 + host % ACCOUNTS
    return (number, 1 + number % 3, number // 9, 0, 9, state, host, account, 1e9 + number, ended,
            state, 9)  # fmt: skip


def finding(number: int) -> tuple[object, ...]:
    """What was found in the log of a failed task."""
    kind = "input" if number % 5 == 0 else "payload"
    return (
        number,
        1,
        1,
        1,
        1,
        "failed",
        "crashed",
        "",
        kind,
        "retry",
        1,
        f"line {number}",
        "",
        1e9,
    )


_FINDING = f"INSERT INTO findings VALUES ({', '.join(f'${n}' for n in range(1, 15))})"


@pytest.fixture
async def listed(url: str) -> AsyncIterator[OpenStore]:
    """A database with some thousand tasks."""
    store = await connect(url)
    await upgrade(store, packaged())
    rows = [row(number) for number in range(1, SMALL + 1)]
    found = [finding(int(str(one[0]))) for one in rows if one[5] == "failed"]
    sites = [(host, 1 + host % ACCOUNTS, host % 5) for host in range(1, HOSTS + 1)]
    await store.write(lambda tx: tx.many(_INSERT, rows))
    await store.write(lambda tx: tx.many(_FINDING, found))
    await store.write(
        lambda tx: tx.many(
            "INSERT INTO hosts (id, account, request, enrol_token, name, hash, state, facts,"
            " enrolled_at, seen_at, site)"
            " VALUES ($1, $2, $4, $1, 'h', $5, 'active', '{}', 0, 0, $3)",
            [(*facts, str(facts[0]), str(facts[0]).encode()) for facts in sites],
        )
    )
    yield store
    await store.close()


async def pages(store: OpenStore, wanted: Wanted, look: int) -> list[Listed]:
    """All that is found, page by page."""
    found: list[Listed] = []
    for _ in range(2_000):
        after = wanted.after
        asked = replace(wanted, after=after)

        async def read(tx: object, asked: Wanted = asked) -> Slice:
            return await tasklist.read(tx, asked, 50, look)  # type: ignore[arg-type]  # a Tx

        page = await store.read(read)
        found += page.tasks
        if page.upto is None:
            return found
        wanted = replace(wanted, after=page.upto)
    raise AssertionError("the pages have no end")


def right(wanted: Wanted) -> list[int]:
    """The same, found in the plainest way."""
    kept = []
    for number in range(1, SMALL + 1):
        task = row(number)
        _, production, _, _, _, state, host, account, _, ended, _, _ = task
        if wanted.kind and (state != "failed" or finding(number)[8] != wanted.kind):
            continue
        if wanted.production and not wanted.state and host is None:
            continue  # a production's list is of leases; what waits is asked for by its state
        if wanted.order == ENDED and ended is None:
            continue
        ends = float(str(ended)) if ended is not None else None
        if wanted.since is not None and (ends is None or ends < wanted.since):
            continue
        if wanted.until is not None and (ends is None or ends >= wanted.until):
            continue
        terms = ((wanted.production, production), (wanted.state, state), (wanted.host, host),
                 (wanted.account, account),
                 (wanted.site, None if host is None else int(str(host)) % 5))  # fmt: skip
        if all(asked in (0, "", value) for asked, value in terms):
            kept.append((ends or 0.0, number))
    if wanted.order == ENDED:
        return [number for _, number in sorted(kept, reverse=True)]
    return sorted((number for _, number in kept), reverse=wanted.order == NEWEST)


FILTERS = (
    Wanted(), Wanted(production=2), Wanted(state="delivered"), Wanted(state="failed"),
    Wanted(state="ready"), Wanted(state="leased"), Wanted(state="expired", production=1),
    Wanted(account=3), Wanted(site=2), Wanted(kind="input"), Wanted(kind="input", production=1),
    Wanted(since=1e9 + 100, until=1e9 + 300), Wanted(host=7, state="returned"), Wanted(host=7),
)  # fmt: skip
CASES = [
    replace(one, order=order)
    for one, order in itertools.product(FILTERS, (NEWEST, OLDEST, ENDED))
    # A list of a host in the order of ends is not offered: no index gives it.
    if not (order == ENDED and one.host)
]


async def test_pages_together_hold_each_task_that_is_wanted_once_and_in_order(
    listed: OpenStore,
) -> None:
    for wanted in CASES:
        expected = right(wanted)
        assert expected or wanted.order == ENDED, wanted
        # However few rows are looked at for a page, nothing is passed over.
        for look in (SMALL * 2, 200):
            assert [task.id for task in await pages(listed, wanted, look)] == expected, wanted


async def test_the_lists_of_several_hosts_are_merged(listed: OpenStore) -> None:
    for order in (NEWEST, OLDEST):
        await merged(listed, order)


async def merged(listed: OpenStore, order: str) -> None:
    """The tasks of four hosts come once each, in order."""
    wanted, hosts, found = Wanted(site=2, order=order), [2, 7, 12, 17], list[int]()
    for _ in range(1_000):
        asked = wanted

        async def read(tx: object, asked: Wanted = asked) -> Slice:
            return await tasklist.of_hosts(tx, asked, hosts, 7)  # type: ignore[arg-type]  # a Tx

        page = await listed.read(read)
        found += [task.id for task in page.tasks]
        if page.upto is None:
            break
        wanted = replace(wanted, after=page.upto)
    ids = [number for number in range(1, SMALL + 1) if row(number)[6] in hosts]
    assert found == sorted(ids, reverse=order == NEWEST)


async def test_classes_of_failure_are_found_without_reading_all_findings(
    listed: OpenStore,
) -> None:
    assert await listed.read(tasklist.all_kinds) == ["input", "payload"]


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A real file with a million tasks of 10,000 hosts, made without care for its safety."""
    file = sqlite3.connect(tmp_path_factory.mktemp("tasks") / "million.db")
    file.execute("PRAGMA journal_mode = off")
    file.execute("PRAGMA synchronous = off")
    later = []
    for migration in packaged():
        for statement in split(SQLITE.ddl(migration.text)):
            if statement.startswith("CREATE INDEX tasks_"):
                later.append(statement)
            else:
                file.execute(statement)
    # The rows are multiplied by the database: from Python they would take three times as long.
    some = [row(number, 10_000) for number in range(1, 10_001)]
    file.executemany(SQLITE.translate(_INSERT).text, some)
    file.execute(
        "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < $1)"
        " INSERT INTO tasks (id, production, unit, first, last, state, host, account, leased_at,"
        " ended_at, cause, held) SELECT id + k * 10000, production, unit, first, last, state, host,"
        " account, leased_at + k * 10000, ended_at + k * 10000, cause, held FROM tasks, n",
        [LARGE // 10_000 - 1],
    )
    file.execute(
        "INSERT INTO findings SELECT id, production, unit, host, account, state, '', '',"
        " CASE id % 5 WHEN 0 THEN 'input' ELSE 'payload' END, '', 1, '', '', ended_at"
        " FROM tasks WHERE state = 'failed'"
    )
    for statement in later:
        file.execute(statement)
    file.commit()
    yield file
    file.close()


@pytest.mark.parametrize("wanted", CASES, ids=str)
def test_no_page_of_a_million_tasks_reads_or_sorts_them_all(
    million: sqlite3.Connection, wanted: Wanted
) -> None:
    asked = tasklist.query(wanted, 50)
    for sql, values in ((asked.rows, asked.values), (asked.edge, asked.edge_values)):
        text = SQLITE.translate(sql).text
        plan = [str(line[3]) for line in million.execute(f"EXPLAIN QUERY PLAN {text}", values)]
        steps = [step for step in plan if "tasks" in step or "findings" in step]
        assert steps
        assert all("SEARCH" in step for step in steps), plan
        assert not any("TEMP B-TREE" in step for step in plan), plan
        counted = 0

        def one_more() -> int:
            nonlocal counted
            counted += 1
            return 0

        # Steps of SQLite's machine, which a loaded computer does not change.
        million.set_progress_handler(one_more, 1_000)
        million.execute(text, values).fetchall()
        million.set_progress_handler(None, 0)
        assert counted < 2_000, (counted, wanted)  # of a million tasks it would be 20,000 and more


def test_the_million_is_a_million(million: sqlite3.Connection) -> None:
    assert million.execute("SELECT count(*) FROM tasks").fetchone() == (LARGE,)
    assert Path(million.execute("PRAGMA database_list").fetchone()[2]).stat().st_size > 50_000_000
