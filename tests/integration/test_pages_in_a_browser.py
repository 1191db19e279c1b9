"""Pages in a real browser: live, kept small for phones, readable by all, calling nobody else."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Locator, Page, async_playwright

from server.handlers import keys, pages
from server.handlers.sse import FEED, Feed, Pace
from tests.kit.served import application, serving
from tests.kit.views import MadeUpBoard, MadeUpLook

PROGRAM = shutil.which("chromium-headless-shell")
PATHS = (
    "/",
    "/productions/minbias-13tev-tune26",
    "/patterns",
    "/productions/nobody",
)
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        PROGRAM is None, reason="apt-get install chromium-headless-shell fonts-dejavu-core"
    ),
]


@dataclass
class Opened:
    """Pages of a made-up pool in a browser, and what they asked for and complained of."""

    browser: Browser
    base: str
    look: MadeUpLook
    feed: Feed
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def page(self, path: str, width: int = 1280, **more: Any) -> AsyncIterator[Page]:
        """One of the pages in a window of its own."""
        size = {"width": width, "height": 800}
        context = await self.browser.new_context(viewport=size, **more)  # type: ignore[arg-type]
        page = await context.new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text))
        await page.goto(self.base + path)
        yield page
        await context.close()


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """A browser, and the pages to open in it."""
    look = MadeUpLook()
    look.view.productions[0] = replace(
        look.view.productions[0], rejected=1204, rejected_hosts=[("overclocked", 1204)]
    )
    app = application(pages.routes())
    app[keys.BOARD] = MadeUpBoard()
    pages.attach(app, look, Pace(every=0.05))
    async with serving(app, shutdown_timeout=1.0) as (host, port), async_playwright() as play:
        browser = await play.chromium.launch(executable_path=PROGRAM, args=SWITCHES)
        yield Opened(browser, f"http://{host}:{port}", look, app[FEED])
        await browser.close()


def listed(page: Page) -> Locator:
    """The productions on the first page, as they live."""
    return page.locator("#live").get_by_role("region", name="Productions")


async def test_a_page_follows_the_pool_without_being_loaded_again(opened: Opened) -> None:
    async with opened.page("/") as page:
        await page.get_by_text("Live.").wait_for()
        opened.look.view = replace(opened.look.view, machines_now=777)
        await page.get_by_text("777", exact=True).wait_for()
    assert opened.asked.count(opened.base + "/") == 1
    assert opened.complaints == []


async def test_a_page_calls_nobody_but_its_own_server(opened: Opened) -> None:
    for path in PATHS[:2]:
        async with opened.page(path) as page:
            await page.get_by_text("Live.").wait_for()
    assert opened.asked
    assert [url for url in opened.asked if not url.startswith(opened.base + "/")] == []
    assert opened.complaints == []


async def test_nothing_sticks_out_at_the_side(opened: Opened) -> None:
    production = opened.look.view.productions[0]
    opened.look.view.productions[1] = replace(production, name="m" * 80, reason="x" * 200)
    for path in (*PATHS, "/productions/" + "m" * 80):
        async with opened.page(path) as page:
            for width in (360, 768, 1280):
                await page.set_viewport_size({"width": width, "height": 800})
                wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wider <= 0, (path, width)


async def test_everybody_can_read_the_pages(opened: Opened) -> None:
    for path, (scheme, width) in product(PATHS, (("light", 360), ("dark", 1280))):
        async with opened.page(path, width, color_scheme=scheme) as page:
            found = await Axe().run(page)
            assert found.violations_count == 0, found.generate_report()


async def test_the_schemes_are_two(opened: Opened) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        async with opened.page("/", color_scheme=scheme) as page:
            grounds.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


async def test_the_page_is_whole_without_scripts(opened: Opened) -> None:
    async with opened.page("/", java_script_enabled=False) as page:
        for production in opened.look.view.productions:
            assert await listed(page).get_by_role("link", name=production.name).is_visible()
        await listed(page).get_by_role("link", name="minbias-13tev-tune26").click()
        assert await page.get_by_role("heading", name="Recent moves").is_visible()


async def test_the_keyboard_reaches_every_production_and_keeps_its_place(opened: Opened) -> None:
    place = "document.activeElement.textContent"
    async with opened.page("/") as page:
        await page.get_by_text("Live.").wait_for()
        await page.keyboard.press("Tab")
        assert await page.evaluate(place) == "Skip to the content"
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        assert await page.evaluate(place) == "Add a computer"
        await listed(page).get_by_role("link", name="minbias-13tev-tune26").focus()
        opened.look.view = replace(opened.look.view, machines_now=777)
        await page.get_by_text("777", exact=True).wait_for()
        assert await page.evaluate(place) == "minbias-13tev-tune26"
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Recent moves").wait_for()


async def test_what_a_reader_has_selected_is_not_taken_away(opened: Opened) -> None:
    arrived = """new Promise(done => {
      const probe = new EventSource("/events");
      for (const kind of ["live", "part"])
        probe.addEventListener(kind, e => { if (e.data.includes("777")) done(probe.close()); });
    })"""
    async with opened.page("/") as page:
        await page.get_by_text("Live.").wait_for()
        await page.evaluate("getSelection().selectAllChildren(document.querySelector('#live dl'))")
        opened.look.view = replace(opened.look.view, machines_now=777)
        await page.evaluate(arrived)
        assert "777" not in await page.inner_text("#live")
        await page.evaluate("getSelection().removeAllRanges()")
        opened.look.view = replace(opened.look.view, machines_now=778)
        await page.get_by_text("778", exact=True).wait_for()


async def test_a_lost_connection_is_said(opened: Opened) -> None:
    async with opened.page("/") as page:
        await page.get_by_text("Live.").wait_for()
        await opened.feed.close()
        await page.get_by_text("The connection is lost; trying again.").wait_for()
        assert await page.get_by_role("heading", name="Productions").is_visible()
