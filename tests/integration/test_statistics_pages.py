"""The pages of statistics say what the figures say; they are drawn once, and cost little."""

from __future__ import annotations

import asyncio
import csv
import io
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web

from server.db import figures
from server.db.base import Tx
from server.domain.rollup import (
    DAY,
    EVER,
    HOUR,
    MINUTE,
    MONTH,
    Gauge,
    Key,
    Kind,
    Measure,
    Span,
    floor,
)  # fmt: skip
from server.handlers import pages, sse, statistics_pages
from server.handlers.drawings import Drawings
from server.handlers.statistics_pages import StatisticsPages
from server.services import pictures, sofar
from server.services.look import Look
from tests.integration.test_doors import doors
from tests.integration.test_live_pages import told
from tests.kit.house import House
from tests.kit.served import application, serving
from tests.kit.surfer import Surfer
from web.filters import stamp
from web.render import ASSETS, page

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Pool:
    """A pool with a year of figures, and a browser that nobody has signed in with."""

    found: House
    browser: Surfer
    settled: dict[str, int]
    at: float


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pool(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pool]:
    """One server for all."""
    async with doors(tmp_path_factory.mktemp("statistics")) as (found, browser):
        at = found.deps.clock()
        yield Pool(found, browser, await fill(found, at), at)


async def fill(found: House, now: float) -> dict[str, int]:
    """A year of figures; what settled in each of the last 120 minutes."""
    rows: dict[Key, dict[Measure, int]] = {}
    samples = []
    for step, steps in ((MINUTE, 120), (HOUR, 24 * 30), (DAY, 365)):
        for back in range(steps):
            at = floor(now, step) - back * step
            rows[Kind.POOL, "", step, at] = {
                Measure.EVENTS_SETTLED: step + back, Measure.EVENTS_RECEIVED: 4 * step,
                Measure.EVENTS_RECOMPUTED: step, Measure.TASKS_DELIVERED: 3,
                Measure.TASKS_FAILED: 1,
            }  # fmt: skip
            samples.append(figures.Sample(Gauge.MACHINES_CONNECTED, Kind.POOL, "", step, at, 70.0))
            if step != MINUTE:
                rows[Kind.FAILURE, "disk full", step, at] = {Measure.TASKS_FAILED: 7}
                for key, value in (("CH", 30.0), ("RS", 40.0)):
                    samples.append(
                        figures.Sample(Gauge.MACHINES_CONNECTED, Kind.COUNTRY, key, step, at, value)
                    )
    rows[Kind.POOL, "", EVER, 0] = {Measure.EVENTS_SETTLED: 12_345}
    samples += [
        figures.Sample(Gauge.ADDRESSES_SEEN, Kind.POOL, "", step, at, value)
        for step, value in ((HOUR, 61.0), (DAY, 612.0), (MONTH, 6123.0))
        for at in {floor(now, step), floor(now + 1800, step)}  # the hour may be over soon
    ]

    async def write(tx: Tx) -> None:
        await figures.add(tx, rows)
        await figures.sample(tx, samples)

    await found.deps.store.write(write)
    minutes = {floor(now, MINUTE) - back * MINUTE: MINUTE + back for back in range(120)}
    return {stamp(at): settled for at, settled in minutes.items()}


@asynccontextmanager
async def apart(
    pool: Pool, public: bool, clock: Callable[[], float] | None = None
) -> AsyncIterator[ClientSession]:
    """The pages of the pool served by themselves, with nothing kept."""
    deps = replace(pool.found.deps, clock=clock or pool.found.deps.clock)
    look = Look(deps)
    app: web.Application = application(StatisticsPages(deps, look, public).routes())
    pages.attach(app, look)
    async with serving(app) as (host, port), ClientSession(f"http://{host}:{port}") as session:
        yield session


@pytest.mark.parametrize("span", Span)
@pytest.mark.parametrize("group", ["", *(f"/{each}" for each in pictures.GROUPS)])
async def test_every_page_has_every_range_and_stays_small(
    pool: Pool, group: str, span: Span
) -> None:
    shown = await pool.browser.get(f"/statistics{group}?range={span}")
    assert shown.status == 200
    names = ("style.css", "plots.css", "page.js", "live.js", "plots.js")
    assert len(shown.text.encode()) + sum(len(ASSETS[name].body) for name in names) < 100_000
    for other in Span:
        assert f'href="/statistics{group}?range={other}"' in shown.text
    assert f'range={span}" aria-current="true"' in shown.text


async def test_the_table_behind_a_plot_says_what_the_plot_says(pool: Pool) -> None:
    shown = (await pool.browser.get("/statistics/trouble?range=week")).text
    shown += (await pool.browser.get("/statistics/tasks?range=week")).text
    assert "Table of What preemptions cost" in shown
    assert "<td>25</td>" in shown  # per cent of the events were computed again
    assert "<td>75</td>" in shown  # per cent of the tasks delivered
    assert ": 75 % of those that ended</title>" in shown
    assert "disk full" in shown


async def test_different_ones_are_told_for_this_hour_this_day_and_this_month(pool: Pool) -> None:
    shown = (await pool.browser.get("/statistics")).text
    for words in ("61</td>", "612</td>", "6\u202f123</td>"):
        assert words in shown
    then = replace(pool.found.deps, clock=lambda: pool.at)
    found = {one.of: one for one in await sofar.so_far(then)}
    settled, addresses = found[Measure.EVENTS_SETTLED], found[Gauge.ADDRESSES_SEEN]
    days = datetime.fromtimestamp(pool.at, UTC).day
    assert settled.month == sum(DAY + back for back in range(days))
    assert (settled.day, settled.hour, settled.ever) == (DAY, HOUR, 12_345)
    assert addresses.ever is None


async def test_the_map_shows_countries_of_machines_that_are_here_as_far_as_they_are_known(
    pool: Pool,
) -> None:
    async with apart(pool, True) as session:
        shown = await (await session.get("/statistics/countries")).text()
    assert "Serbia 40" in shown
    assert "The country of no machine that is here is known" in shown
    hand = await pool.found.join("ada")
    pool.found.deps.registry.hosts[hand.id].country = "RS"
    async with apart(pool, True) as session:
        shown = await (await session.get("/statistics/countries")).text()
    assert "<title>Serbia: 1 machines</title>" in shown
    assert 'class="land"' in shown
    assert '<p class="small">Machines here now, by country' in shown


async def test_while_no_machine_is_here_the_map_shows_those_of_the_pool(pool: Pool) -> None:
    hand = await pool.found.join("eve")
    card = pool.found.deps.registry.hosts[hand.id]
    card.country = "PL"
    for one in pool.found.deps.registry.hosts.values():
        one.seen_at = 0.0
    async with apart(pool, True) as session:
        shown = await (await session.get("/statistics/countries")).text()
        front = await (await session.get("/statistics")).text()
    assert "<title>Poland: 1 machines</title>" in shown
    assert "All machines of the pool, for none of a known country is here now" in shown
    _, facts = await pages.gather(Look(pool.found.deps), "")
    assert (facts["front"].countries, facts["countries"]["PL"]) == ({}, 1)
    assert "with a machine of the pool" in page("home_live", **facts)
    assert "No machine is here now. The plots above" in front


async def test_figures_as_csv_are_whole_numbers_as_they_are_kept(pool: Pool) -> None:
    answer = await pool.found.answer("GET", "/statistics/events.csv?range=hour")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "windfall-events-hour.csv" in answer.headers["Content-Disposition"]
    head, *rows = csv.reader(io.StringIO(answer.body.decode()))
    assert head == ["begins", "seconds", "settled"]
    assert {row[1] for row in rows} == {"60"}
    assert len(rows) == 60
    assert [int(row[2]) for row in rows] == [pool.settled.get(row[0], 0) for row in rows]
    assert sum(row[0] in pool.settled for row in rows) > 1


async def test_a_plot_as_svg_may_do_nothing_but_be_looked_at(pool: Pool) -> None:
    answer = await pool.found.answer("GET", "/statistics/machines.svg?range=day")
    assert answer.headers["Content-Type"].startswith("image/svg+xml")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert ET.fromstring(answer.body).tag.endswith("svg")


async def test_what_is_no_plot_and_no_range_is_said(pool: Pool) -> None:
    assert (await pool.browser.get("/statistics/nothing.csv")).status == 404
    shown = await pool.browser.get("/statistics?range=ever")
    assert shown.status == 400
    assert "one of hour, day, week, month, year, all is wanted here" in shown.text


async def test_a_plot_is_drawn_once_within_its_step(pool: Pool) -> None:
    now, asked = pool.found.deps.clock(), 0

    async def count(*_: object) -> pictures.Picture:
        nonlocal asked
        asked += 1
        return pictures.Picture(pictures.PLOTS[0], 0, MINUTE, (("connected", [1, 2]),))

    deps = replace(pool.found.deps, clock=lambda: now)
    drawings = Drawings(deps, read=count)
    plot = pictures.PLOTS[0]
    await asyncio.gather(*[drawings.of(plot, Span.HOUR) for _ in range(20)])
    assert asked == 1
    await drawings.of(plot, Span.DAY)
    now += MINUTE - 1
    await drawings.of(plot, Span.HOUR)
    assert asked == 2
    now += 2
    await drawings.of(plot, Span.HOUR)
    assert asked == 3


async def test_a_plot_that_is_followed_comes_when_its_step_is_over(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics_pages, "KEPT_S", 0.05)
    moment = pool.at
    async with apart(pool, True, lambda: moment) as session:
        shown = await (await session.get("/statistics/events?range=hour")).text()
        assert 'data-part="plot-events" data-slow><figure' in shown
        assert 'data-events="/statistics/live?group=events&amp;range=hour"' in shown
        async with session.get("/statistics/live?group=events&range=hour") as stream:
            first = await told(stream, "\n\n")
            assert 'data-part="plot-events" data-slow data-same></div>' in first
            assert "<svg" not in first, "who comes has them in the page"
            moment += MINUTE + 1
            assert "<svg" in await told(stream, "data: plot-copies\n") + await told(stream, "\n\n")
        for wrong in ("group=plots", "range=minute"):
            assert (await session.get(f"/statistics/live?{wrong}")).status == 400, wrong


async def test_statistics_that_are_not_public_are_for_those_who_are_signed_in(pool: Pool) -> None:
    async with apart(pool, False) as session:
        for path in ("", "/machines", "/machines.csv", "/machines.svg"):
            async with session.get(f"/statistics{path}", allow_redirects=False) as answer:
                assert answer.status == 303, path
                assert answer.headers["Location"].startswith("/login?next=")
        async with session.get("/statistics/live") as answer:
            assert answer.status == 401, "a stream leads nobody to another page"
            assert (await answer.json(content_type=None))["code"] == "signed-out"


async def test_machines_are_told_by_their_size(pool: Pool) -> None:
    hand = await pool.found.join("large")
    card = pool.found.deps.registry.hosts[hand.id]
    card.facts = replace(card.facts, cores=48, memory_mb=200_000)
    async with apart(pool, True) as session:
        shown = await (await session.get("/statistics")).text()
    assert "<title>33 to 64: 1 machines</title>" in shown
    assert "<title>over 128 to 256 GiB: 1 machines</title>" in shown


async def test_visitors_are_told_of_no_machine_and_no_account(pool: Pool) -> None:
    hand = await pool.found.join("machine-of-somebody", "somebody")
    card = pool.found.deps.registry.hosts[hand.id]
    assert (card.name, card.account_name) == ("machine-of-somebody", "somebody")
    async with apart(pool, True) as session:
        for path in ("", *(f"/{group}" for group in pictures.GROUPS)):
            shown = await (await session.get(f"/statistics{path}?range=hour")).text()
            assert "somebody" not in shown, path
    assert "somebody" not in (await pool.browser.get("/")).text


async def test_who_stays_connected_is_sent_only_the_numbers_that_changed(pool: Pool) -> None:
    look, sent = Look(pool.found.deps), 0
    shared = sse._Topic()
    facts = await StatisticsPages(pool.found.deps, look)._facts("", Span.DAY)
    shared.take(page("statistics_live", **facts))
    known, first = shared.number, len(shared.event(0))
    for second in range(600):
        # Everything but how many are paired moves, all the time.
        n = 1_000_000 + second
        now = replace(
            facts["now"], machines=n, working=n - 7, cores=n, memory_mb=n, leases=n, tasks_ready=n,
            lease_age_oldest_s=second, lease_age_mean_s=second / 2, events_in_hand=n,
            events_leased=n, events_left=n,
        )  # fmt: skip
        shared.take(page("statistics_live", **{**facts, "now": now, "rate": second}))
        sent += len(shared.event(known))
        known = shared.number
    assert first < 3_000
    assert sent / 600 < 1_000
