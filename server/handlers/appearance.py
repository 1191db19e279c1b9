"""Light or dark, as a browser wants to remember it: a cookie, so that no page flashes."""

from __future__ import annotations

from aiohttp import web

from server.domain.roles import Caller
from server.handlers import showing
from server.handlers.access import Visitor
from server.handlers.door import DOOR, Form
from server.handlers.routes import HTML, Body, Route

PATH = "/appearance"
KEPT_S = 365 * 86_400


async def show(request: web.Request, caller: Caller | None) -> web.Response:
    """The choice."""
    return showing.show(request, caller, "appearance")


async def choose(request: web.Request, caller: Caller | None, form: Form) -> web.Response:
    """Remember a choice; anything but a theme is that of the system."""
    response = showing.onward(request, PATH, "Remembered in this browser.")
    door, theme = request.app[DOOR], form.get("theme", "")
    if theme in showing.THEMES:
        door.keep(response, "theme", theme, KEPT_S)
    else:
        door.drop(response, "theme")
    return response


def routes() -> list[Route]:
    """The page, and its form."""
    return [
        Route("GET", PATH, show, Visitor(), "Light or dark, as a page.", media=HTML, head=True),
        Route("POST", PATH, choose, Visitor(), "Choose light or dark.", Body.FORM, media=HTML,
              fields=("theme",)),
    ]  # fmt: skip
