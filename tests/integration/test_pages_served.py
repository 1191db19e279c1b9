"""Pages over real HTTP: their headers, their files, and what is said when there is none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from server.handlers import keys, pages
from tests.kit.served import application, serving
from tests.kit.views import MadeUpBoard, MadeUpLook
from web.render import ASSETS, asset


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """A session with the pages of a made-up pool."""
    app = application(pages.routes())
    app[keys.BOARD] = MadeUpBoard()
    pages.attach(app, MadeUpLook())
    async with (
        serving(app) as (host, port),
        ClientSession(f"http://{host}:{port}") as found,
    ):
        yield found


@pytest.mark.parametrize("path", ["/", "/patterns", "/productions/zprime-scan-3tev"])
async def test_a_page_allows_nothing_but_its_own_files(session: ClientSession, path: str) -> None:
    async with session.get(path) as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Windfall-Protocol"] == "1"
        text = await response.text()
    assert text.startswith("<!doctype html>")


async def test_the_address_of_a_page_can_be_checked_without_reading_it(
    session: ClientSession,
) -> None:
    async with session.head("/") as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_a_production_that_is_not_there_is_said_on_a_page(session: ClientSession) -> None:
    async with session.get("/productions/%3Cb%3Enobody") as response:
        assert (response.status, response.content_type) == (404, "text/html")
        text = await response.text()
    assert "&lt;b&gt;nobody" in text
    assert "<b>" not in text


async def test_files_are_kept_for_ever_under_their_tag_and_asked_for_again_without(
    session: ClientSession,
) -> None:
    async with session.get(asset("style.css")) as response:
        assert await response.read() == ASSETS["style.css"].body
        assert "immutable" in response.headers["Cache-Control"]
    async with session.get("/static/style.css?v=old") as response:
        assert response.headers["Cache-Control"] == "no-cache"
        tag = response.headers["ETag"]
    async with session.get("/static/style.css", headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.css", "..%2Frender.py", "%2e%2e%2fbase.html"])
async def test_no_other_file_can_be_had(session: ClientSession, name: str) -> None:
    async with session.get(f"/static/{name}") as response:
        assert response.status == 404
        assert (await response.json(content_type=None))["code"] == "not-found"


async def test_a_theme_is_remembered_by_this_browser_alone(session: ClientSession) -> None:
    assert "data-theme" not in await (await session.get("/")).text()
    for cookie, shown in (("dark", True), ("light", True), ('dark" x="', False)):
        headers = {"Cookie": f"windfall-theme={cookie}"}
        async with session.get("/", headers=headers) as response:
            assert (f'data-theme="{cookie}"' in await response.text()) == shown
