"""The pages: the pool, one production, and the static files they need; all read-only and public."""

from __future__ import annotations

import http
from typing import Any

from aiohttp import web

from server.domain.errors import Refusal
from server.handlers import keys, sse
from server.handlers.access import Public
from server.handlers.errors import NothingHere
from server.handlers.routes import BYTES, HTML, Route
from server.handlers.shape import status_of
from web.render import ASSETS, page

CARDS = 20
MOVES = 50
SITE = "/"  # before the name of a site in a topic; no name of a production has it
AGE_S = 1.0  # of what is shown of a production: anybody may ask for it, and often

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def routes() -> list[Route]:
    """The pages, their streams and their files."""
    return [
        Route("GET", "/", show_pool, Public(), "The pool as a page", media=HTML, head=True),
        Route("GET", "/events", follow_pool, Public(), "The same, live", media=sse.MEDIA),
        Route(
            "GET",
            "/productions/{name}",
            show_production,
            Public(),
            "A production as a page",
            media=HTML,
            head=True,
        ),
        Route(
            "GET",
            "/productions/{name}/events",
            follow_production,
            Public(),
            "The same, live",
            media=sse.MEDIA,
            codes=("production-unknown", "too-many-listeners"),
        ),
        Route(
            "GET", "/sites/{name}", show_site, Public(), "A site as a page", media=HTML, head=True
        ),
        Route(
            "GET",
            "/sites/{name}/events",
            follow_site,
            Public(),
            "The same, live",
            media=sse.MEDIA,
            codes=("site-unknown", "too-many-listeners"),
        ),
        Route(
            "GET",
            "/patterns",
            show_patterns,
            Public(),
            "What logs are read with, as a page",
            media=HTML,
            head=True,
        ),
        Route(
            "GET",
            "/static/{file}",
            send_file,
            Public(),
            "A file of the pages",
            media=BYTES,
            codes=("not-found",),
            head=True,
        ),
    ]


async def render(look: keys.Look, topic: str, name: str = "_live") -> str:
    """The page of a topic: of a production, of a site (`SITE` before its name), or of the pool."""
    if topic.startswith(SITE):
        site, now = await look.site(topic.removeprefix(SITE))
        return page(f"site{name}", site=site, now=now, here="")
    if topic:
        production = await look.production(topic, AGE_S)
        moves = await look.moves(production.id, MOVES)
        facts: dict[str, Any] = {"production": production, "moves": moves, "here": ""}
        return page(f"production{name}", **facts)
    pool = await look.pool()
    shown, rest = pool.productions[:CARDS], pool.productions[CARDS:]
    return page(f"pool{name}", pool=pool, shown=shown, rest=rest, here="pool")


async def show_pool(request: web.Request) -> web.Response:
    """The first page."""
    return await _page(request, "")


async def show_production(request: web.Request) -> web.Response:
    """The page of one production."""
    return await _page(request, request.match_info["name"])


async def follow_pool(request: web.Request) -> web.StreamResponse:
    """The first page, again whenever it changes."""
    return await request.app[sse.FEED].follow(request, "")


async def follow_production(request: web.Request) -> web.StreamResponse:
    """The page of one production, again whenever it changes."""
    return await request.app[sse.FEED].follow(request, request.match_info["name"])


async def show_patterns(request: web.Request) -> web.Response:
    """What logs are read with, and how often each was found."""
    rows = await request.app[keys.BOARD].rows()
    text = page("patterns", patterns=rows, here="patterns")
    headers = {**_HEADERS, "Cache-Control": "no-cache"}
    return web.Response(text=text, content_type=HTML, headers=headers)


async def show_site(request: web.Request) -> web.Response:
    """The page of one site."""
    return await _page(request, SITE + request.match_info["name"])


async def follow_site(request: web.Request) -> web.StreamResponse:
    """The page of one site, again whenever it changes."""
    return await request.app[sse.FEED].follow(request, SITE + request.match_info["name"])


async def send_file(request: web.Request) -> web.Response:
    """A static file; kept for ever by who asks for it with its tag."""
    found = ASSETS.get(request.match_info["file"])
    if found is None:
        raise NothingHere()
    tagged = request.query.get("v") == found.tag
    keep = "public, max-age=31536000, immutable" if tagged else "no-cache"
    headers = {**_HEADERS, "Cache-Control": keep, "ETag": f'"{found.tag}"'}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.body, content_type=found.media, headers=headers)


async def _page(request: web.Request, topic: str) -> web.Response:
    status = 200
    try:
        text = await render(request.app[keys.LOOK], topic, "")
    except Refusal as refusal:
        status = status_of(refusal.code)
        title = http.HTTPStatus(status).phrase
        text = page("fault", title=title, detail=str(refusal), here="")
    headers = {**_HEADERS, "Cache-Control": "no-cache"}
    return web.Response(text=text, status=status, content_type=HTML, headers=headers)


def attach(app: web.Application, look: keys.Look, pace: sse.Pace | None = None) -> None:
    """Give an application what its pages need; their streams end when it shuts down."""
    app[keys.LOOK] = look
    feed = sse.Feed(lambda topic: render(look, topic), pace)
    app[sse.FEED] = feed
    app.on_shutdown.append(feed.close)
