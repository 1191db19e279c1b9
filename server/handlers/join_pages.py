"""Pages of who comes in for the first time, or has lost a password: sign up, links, forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from server.domain.errors import Refusal, SignInRefused
from server.domain.roles import Caller
from server.handlers import showing
from server.handlers.access import Visitor
from server.handlers.door import DOOR, Form
from server.handlers.door_pages import visit_of, welcome
from server.handlers.routes import HTML, Body, Route
from server.services import codes, joining, links, people
from server.services.deps import Deps

LINK_S = 1800  # how long a browser remembers which link it came by
_BLANK: dict[str, Any] = {"name": "", "full_name": "", "email": ""}


def _typed(form: Form) -> dict[str, str]:
    """What was typed, to be shown again; never a password."""
    return {name: form.get(name, "")[:254] for name in _BLANK}


@dataclass(frozen=True)
class JoinPages:
    """The handlers."""

    deps: Deps

    async def show_code(self, request: web.Request, caller: Caller | None) -> web.Response:
        """The page for the code after the password."""
        onto = request.query.get("next", "/")[:500]
        return showing.show(request, caller, "login_code", here="login", next=onto)

    async def take_code(
        self, request: web.Request, caller: Caller | None, form: Form
    ) -> web.Response:
        """Log in with a code."""
        half, onto = request.app[DOOR].read(request, "half"), form.get("next", "/")
        try:
            opened = await codes.complete(
                self.deps, half, form.get("code", "")[:40], visit_of(request)
            )
        except SignInRefused as refusal:
            return showing.onward(request, "/login", str(refusal))
        except Refusal as refusal:
            return showing.again(request, caller, "login_code", refusal, here="login", next=onto)
        response = welcome(request, opened, onto)
        request.app[DOOR].drop(response, "half")
        return response

    async def show_signup(self, request: web.Request, caller: Caller | None) -> web.Response:
        """The page to make an account on."""
        allowed = joining.may_join(self.deps, invited=False)
        return showing.show(
            request, caller, "signup", action="/signup", allowed=allowed,
            note="", least=self.deps.doors.rules.password_least, **_BLANK,
        )  # fmt: skip

    async def signup(self, request: web.Request, caller: Caller | None, form: Form) -> web.Response:
        """Make an account."""
        return await self._join(request, caller, form, "")

    async def _join(
        self, request: web.Request, caller: Caller | None, form: Form, link: str
    ) -> web.Response:
        wish = joining.Wish(
            form.get("name", ""), form.get("password", ""), form.get("full_name", ""),
            form.get("email", ""),
        )  # fmt: skip
        old = request.app[DOOR].session(request)
        try:
            opened = await joining.join(self.deps, wish, visit_of(request), link, old)
        except Refusal as refusal:
            return showing.again(
                request, caller, "signup", refusal, action="/link" if link else "/signup",
                allowed=refusal.code != "forbidden", note="",
                least=self.deps.doors.rules.password_least, **_typed(form),
            )  # fmt: skip
        response = welcome(request, opened, "/profile", f"Welcome, {opened.person.name}.")
        request.app[DOOR].drop(response, "link")
        return response

    async def show_forgot(self, request: web.Request, caller: Caller | None) -> web.Response:
        """The page to ask for a new password on."""
        works = self.deps.doors.postman.works
        return showing.show(request, caller, "forgot", works=works)

    async def forgot(self, request: web.Request, caller: Caller | None, form: Form) -> web.Response:
        """Mail a link that sets a new password, if there is such an account; say nothing of it."""
        try:
            await people.mail_reset(self.deps, form.get("name", ""), visit_of(request))
        except Refusal as refusal:
            return showing.again(request, caller, "forgot", refusal, works=True)
        return showing.onward(
            request,
            "/login",
            "If that account has a checked address, a letter is on its way to it.",
        )

    async def follow(self, request: web.Request, caller: Caller | None) -> web.Response:
        """Somebody comes by a link: its secret goes from the address into a cookie."""
        response = showing.onward(request, "/link")
        request.app[DOOR].keep(response, "link", request.match_info["link"], LINK_S)
        return response

    async def show_link(self, request: web.Request, caller: Caller | None) -> web.Response:
        """What a link is good for."""
        found = await links.look(self.deps, request.app[DOOR].read(request, "link"))
        least = self.deps.doors.rules.password_least
        if found.kind == "invitation":
            return showing.show(
                request, caller, "signup", action="/link", allowed=True,
                name="", full_name=found.full_name, email=found.email, least=least,
                note=f"{found.made_by} invites you to make an account ({found.role}).",
            )  # fmt: skip
        return showing.show(request, caller, "once", kind=found.kind, email=found.email,
                            least=least)  # fmt: skip

    async def use_link(
        self, request: web.Request, caller: Caller | None, form: Form
    ) -> web.Response:
        """Use a link."""
        door = request.app[DOOR]
        text = door.read(request, "link")
        found = await links.look(self.deps, text)
        if found.kind == "invitation":
            return await self._join(request, caller, form, text)
        try:
            if found.kind == "email":
                address = await links.check_email(self.deps, text)
                onto, said = "/profile", f"{address} is known as yours now."
            else:
                account = await people.reset_password(self.deps, text, form.get("password", ""))
                onto, said = "/login", f"{account.name} has a new password; log in with it."
        except Refusal as refusal:
            facts = {"kind": found.kind, "email": found.email,
                     "least": self.deps.doors.rules.password_least}  # fmt: skip
            return showing.again(request, caller, "once", refusal, **facts)
        response = showing.onward(request, onto, said)
        door.drop(response, "link")
        return response

    def routes(self) -> list[Route]:
        """Every route."""
        proof = ("bad-input", "too-many")
        return [
            Route("GET", "/login/code", self.show_code, Visitor(), "The page for a code.",
                  media=HTML, head=True),
            Route("POST", "/login/code", self.take_code, Visitor(), "Log in with a code.",
                  Body.FORM, media=HTML, fields=("code", "next"),
                  codes=("code-refused", "too-many", "secret-lost")),
            Route("GET", "/signup", self.show_signup, Visitor(), "The page to make an account on.",
                  media=HTML, head=True),
            Route("POST", "/signup", self.signup, Visitor(), "Make an account.", Body.FORM,
                  media=HTML, fields=("name", "password", "full_name", "email"),
                  codes=("forbidden", "exists", *proof)),
            Route("GET", "/forgot", self.show_forgot, Visitor(),
                  "The page to ask for a new password on.", media=HTML, head=True),
            Route("POST", "/forgot", self.forgot, Visitor(), "Ask for a new password by mail.",
                  Body.FORM, media=HTML, fields=("name",), codes=("too-many",)),
            Route("GET", "/link/{link:[A-Za-z0-9_-]{20,100}}", self.follow, Visitor(),
                  "Somebody comes by a link that is good once.", status=303),
            Route("GET", "/link", self.show_link, Visitor(), "What a link is good for.",
                  media=HTML, codes=("link-over",)),
            Route("POST", "/link", self.use_link, Visitor(), "Use a link.", Body.FORM, media=HTML,
                  fields=("name", "password", "full_name", "email"),
                  codes=("link-over", "exists", "forbidden", "account-unknown", *proof)),
        ]  # fmt: skip
