"""What a browser does with what a stream tells: what differs changes, the reader's own stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from playwright.async_api import Page, async_playwright

from server.handlers import pages
from server.handlers.access import Public
from server.handlers.routes import HTML, Route
from server.handlers.sse import FEED, MEDIA, Feed, Live, Pace
from tests.integration.test_pages_in_a_browser import PROGRAM, SWITCHES
from tests.kit.served import application, serving, until
from web.render import asset

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="apt-get install chromium-headless-shell"),
]
FORM = '<form action="/x"><input name="word"><input type="checkbox" name="one" value="1"></form>'
FIRST = (
    '<h2>Zero</h2><div data-keep="form"></div>'
    "<details><summary>More</summary><p>inside</p></details>"
    '<ul><li><a href="/a">a</a> 1</li><li><a href="/b">b</a> 1</li></ul>'
)


@dataclass
class Stage:
    """A page whose living part is whatever stands here."""

    page: Page
    feed: Feed
    html: str = FIRST
    numbers: list[int] = field(default_factory=lambda: [0])
    rendered: str = ""

    async def put(self, html: str) -> None:
        """Show this; it has come when its number has."""
        self.numbers[0] += 1
        self.html = f"{html}<b>seen {self.numbers[0]}</b>"
        await self.page.get_by_text(f"seen {self.numbers[0]}", exact=True).wait_for()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A page with a form of its own amid what lives."""
    made: list[Stage] = []

    async def show(request: web.Request) -> web.Response:
        whole = made[0].html.replace('"form"></div>', f'"form">{FORM}</div>')
        script = f'<script src="{asset("live.js")}" defer></script>'
        live = f'<div id="live" data-events="/events">{whole}</div><span id="link"></span>'
        return web.Response(text=f"<!doctype html>{script}{live}", content_type=HTML)

    async def render() -> str:
        made[0].rendered = made[0].html
        return made[0].html

    async def follow(request: web.Request) -> Live:
        return Live(("stage",), render)

    [static] = [route for route in pages.routes() if route.path.startswith("/static/")]
    app = application(
        [
            Route("GET", "/", show, Public(), "The page", media=HTML),
            Route("GET", "/events", follow, Public(), "The same, live", media=MEDIA),
            static,
        ]
    )
    app[FEED] = Feed(Pace(every=0.02, share=1.0))
    async with serving(app, shutdown_timeout=1.0) as (host, port), async_playwright() as play:
        browser = await play.chromium.launch(executable_path=PROGRAM, args=SWITCHES)
        page = await browser.new_page()
        made.append(Stage(page, app[FEED]))
        await page.goto(f"http://{host}:{port}/")
        await page.get_by_text("Live.").wait_for()
        yield made[0]
        await app[FEED].close()
        await browser.close()


async def test_what_is_typed_chosen_unfolded_and_focused_stays_whatever_comes_and_goes(
    stage: Stage,
) -> None:
    page = stage.page
    await page.get_by_role("checkbox").check()
    await page.get_by_text("More").click()
    await page.get_by_role("textbox").fill("half a wo")
    body = FIRST.replace("Zero", "Another")
    warned = '<p class="notice">Beware.</p><dl><dt>x</dt></dl>' + body
    for html in (body, warned, f"<section>{FORM}</section>{body}", "<hr>" + warned, body):
        await stage.put(html)
        assert await page.locator("[data-keep] [name=word]").input_value() == "half a wo"
        assert await page.locator("[data-keep] [type=checkbox]").is_checked()
        assert await page.evaluate("document.activeElement.name") == "word"
        assert await page.get_by_text("inside").is_visible()
    assert await page.get_by_role("heading", name="Another").count() == 1
    assert await page.get_by_text("Beware").count() == 0
    assert await page.locator("hr").count() == 0


async def test_rows_are_known_by_where_they_lead_and_keep_the_focus(stage: Stage) -> None:
    page, start = stage.page, FIRST.partition("<ul>")[0]
    await page.get_by_role("link", name="b").focus()
    row = '<li><a href="/{0}">{0}</a> {1}</li>'.format
    for names in ("ab", "zab", "zb", "b", "bxy", "xby"):
        rows = "".join(row(name, number) for number, name in enumerate(names))
        await stage.put(f"{start}<ul>{rows}</ul>")
        found = await page.locator("li").all_text_contents()
        assert found == [f"{name} {number}" for number, name in enumerate(names)]
        if names != "xby":  # it changes its place: only then it may be moved
            assert await page.evaluate("document.activeElement.textContent") == "b"


async def test_a_list_that_is_read_waits_for_a_word_unless_rows_come_behind(stage: Stage) -> None:
    page = stage.page
    row = '<tr data-part="{0}"><td>{0} {1}</td></tr><!--{0}-->'.format

    def table(names: str, number: int) -> str:
        rows = "".join(row(name, number) for name in names)
        return f'<table><tbody data-steady="rows">{rows}</tbody></table>'

    await stage.put(table("ab", 1))
    await stage.put(table("abc", 2))
    cells = page.locator("td")
    assert await cells.all_text_contents() == ["a 2", "b 2", "c 2"]
    stage.html = table("zac", 3)
    show = page.get_by_role("button", name="Show what has changed: 1 new, 1 gone")
    await show.wait_for()
    assert await cells.all_text_contents() == ["a 3", "b 2", "c 3"]
    assert await page.locator(".gone").all_text_contents() == ["b 2"]
    stage.html = table("yzac", 4)
    await page.get_by_role("button", name="Show what has changed: 2 new, 1 gone").wait_for()
    stage.html = table("yzac", 5)
    await page.get_by_text("a 5").wait_for()
    await page.locator(".news").click()
    assert await cells.all_text_contents() == ["y 5", "z 5", "a 5", "c 5"]
    assert await page.locator(".gone").count() == 0
    assert await page.locator(".news").is_hidden()
    stage.html = '<p class="empty">None.</p>'
    await page.get_by_role("button", name="Show what has changed: 4 gone").wait_for()
    assert len(await cells.all_text_contents()) == 4
    stage.html = table("yzac", 6)
    await page.get_by_text("a 6").wait_for()
    assert await page.locator(".news").is_hidden(), "all is as it was"


async def test_what_is_large_comes_when_it_changes_and_from_the_page_to_who_was_away(
    stage: Stage,
) -> None:
    page, plot = stage.page, '<p data-part="plot" data-slow>plot {}</p><!--plot-->'.format
    for number in (1, 2):
        await stage.put(plot(number))
        await page.get_by_text(f"plot {number}", exact=True).wait_for()
    away = """(away) => {
        Object.defineProperty(document, "hidden", { configurable: true, value: away });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await page.evaluate(away, True)
    stage.html = plot(3)
    await until(lambda: not stage.feed.topics or stage.rendered == stage.html)
    await page.evaluate(away, False)
    await page.get_by_text("plot 3", exact=True).wait_for()
    assert await page.locator("[data-part]").all_text_contents() == ["plot 3"]
