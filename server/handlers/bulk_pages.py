"""Orders to many machines at once: looked at before they are given, and undone until they begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from server.domain.errors import BadInput, NotFound, Refusal
from server.domain.roles import Caller
from server.handlers import params, showing
from server.handlers.access import Person, Role
from server.handlers.door import Form
from server.handlers.routes import HTML, Body, Query, Reply, Route
from server.services import bulk
from server.services.bulk import BulkPreview, BulkView, Wish
from server.services.deps import Deps
from vmagent.wire.messages import bound

_FIELDS = ("action", "host", "q", "account", "site", "state", "production", "reason", "seconds",
           "grace_s", "seen")  # fmt: skip


@dataclass(frozen=True)
class BulkRequest:
    """What is ordered: see `server.services.bulk.Wish`."""

    action: str = field(metadata=bound(most=16))
    hosts: list[int] = field(default_factory=list, metadata=bound(most=20_000))
    q: str = field(default="", metadata=bound(most=64))
    account: str = field(default="", metadata=bound(most=64))
    site: str = field(default="", metadata=bound(most=64))
    state: str = field(default="", metadata=bound(most=64))
    productions: list[str] = field(default_factory=list, metadata=bound(most=100))
    reason: str = field(default="", metadata=bound(most=300))
    seconds: float | None = None
    grace_s: float = bulk.GRACE_S
    seen: str = field(default="", metadata=bound(most=64))


@dataclass(frozen=True)
class BulkList:
    """The latest orders, newest first."""

    orders: list[BulkView] = field(default_factory=list)


def _number(name: str, text: str, default: float | None) -> float | None:
    try:
        return float(text) if text else default
    except ValueError:
        raise BadInput([f"{name}: a number is wanted here, not {text[:20]!r}"]) from None


def _wish(said: dict[str, str], hosts: Sequence[str]) -> Wish:
    """What a form, or an address, asks for. Raises BadInput."""
    if any(not one.isascii() or not one.isdigit() or len(one) > 18 for one in hosts):
        raise BadInput(["host: the number of a machine"])
    grace = _number("grace_s", said.get("grace_s", ""), bulk.GRACE_S)
    named = said.get("production", "").split()
    return Wish(
        said.get("action", ""), tuple(int(one) for one in hosts), said.get("q", ""),
        said.get("account", ""), said.get("site", ""), said.get("state", ""), tuple(named),
        said.get("reason", ""), _number("seconds", said.get("seconds", ""), None),
        bulk.GRACE_S if grace is None else grace, said.get("seen", ""),
    )  # fmt: skip


@dataclass(frozen=True)
class BulkPages:
    """The handlers, of pages and of programs."""

    deps: Deps

    async def page(self, request: web.Request, caller: Caller) -> web.Response:
        """The orders, and what one would affect that the address asks for."""
        said = {name: request.query.get(name, "")[:300] for name in _FIELDS}
        return await self._show(request, caller, said, request.query.getall("host", []))

    async def _show(
        self,
        request: web.Request,
        caller: Caller,
        said: dict[str, str],
        hosts: Sequence[str],
        refusal: Refusal | None = None,
    ) -> web.Response:
        found: BulkPreview | None = None
        if said.get("action"):
            # What a ban needs beside is asked for with the preview, so it is no fault yet.
            asked = said if refusal or said.get("reason") else {**said, "reason": "to be said"}
            try:
                found = await bulk.preview(self.deps, _wish(asked, hosts))
            except (BadInput, NotFound) as fault:
                refusal = refusal or fault
        facts: dict[str, Any] = {
            "here": "hosts", "orders": await bulk.listed(self.deps), "preview": found,
            "said": said, "hosts": list(hosts), "actions": bulk.ACTIONS, "now": self.deps.clock(),
            "grace_s": said.get("grace_s") or f"{bulk.GRACE_S:g}",
        }  # fmt: skip
        facts["wanted"] = facts.pop("said")
        return showing.again(request, caller, "bulk", refusal, **facts)

    async def give(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Give an order."""
        said = {name: form.get(name, "") for name in _FIELDS}
        hosts = form.getall("host", [])
        try:
            made = await bulk.order(self.deps, _wish(said, hosts), caller.name)
        except (BadInput, NotFound, bulk.BulkChanged) as refusal:
            return await self._show(request, caller, said, hosts, refusal)
        grace = made.begins_at - made.made_at
        return showing.onward(
            request, "/hosts/bulk", f"It begins in {grace:.0f} s, and can be undone until then."
        )

    async def undo(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Take an order back."""
        await bulk.undo(self.deps, params.path_number(request, "order"), caller.name)
        return showing.onward(request, "/hosts/bulk", "It is undone; nobody was told anything.")

    async def listed(self, request: web.Request, caller: Caller) -> BulkList:
        """The orders, for programs."""
        return BulkList(await bulk.listed(self.deps))

    async def preview(
        self, request: web.Request, caller: Caller, message: BulkRequest
    ) -> BulkPreview:
        """What an order would affect, for programs."""
        return await bulk.preview(self.deps, _asked(message))

    async def order(self, request: web.Request, caller: Caller, message: BulkRequest) -> Reply:
        """Give an order, for programs."""
        return Reply(await bulk.order(self.deps, _asked(message), caller.name), 201)

    async def take_back(self, request: web.Request, caller: Caller) -> BulkView:
        """Take an order back, for programs."""
        return await bulk.undo(self.deps, params.path_number(request, "order"), caller.name)

    def routes(self) -> list[Route]:
        """Every route."""
        base, admin, person = "/api/v1/bulk", Role("admin"), Person("admin")
        order, codes = f"{{order:{params.ID}}}", ("bad-input", "host-unknown", "production-unknown")
        query = tuple(Query(name, "string", f"Of the order: {name}.", "") for name in _FIELDS)
        undone, given = ("bulk-unknown", "bulk-begun"), (*codes, "bulk-changed")
        return [
            Route("GET", "/hosts/bulk", self.page, person, "Orders to many machines, as a page",
                  media=HTML, head=True, query=query, codes=codes),
            Route("POST", "/hosts/bulk", self.give, person, "Give an order to many machines.",
                  Body.FORM, media=HTML, fields=_FIELDS, codes=given),
            Route("POST", f"/hosts/bulk/{order}/undo", self.undo, person, "Take an order back.",
                  Body.FORM, media=HTML, codes=undone),
            Route("GET", base, self.listed, Role("operator"), "The latest orders to many machines.",
                  reply=BulkList),
            Route("POST", f"{base}/preview", self.preview, admin, "What an order would affect.",
                  Body.JSON, BulkRequest, BulkPreview, codes=codes, most=1_000_000),
            Route("POST", base, self.order, admin, "Give an order to many machines.",
                  Body.JSON, BulkRequest, BulkView, 201, codes=given, most=1_000_000),
            Route("POST", f"{base}/{order}/undo", self.take_back, admin, "Take an order back.",
                  reply=BulkView, codes=undone),
        ]  # fmt: skip


def _asked(message: BulkRequest) -> Wish:
    return Wish(
        message.action, tuple(message.hosts), message.q, message.account, message.site,
        message.state, tuple(message.productions), message.reason, message.seconds,
        message.grace_s, message.seen,
    )  # fmt: skip
