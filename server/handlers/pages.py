"""The pages: home, a production, a site, and the static files they need; read-only and public."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from server.domain.errors import NotFound
from server.domain.roles import Caller
from server.handlers import keys
from server.handlers.access import Public, Visitor
from server.handlers.errors import NothingHere
from server.handlers.plot_pages import Figure, figures
from server.handlers.routes import BYTES, HTML, Route
from server.handlers.showing import HEADERS, show
from server.handlers.sse import FEED, MEDIA, Feed, Live, Pace
from server.services.look import ProductionView
from web.plots import world
from web.render import ASSETS, page

CARDS = 20
PHYSICS = 3  # plots on the first page
MOVES = 50
SITE = "/"  # before the name of a site in a topic; no name of a production has it
RUN = "/run/"  # before the name of a site, for who runs it
OVER = {"done": 1, "aborted": 2}  # last among the cards
AGE_S = 1.0  # of what is shown of a production: anybody may ask for it, and often


def routes() -> list[Route]:
    """The pages, their streams and their files."""
    return [
        Route("GET", "/", show_home, Visitor(), "The first page", media=HTML, head=True),
        Route("GET", "/events", follow_home, Public(), "The same, live", media=MEDIA),
        Route(
            "GET",
            "/productions/{name}",
            show_production,
            Visitor(),
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
            media=MEDIA,
            codes=("production-unknown", "too-many-listeners"),
        ),
        Route(
            "GET",
            "/patterns",
            show_patterns,
            Visitor(),
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


async def gather(look: keys.Look, topic: str) -> tuple[str, dict[str, Any]]:
    """The template and the facts of a topic: a production, a site (`SITE` first), all, home."""
    if topic.startswith(SITE):
        whole = topic.startswith(RUN)
        site, now = await look.site(topic.removeprefix(RUN if whole else SITE))
        return "site", {"site": site, "now": now, "whole": whole}
    if topic:
        production = await look.production(topic, AGE_S)
        moves = await look.moves(production.id, MOVES)
        drawn = figures(await look.plots(production.id))
        return "production", {"production": production, "moves": moves, "figures": drawn}
    front = await look.front()
    running = sorted(front.productions, key=lambda one: OVER.get(one.state, 0))
    shown, rest = running[:CARDS], running[CARDS:]
    countries = front.countries or look.countries()
    physics = await _physics(look, shown)
    return "home", {
        "front": front, "countries": countries, "shown": shown, "rest": rest, "here": "home",
        "physics": physics,
    }  # fmt: skip


async def render(look: keys.Look, topic: str) -> str:
    """The part of a page that lives, which is the same for everybody."""
    template, facts = await gather(look, topic)
    return page(f"{template}_live", **facts)


async def show_home(request: web.Request, caller: Caller | None) -> web.Response:
    """The first page."""
    look = request.app[keys.LOOK]
    template, facts = await gather(look, "")
    countries = facts["countries"]
    # The outlines are read when the first map is drawn: not on the loop.
    drawn = await asyncio.to_thread(world, countries, unit="machines") if countries else ""
    return show(request, caller, template, map=drawn, **facts)


async def _physics(
    look: keys.Look, productions: list[ProductionView]
) -> list[tuple[ProductionView, Figure]]:
    """A plot of each of the first productions that have one."""
    found: list[tuple[ProductionView, Figure]] = []
    for production in productions:
        drawn = figures(await look.plots(production.id))[:1]
        found += [(production, one) for one in drawn]
        if len(found) == PHYSICS:
            break
    return found


async def show_production(request: web.Request, caller: Caller | None) -> web.Response:
    """The page of one production."""
    return await _page(request, caller, named(request, "production"))


def followed(look: keys.Look, topic: str) -> Live:
    """A topic, live."""
    return Live(("pool", topic), lambda: render(look, topic))


async def follow_home(request: web.Request) -> Live:
    """The first page, live."""
    return followed(request.app[keys.LOOK], "")


async def follow_production(request: web.Request) -> Live:
    """The page of one production, live."""
    return followed(request.app[keys.LOOK], named(request, "production"))


async def show_patterns(request: web.Request, caller: Caller | None) -> web.Response:
    """What logs are read with, and how often each was found."""
    rows = await request.app[keys.BOARD].rows()
    return show(request, caller, "patterns", patterns=rows, here="patterns")


async def send_file(request: web.Request) -> web.Response:
    """A static file; kept for ever by who asks for it with its tag."""
    found = ASSETS.get(request.match_info["file"])
    if found is None:
        raise NothingHere()
    tagged = request.query.get("v") == found.tag
    keep = "public, max-age=31536000, immutable" if tagged else "no-cache"
    headers = {**HEADERS, "Cache-Control": keep, "ETag": f'"{found.tag}"'}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.body, content_type=found.media, headers=headers)


def named(request: web.Request, kind: str) -> str:
    """The name in the address, which is no other topic: a slash can come as %2F. NotFound."""
    name = request.match_info["name"]
    if "/" in name:
        raise NotFound(kind, name[:64])
    return name


async def _page(request: web.Request, caller: Caller | None, topic: str) -> web.Response:
    template, facts = await gather(request.app[keys.LOOK], topic)
    return show(request, caller, template, **facts)


def attach(app: web.Application, look: keys.Look, pace: Pace | None = None) -> None:
    """Give an application what its pages need; their streams end when it shuts down."""
    app[keys.LOOK] = look
    app[FEED] = feed = Feed(pace)
    app.on_shutdown.append(feed.close)
