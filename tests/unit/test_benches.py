"""The benches: their arithmetic, what they read of the load generator, a short run of each."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tools.benches import backlog, figures, load, machine, pages, process
from tools.benches.figures import Goal, Result, Slice, Spread
from tools.benches.pool import SetUpFailed

ROOT = Path(__file__).resolve().parents[2]
MORE = Goal(1, "more is better", 0.5, 0.7)
LESS = Goal(5, "less is better", 1.15, 1.05, at_least=False)

WRK = """Running 1s test @ http://127.0.0.1:1/echo
  1 threads and 256 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.28ms  830.00us  10.50ms   80.16%
  Latency Distribution
     50%  980.00us
     75%    1.50ms
     90%    2.20ms
     99%    1.05s
  20000 requests in 1.00s, 22.00MB read
Requests/sec:  19990.50
Transfer/sec:     22.00MB
"""


def cut(cpu_us: float, p99_ms: float = 1.0) -> Slice:
    return Slice(1000, int(cpu_us * 1000 * 1000), 1.0, 1.0, p99_ms)


def test_cpu_per_request_is_that_of_all_requests_of_a_slice() -> None:
    assert Slice(400, 10_000_000, 1.0, 1.0, 1.0).cpu_us == 25.0


def test_a_ratio_pairs_each_slice_with_the_reference_of_its_round() -> None:
    assert figures.cpu_ratios([cut(30), cut(60)], [cut(60), cut(80)]) == [0.5, 0.75]
    assert figures.p99_ratios([cut(1, 10.0)], [cut(1, 25.0)]) == [2.5]
    with pytest.raises(ValueError, match="zip"):
        figures.cpu_ratios([cut(30)], [cut(60), cut(80)])


def test_the_spread_is_median_and_quartiles() -> None:
    assert figures.spread([4.0, 1.0, 3.0, 2.0, 5.0]) == Spread(2.0, 3.0, 4.0)
    assert figures.spread([0.5]) == Spread(0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="no pair"):
        figures.spread([])


@pytest.mark.parametrize(
    ("goal", "spread", "met", "missed"),
    [
        (MORE, Spread(0.4, 0.5, 0.6), True, False),
        (MORE, Spread(0.3, 0.49, 0.5), False, False),
        (MORE, Spread(0.3, 0.4, 0.49), False, True),
        (LESS, Spread(1.0, 1.15, 1.4), True, False),
        (LESS, Spread(1.15, 1.2, 1.4), False, False),
        (LESS, Spread(1.16, 1.2, 1.4), False, True),
    ],
)
def test_a_goal_is_missed_only_if_the_better_quartile_is_short_of_it(
    goal: Goal, spread: Spread, met: bool, missed: bool
) -> None:
    result = Result(goal, spread, 8, {"cpu_us": 1.23456})
    assert (result.met, result.missed) == (met, missed)
    plain = result.plain()
    assert (plain["met"], plain["missed"]) == (met, missed)
    assert plain["quartiles"] == [spread.lower, spread.upper]
    assert plain["absolute"] == {"cpu_us": 1.23}


def test_what_the_load_generator_says_is_read() -> None:
    assert load.parse(WRK, 7) == Slice(20000, 7, 19990.5, 0.98, 1050.0, 0)
    refused = load.parse(WRK + "  Non-2xx or 3xx responses: 12\n", 7)
    assert refused.refused == 12


@pytest.mark.parametrize(
    "output",
    [
        "unable to connect to 127.0.0.1:1 Connection refused\n",
        WRK.replace("20000 requests", "0 requests"),
        WRK + "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
    ],
)
def test_a_slice_that_measured_nothing_is_no_slice(output: str) -> None:
    with pytest.raises(load.NoLoad):
        load.parse(output, 7)


def test_a_timeout_alone_is_a_slow_answer_and_no_failure() -> None:
    slow = load.parse(WRK + "  Socket errors: connect 0, read 0, write 0, timeout 5\n", 7)
    assert slow.requests == 20000


def test_no_request_is_made_twice_in_two_slices() -> None:
    counter = load.Counter()
    counter.past(1000, 64)
    assert counter.next > 1000 + 64


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="no schedstat here")
def test_the_cpu_time_of_all_threads_is_counted() -> None:
    before = process.cpu_ns(os.getpid())
    sum(range(1_000_000))
    assert process.cpu_ns(os.getpid()) - before > 1_000_000


def test_a_server_that_ends_at_once_is_told_with_what_it_wrote() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no luck')"]
    with pytest.raises(process.NotStarted, match="no luck"):
        process.Served("a server", command)


def test_the_machine_is_described(tmp_path: Path) -> None:
    found = machine.facts(tmp_path)
    assert {"processor", "cores", "kernel", "python", "sync_ms"} <= set(found)
    assert list(tmp_path.iterdir()) == []


def test_a_long_backlog_has_every_event_of_every_unit_as_often_as_the_quorum(
    tmp_path: Path,
) -> None:
    path = tmp_path / "some.db"
    with sqlite3.connect(path) as made:
        made.executescript("""
            CREATE TABLE units (production, number, state);
            CREATE TABLE tasks (id, production, unit, first, last, state);
            CREATE TABLE productions (id, next_unit, unit);
            INSERT INTO productions VALUES (1, 3, 100);
            INSERT INTO tasks (id) VALUES (41);
        """)
    made.close()
    assert backlog.unroll(path, 1, 2, 3) == 6
    with sqlite3.connect(path) as found:
        units = found.execute("SELECT number, state FROM units").fetchall()
        tasks = found.execute("SELECT * FROM tasks WHERE id > 41 ORDER BY id").fetchall()
        [(upto,)] = found.execute("SELECT next_unit FROM productions").fetchall()
    found.close()
    assert units == [(3, "open"), (4, "open")]
    assert [row[0] for row in tasks] == list(range(42, 48))
    assert [row[2:] for row in tasks] == [
        *[(3, 300, 400, "ready")] * 3,
        *[(4, 400, 500, "ready")] * 3,
    ]
    assert upto == 5


@pytest.mark.skipif(shutil.which("wrk") is None, reason="the load generator wrk is not installed")
@pytest.mark.parametrize(
    ("name", "goals"), [("dispatch", [1, 5, 5, 10]), ("ingest", [11, 11, 12, 12])]
)
def test_a_short_run_measures_every_goal(name: str, goals: list[int], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.benches", name, "--quick", "--slices", "1", "--json"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [goal["goal"] for goal in said["goals"]] == goals
    for goal in said["goals"]:
        lower, upper = goal["quartiles"]
        assert 0 < lower <= goal["ratio"] <= upper
        assert goal["slices"] == 1
        assert all(value > 0 for value in goal["absolute"].values())
    assert list(tmp_path.iterdir()) == []


def test_a_short_run_measures_every_page_of_a_made_up_pool(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.benches", "pages", "--quick", "--slices", "1", "--json"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    goals = json.loads(done.stdout)["goals"]
    assert {goal["goal"] for goal in goals} == {30, 31, 32, 33, 34}
    said = " ".join(goal["what"] for goal in goals)
    wanted = ("/", "/tasks", "/hosts", "/operations", "/contribution", "/statistics/trouble")
    for path in (*wanted, *pages.MORE):
        assert f" of {path} over" in said
    for goal in goals:
        lower, upper = goal["quartiles"]
        assert lower <= goal["ratio"] <= upper
        # Memory may be given back meanwhile, and so is the time of a thread that ends.
        assert lower > 0 or goal["goal"] != 31
        assert max(goal["absolute"].values()) > 0 or goal["goal"] > 32
    assert list(tmp_path.iterdir()) == []


async def test_a_page_that_fails_is_told_and_not_left_out() -> None:
    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=500)

    app = web.Application()
    app.router.add_get("/broken", broken)
    served = cast(process.Served, None)  # it is not asked what such a page cost
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as session:
        for path, status in (("/broken", 500), (pages.MORE[0], 404)):
            with pytest.raises(SetUpFailed, match=f"{path} cannot be measured: .*{status}"):
                await pages._page(served, session, path, 1)
        with pytest.raises(SetUpFailed, match="/broken cannot be measured"):
            await pages._stay(session, "/broken", "/events", 1.0)
        assert await pages._page(served, session, "/not-for-him", 1) is None
