"""Live pages over real HTTP: one rendering for all, only changes, and nothing left behind."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import ClientResponse, ClientSession, web

from server.handlers import pages, sse
from server.handlers.access import Public
from server.handlers.routes import Route
from server.handlers.sse import FEED, Feed, Pace
from tests.kit import views
from tests.kit.served import application, deaf, serving, until
from tests.kit.views import MadeUpLook

QUICK = Pace(every=0.02, share=1.0, silence=0.1, patience=0.5, most=3)


@asynccontextmanager
async def live(look: MadeUpLook, pace: Pace = QUICK) -> AsyncIterator[tuple[Feed, ClientSession]]:
    """The pages of this look, served; their feed, and a session to listen with."""
    app = application(pages.routes())
    pages.attach(app, look, pace)
    async with (
        serving(app, shutdown_timeout=1.0) as (host, port),
        ClientSession(f"http://{host}:{port}") as session,
    ):
        yield app[FEED], session


async def block(response: ClientResponse) -> str:
    """The next block of the stream: an event or a comment."""
    lines = []
    async with asyncio.timeout(60):
        while (line := (await response.content.readline()).decode()) != "\n":
            assert line, "the stream ended"
            lines.append(line)
    return "".join(lines)


async def event(response: ClientResponse) -> str:
    """The HTML of the next event; comments between are passed over."""
    return await _data(response, "live")


async def part(response: ClientResponse) -> str:
    """The name of the next part that changed, and its HTML; comments between are passed over."""
    return await _data(response, "part")


async def _data(response: ClientResponse, kind: str) -> str:
    while (found := await block(response)).startswith(":"):
        pass
    first, *rest = found.splitlines()
    assert first == f"event: {kind}"
    return "\n".join(line.removeprefix("data: ") for line in rest)


def filled(html: str, before: str) -> str:
    """A page whose parts that stay as they were are taken from the page before."""
    known = {found["name"]: found["inner"] for found in sse._PART.finditer(before)}
    return re.sub(
        r' data-part="([\w-]+)" data-same>',
        lambda found: f' data-part="{found[1]}">{known[found[1]]}',
        html,
    )


async def test_the_first_event_is_the_page_as_it_is_and_more_come_only_when_it_changes() -> None:
    look = MadeUpLook()
    async with live(look) as (_, session), session.get("/events") as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["X-Accel-Buffering"] == "no"
        first = await event(stream)
        assert first == await pages.render(look, "")
        assert await block(stream) == ":\n"
        look.view = replace(look.view, productions=look.view.productions[1:])
        told = await event(stream)
        assert filled(told, first) == await pages.render(look, "")
        assert len(told) < len(first) / 2, "what stays as it is comes empty"


async def test_of_a_page_that_stays_as_it_is_only_the_parts_that_changed_are_sent() -> None:
    look = MadeUpLook()
    async with live(look) as (_, session), session.get("/events") as stream:
        await event(stream)
        look.view = replace(look.view, machines_now=777)
        assert await part(stream) == "machines\n777"
        first, *rest = look.view.productions
        look.view = replace(look.view, productions=[replace(first, in_hand=12_345), *rest])
        name, _, html = (await part(stream)).partition("\n")
        assert name == f"p{first.id}"
        assert "12\u202f345 in hand" in html
        assert "<li" not in html


async def test_who_comes_later_is_told_all_that_changed_before() -> None:
    look = MadeUpLook()
    async with live(look) as (_, session), session.get("/events") as one:
        await event(one)
        look.view = replace(look.view, machines_now=777)
        await part(one)
        async with session.get("/events") as two:
            assert ">777</dd>" in await event(two)


async def test_a_page_is_rendered_once_for_all_who_follow_it() -> None:
    look = MadeUpLook()
    pace = replace(QUICK, every=3600.0)
    async with (
        live(look, pace) as (feed, session),
        session.get("/events") as one,
        session.get("/events") as two,
    ):
        assert await event(one) == await event(two)
        assert (feed.listeners, look.asked) == (2, 1)


async def test_who_goes_away_is_forgotten_and_nothing_is_rendered_for_nobody() -> None:
    look = MadeUpLook()
    async with live(look) as (feed, session):
        async with session.get("/events") as stream:
            await event(stream)
            assert feed.listeners == 1
        await until(lambda: feed.listeners == 0)
        asked = look.asked
        await asyncio.sleep(5 * QUICK.every)
        assert look.asked == asked


async def test_one_too_many_is_told_to_come_back_later() -> None:
    look = MadeUpLook()
    async with live(look, replace(QUICK, most=1)) as (_, session), session.get("/events") as stream:
        await event(stream)
        async with session.get("/events") as second:
            assert second.status == 503
            assert (await second.json(content_type=None))["code"] == "too-many-listeners"
            assert "Retry-After" in second.headers


async def test_an_unknown_production_has_no_stream() -> None:
    async with live(MadeUpLook()) as (feed, session):
        async with session.get("/productions/nobody/events") as response:
            assert response.status == 404
            assert (await response.json(content_type=None))["code"] == "production-unknown"
        assert feed.listeners == 0


async def test_a_production_is_followed_on_its_own() -> None:
    look = MadeUpLook()
    async with live(look) as (_, session), session.get("/productions/dijets-8tev/events") as stream:
        assert "paused" in await event(stream)
        at = next(n for n, p in enumerate(look.view.productions) if p.name == "dijets-8tev")
        look.view.productions[at] = replace(look.view.productions[at], state="aborted")
        assert "given up" in await event(stream)


async def test_a_rendering_that_fails_once_does_not_end_the_stream(
    caplog: pytest.LogCaptureFixture,
) -> None:
    look = MadeUpLook()
    good = look.view
    async with live(look) as (_, session), session.get("/events") as stream:
        await event(stream)
        look.view = replace(good, productions=None)  # type: ignore[arg-type]  # what must not happen
        await until(lambda: "page not rendered" in caplog.text)
        look.view = replace(good, machines_now=778)
        assert await part(stream) == "machines\n778"


async def test_streams_end_when_the_server_shuts_down() -> None:
    app = application(pages.routes())
    pages.attach(app, MadeUpLook(), replace(QUICK, silence=3600.0))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=30.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with (
        ClientSession(f"http://{host}:{port}") as session,
        session.get("/events") as stream,
    ):
        await event(stream)
        async with asyncio.timeout(60):
            await runner.cleanup()
            rest = await stream.content.read()
        assert rest == b""


async def test_a_reader_that_takes_nothing_is_let_go() -> None:
    many = [views.production(f"a-rather-long-name-{n}", id=n) for n in range(400)]
    look = MadeUpLook(replace(views.front(), productions=many))
    app = application(pages.routes())
    pages.attach(app, look, replace(QUICK, every=0.002, patience=0.1))
    feed = app[FEED]

    def gone() -> bool:
        look.view = replace(look.view, hosts_total=look.view.hosts_total + 1)  # the whole page
        return feed.listeners == 0

    async with serving(app, shutdown_timeout=1.0) as place:
        reader = await deaf(place, b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: feed.listeners == 1)
        await until(gone)
        reader.close()


def test_html_of_many_lines_stays_one_event() -> None:
    assert sse._event("<p>\n</p>") == b"event: live\ndata: <p>\ndata: </p>\n\n"


def test_the_more_there_is_to_render_the_less_often_it_is() -> None:
    assert sse.pause(1.0, [0.01, 0.02], 0.1) == 1.0
    assert sse.pause(1.0, [0.05] * 100, 0.1) == pytest.approx(50.0)


async def test_many_pages_are_rendered_one_by_one() -> None:
    rendered: list[str] = []
    running = 0

    async def rendering(name: str) -> str:
        nonlocal running
        running += 1
        assert running == 1, "one at a time"
        await asyncio.sleep(0.001)
        running -= 1
        rendered.append(name)
        return f"{name} {len(rendered)}"

    async def follow(request: web.Request) -> sse.Live:
        name = request.query["name"]
        return sse.Live((name,), lambda: rendering(name))

    app = application([Route("GET", "/events", follow, Public(), "Many pages", media=sse.MEDIA)])
    app[FEED] = feed = Feed(Pace(every=0.0, share=1.0))
    names = [f"n{number}" for number in range(8)]
    async with (
        serving(app, shutdown_timeout=1.0) as (host, port),
        ClientSession(f"http://{host}:{port}") as session,
        AsyncExitStack() as stack,
    ):
        for name in names:
            stream = await stack.enter_async_context(session.get(f"/events?name={name}"))
            await block(stream)
        assert (feed.listeners, feed.topics) == (8, 8)
        rendered.clear()
        await until(lambda: len(rendered) >= 16)
