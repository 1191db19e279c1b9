"""Pair an instance: the pages of PINs and codes, words to compare, and what may be confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import gmtime, strftime
from typing import Any

from aiohttp import web

from server.domain.errors import NotFound, Refusal
from server.domain.roles import Caller
from server.handlers import showing
from server.handlers.access import Person
from server.handlers.door import DOOR, Csrf, Form
from server.handlers.pairing_api import HANDLE
from server.handlers.routes import HTML, Body, Query, Route
from server.handlers.sse import MEDIA, Live
from server.services import pairing, stewards
from server.services.deps import Deps
from server.services.desk import Offer
from server.services.pairing import PairingView, Wish
from web.render import page

NEWS_S = 20.0  # a stream looks at least this often
OVER = ("pairing-unknown", "illegal-move", "overtaken", "pairing-over")


async def offered(deps: Deps, account: int) -> list[Offer]:
    """The contexts that an account may give a machine, last used first."""
    return [] if deps.desk.contexts is None else await deps.desk.contexts.offered(account)


def told(offers: Sequence[Offer]) -> list[tuple[str, str]]:
    """Values and words of a choice among contexts, of which several may have one name."""
    words = [
        f"{one.name}, revision {one.revision}, {strftime('%Y-%m-%d', gmtime(one.changed_at))}"
        + (f", of {one.owner}" if one.owner else "")
        for one in offers
    ]
    return [
        (one.id, text if words.count(text) == 1 else f"{text}, {one.id[:8]}")
        for one, text in zip(offers, words, strict=True)
    ]


def chosen(form: Form) -> tuple[str, int]:
    """The context that a form names, and its revision (0: the newest)."""
    name, _, number = form.get("context", "").partition("@")
    name = "" if name == "none" else name
    return name, int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0


def wish_of(form: Form) -> Wish:
    """What a machine shall become, of a form."""
    name, revision = chosen(form)
    return Wish(name, revision, form.get("site", "").strip(), form.get("name", "").strip())


@dataclass(frozen=True)
class PairingPages:
    """The handlers of the pages. ``kid`` is the id of the release key that machines are told."""

    deps: Deps
    kid: str

    async def start(self, request: web.Request, caller: Caller) -> web.Response:
        """Choose what the machine shall become; a context that a link names is chosen."""
        named = request.query.get("context", "")[:32]
        return await self._ask(request, caller, "pair", {"context": named} if named else {})

    async def _ask(
        self,
        request: web.Request,
        caller: Caller,
        template: str,
        values: dict[str, str],
        refusal: Refusal | None = None,
    ) -> web.Response:
        every = await pairing.everyone(self.deps, caller.account)
        offers = await offered(self.deps, caller.account)
        last = offers[0].id if offers and offers[0].used else ""
        facts: dict[str, Any] = {
            "here": "pair",
            "contexts": told(offers),
            "sites": await stewards.names(self.deps, caller),
            "live": [one for one in every if one.state in ("waiting", "claimed", "confirmed")],
            "values": {"context": last, **values},
            "now": self.deps.clock(),
        }
        return showing.again(request, caller, template, refusal, **facts)

    async def begin(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """A new PIN."""
        where = request.app[DOOR].address(request)
        try:
            made = await pairing.begin(self.deps, caller.account, caller.role, wish_of(form), where)
        except Refusal as refusal:
            return await self._ask(request, caller, "pair", _said(form), refusal)
        return showing.onward(request, f"/pair/{made.id}")

    async def again(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Another PIN for the same, the old one is good no more."""
        old = await pairing.look(self.deps, caller.account, request.match_info["pairing"])
        wish = Wish(old.context_id, old.revision, old.site, old.name)
        where = request.app[DOOR].address(request)
        made = await pairing.begin(self.deps, caller.account, caller.role, wish, where, old.id)
        return showing.onward(request, f"/pair/{made.id}")

    async def code(self, request: web.Request, caller: Caller) -> web.Response:
        """Type the code that a machine shows; one of a link is filled in, and nothing is done."""
        values = {"code": request.query.get("code", "")[:40]}
        return await self._ask(request, caller, "pair_code", values)

    async def type_code(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """The machine that shows this code."""
        try:
            made = await pairing.type_code(
                self.deps, caller.account, caller.role, form.get("code", ""), wish_of(form)
            )
        except Refusal as refusal:
            return await self._ask(request, caller, "pair_code", _said(form), refusal)
        return showing.onward(request, f"/pair/{made.id}")

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """One pairing: the PIN, and the machines that said it."""
        view = await pairing.look(self.deps, caller.account, request.match_info["pairing"])
        return showing.show(request, caller, "pairing", here="pair", **self._facts(view))

    def _facts(self, view: PairingView) -> dict[str, Any]:
        return {"pairing": view, "now": self.deps.clock(), "release": self.kid}

    async def follow(self, request: web.Request, caller: Caller) -> Live:
        """The same, live: with the forms of this browser."""
        handle, account = request.match_info["pairing"], caller.account
        csrf, latest = str(Csrf(request, caller)), -1

        async def render() -> str:
            nonlocal latest
            view = await pairing.look(self.deps, account, handle)
            latest = view.changes
            return page("pairing_live", csrf=csrf, **self._facts(view))

        async def news() -> object:
            return await pairing.wait(self.deps, account, handle, latest, NEWS_S)

        return Live(("pairing", account, handle, csrf), render, 0.0, news)

    async def confirm(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """This machine is mine."""
        handle, machine = request.match_info["pairing"], form.get("machine", "")
        if not machine:
            raise NotFound("machine", "without a name")
        await pairing.confirm(self.deps, caller.account, handle, machine)
        return showing.onward(request, f"/pair/{handle}")

    async def reject(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """None of these is mine."""
        handle = request.match_info["pairing"]
        await pairing.end(self.deps, caller.account, handle, "reject")
        return showing.onward(request, f"/pair/{handle}")

    async def cancel(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """The PIN is good no more."""
        await pairing.end(self.deps, caller.account, request.match_info["pairing"], "cancel")
        return showing.onward(request, "/pair", "The PIN is good no more.")

    def routes(self) -> list[Route]:
        """Every page of pairing."""
        own, one = Person(), f"/pair/{{pairing:{HANDLE}}}"
        wishes = ("context", "name", "site")
        return [
            Route("GET", "/pair", self.start, own, "Pair an instance", media=HTML, head=True,
                  query=(Query("context", "string", "The context that is chosen."),)),
            Route("POST", "/pair", self.begin, own, "A new PIN", Body.FORM, media=HTML,
                  fields=wishes),
            Route("GET", "/pair/code", self.code, own, "Type a code that a machine shows",
                  media=HTML, head=True),
            Route("POST", "/pair/code", self.type_code, own, "The machine that shows a code",
                  Body.FORM, media=HTML, fields=("code", *wishes)),
            Route("GET", one, self.show, own, "One pairing", media=HTML, head=True,
                  codes=("pairing-unknown",)),
            Route("GET", f"{one}/events", self.follow, own, "The same, live", media=MEDIA,
                  codes=("pairing-unknown", "too-many-listeners")),
            Route("POST", f"{one}/confirm", self.confirm, own, "This machine is mine", Body.FORM,
                  media=HTML, fields=("machine",), codes=(*OVER, "machine-unknown")),
            Route("POST", f"{one}/reject", self.reject, own, "None of these is mine", Body.FORM,
                  media=HTML, codes=OVER),
            Route("POST", f"{one}/cancel", self.cancel, own, "The PIN is good no more", Body.FORM,
                  media=HTML, codes=OVER),
            Route("POST", f"{one}/again", self.again, own, "Another PIN", Body.FORM, media=HTML,
                  codes=(*OVER, "pins-many", "pins-locked")),
        ]  # fmt: skip


def _said(form: Form) -> dict[str, str]:
    return {name: form.get(name, "")[:200] for name in ("code", "context", "name", "site")}
