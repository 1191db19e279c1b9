"""The pages at the door: log in, log out."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import hdrs, web

from server.domain.errors import AccountDisabled, SignInRefused, TooMany
from server.domain.roles import Caller
from server.handlers import showing
from server.handlers.access import Visitor
from server.handlers.door import DOOR, Form, safe_path
from server.handlers.routes import HTML, Body, Query, Route
from server.services import signin
from server.services.deps import Deps
from server.services.sessions import HALF_S, Opened, Visit


def visit_of(request: web.Request) -> Visit:
    """Where a browser is."""
    agent = request.headers.get(hdrs.USER_AGENT, "")
    return Visit(request.app[DOOR].address(request), agent)


def welcome(request: web.Request, opened: Opened, path: str, said: str = "") -> web.Response:
    """On to a page with a new session, or to that for its code if it is only half of one.

    What the browser had as a visitor is forgotten once it is whole.
    """
    door = request.app[DOOR]
    if opened.half:
        response = showing.onward(request, f"/login/code?next={quote(path, safe='/')}")
        door.keep(response, "half", opened.text, int(HALF_S))
        return response
    response = showing.onward(request, path, said)
    door.keep(response, "session", opened.text)
    door.drop(response, "visitor")
    return response


@dataclass(frozen=True)
class DoorPages:
    """The handlers."""

    deps: Deps

    async def show_login(self, request: web.Request, caller: Caller | None) -> web.Response:
        """The page to sign in on; who is signed in already goes on at once."""
        onto = safe_path(request.query.get("next", "/"))
        if caller is not None:
            return showing.onward(request, onto)
        ways = ways_in(self.deps, onto)
        return showing.show(request, caller, "login", next=onto, name="", here="login", ways=ways)

    async def login(self, request: web.Request, caller: Caller | None, form: Form) -> web.Response:
        """Sign in."""
        name, onto = form.get("name", ""), safe_path(form.get("next", "/"))
        old = request.app[DOOR].session(request)
        try:
            opened = await signin.sign_in(
                self.deps, name, form.get("password", ""), visit_of(request), old
            )
        except (SignInRefused, AccountDisabled, TooMany) as refusal:
            ways = ways_in(self.deps, onto)
            facts = {"next": onto, "name": name[:254], "here": "login", "ways": ways}
            return showing.again(request, caller, "login", refusal, **facts)
        return welcome(request, opened, onto)

    async def logout(self, request: web.Request, caller: Caller | None, form: Form) -> web.Response:
        """Sign out."""
        door = request.app[DOOR]
        await signin.sign_out(self.deps, door.session(request))
        response = showing.onward(request, "/", "You are logged out.")
        door.drop(response, "session")
        return response

    def routes(self) -> list[Route]:
        """Every route at the door."""
        return [
            Route("GET", "/login", self.show_login, Visitor(), "The page to log in on.",
                  media=HTML, head=True, query=(Query("next", "string", "Where to go then."),)),
            Route("POST", "/login", self.login, Visitor(), "Sign in.", Body.FORM, media=HTML,
                  fields=("name", "password", "next"),
                  codes=("sign-in-refused", "account-disabled", "too-many")),
            Route("POST", "/logout", self.logout, Visitor(), "Sign out.", Body.FORM, media=HTML),
        ]  # fmt: skip


def ways_in(deps: Deps, onto: str) -> list[tuple[str, str]]:
    """What the page to log in offers beside a password: where to go, and the provider's name."""
    return [
        (f"/login/with/{each.word}?next={quote(onto, safe='/')}", each.title)
        for each in deps.doors.oidc.providers.values()
    ]
