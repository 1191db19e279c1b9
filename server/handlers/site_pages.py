"""Sites as pages: those that one runs, and one, with its switch, its people and its tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from server.domain.errors import BadInput, Refusal
from server.domain.farm import Scope
from server.domain.roles import Caller, reaches
from server.handlers import pages, showing
from server.handlers.access import Person, Visitor
from server.handlers.door import Form
from server.handlers.errors import SignedOut
from server.handlers.params import form_number
from server.handlers.routes import HTML, Body, Route
from server.handlers.sse import MEDIA, Live
from server.services import enrolments, sites, stewards
from server.services.deps import Deps
from server.services.look import Look
from server.services.sites import Wish

HOWS = (
    ("drain", "let them finish what they have in hand"),
    ("stop", "stop after the current event"),
    ("suspend", "pause them where they stand"),
)
"""What machines do that are told to leave, the gentlest first."""


@dataclass(frozen=True)
class SitePages:
    """The handlers. Unless ``public``, who looks has to be signed in."""

    deps: Deps
    look: Look
    public: bool = True

    async def listed(self, request: web.Request, caller: Caller) -> web.Response:
        """The sites that I run."""
        found = await sites.mine(self.deps, caller)
        operator = reaches(caller.role, stewards.NAMES)
        return showing.show(request, caller, "sites", sites=found, operator=operator, here="sites")

    async def show(self, request: web.Request, caller: Caller | None) -> web.Response:
        """The page of one site."""
        if caller is None and not self.public:
            return showing.to_sign_in(request)
        return await self._show(request, caller)

    async def follow(self, request: web.Request, caller: Caller | None) -> Live:
        """The same, live."""
        if caller is None and not self.public:
            raise SignedOut()
        return pages.followed(self.look, await self._topic(caller, _name(request)))

    async def _topic(self, caller: Caller | None, name: str) -> str:
        """What is shown: machines and people are named to who runs the site."""
        runs = caller is not None and name in await stewards.names(self.deps, caller)
        return (pages.RUN if runs else pages.SITE) + name

    async def _show(
        self, request: web.Request, caller: Caller | None, refusal: Refusal | None = None
    ) -> web.Response:
        name = _name(request)
        template, live = await pages.gather(self.look, await self._topic(caller, name))
        facts: dict[str, Any] = {**live, "here": "sites", "runs": False, "hows": HOWS}
        if caller is not None and live["whole"]:
            facts |= {
                "runs": True,
                "operator": reaches(caller.role, stewards.NAMES),
                "admins": await stewards.listed(self.deps, caller, name),
                "tokens": await enrolments.of_site(self.deps, caller, name),
            }
        return showing.again(request, caller, template, refusal, **facts)

    async def switch(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Tell its machines to leave, or to work again."""
        name, how = _name(request), form.get("how", "")
        try:
            grace_s = 0.0 if how == "online" else float(form_number(form, "grace_s"))
            wish = Wish(Scope.SITE, name, how, grace_s, form.get("reason", "").strip())
            made = await sites.switch(self.deps, wish, caller)
        except BadInput as refusal:
            return await self._show(request, caller, refusal)
        word = "work again" if how == "online" else "leave"
        machines = f"{made.hosts} machine{' is' if made.hosts == 1 else 's are'}"
        return self._back(request, f"{machines} told to {word}.")

    async def change_admins(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Say who runs it."""
        name, added, dropped = _name(request), form.get("add", ""), form.get("drop", "")
        try:
            if dropped:
                await stewards.drop(self.deps, caller, name, dropped)
                return self._back(request, f"{dropped} runs the site no longer.")
            await stewards.add(self.deps, caller, name, added.strip())
        except Refusal as refusal:
            return await self._show(request, caller, refusal)
        return self._back(request, f"{added} runs the site from now on.")

    async def revoke(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """A token lets no machine join it any more."""
        token = form_number(form, "token")
        await enrolments.revoke(self.deps, caller, token, _name(request))
        return self._back(request, "The token lets no machine join any more.")

    def _back(self, request: web.Request, said: str) -> web.Response:
        return showing.onward(request, f"/sites/{_name(request)}", said)

    def routes(self) -> list[Route]:
        """The pages and their forms; of a site, for who runs it, and for operators."""
        own, operator = Person(stewards.LEAST), Person(stewards.NAMES)
        one, codes = "/sites/{name}", ("site-unknown", "not-your-site", "bad-input")
        form: dict[str, Any] = {"body": Body.FORM, "media": HTML}
        return [
            Route("GET", "/sites", self.listed, own, "The sites that I run, as a page",
                  media=HTML, head=True),
            Route("GET", one, self.show, Visitor(), "A site as a page", media=HTML, head=True,
                  codes=("site-unknown",)),
            Route("GET", f"{one}/events", self.follow, Visitor(), "The same, live",
                  media=MEDIA, codes=("site-unknown", "too-many-listeners")),
            Route("POST", f"{one}/switch", self.switch, own,
                  "Tell its machines to leave, or to work again.",
                  fields=("how", "grace_s", "reason"), codes=codes, **form),
            Route("POST", f"{one}/admins", self.change_admins, operator, "Say who runs it.",
                  fields=("add", "drop"),
                  codes=(*codes, "account-unknown", "administrator-unknown"), **form),
            Route("POST", f"{one}/tokens", self.revoke, own,
                  "A token lets no machine join it any more.", fields=("token",),
                  codes=(*codes, "issued-token-unknown"), **form),
        ]  # fmt: skip


def _name(request: web.Request) -> str:
    return pages.named(request, "site")
