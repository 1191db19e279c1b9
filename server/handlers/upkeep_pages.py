"""The page of operations, live, and that of an alert; with their forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from server.domain.errors import BadInput, IllegalMove, Refusal, TooMany
from server.domain.roles import Caller, reaches
from server.handlers import params, showing
from server.handlers.access import Person
from server.handlers.door import Form
from server.handlers.routes import HTML, Body, Route
from server.handlers.sse import MEDIA, Live
from server.services.deps import Deps
from server.services.upkeep import alerts, backups, overview, telling
from web.render import page

PACE_S = 2.0  # a followed page is rendered
PAST = 50  # alerts that are over, on one page
MUTES = (("3600", "an hour"), ("86400", "a day"), ("604800", "a week"), ("2592000", "30 days"))


@dataclass(frozen=True)
class UpkeepPages:
    """The handlers."""

    deps: Deps

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """Operations."""
        return await self._show(request, caller)

    async def _show(
        self, request: web.Request, caller: Caller, refusal: Refusal | None = None
    ) -> web.Response:
        found = await overview.overview(self.deps)
        facts: dict[str, Any] = {
            "here": "operations",
            "o": found,
            "admin": reaches(caller.role, "admin"),
        }
        return showing.again(request, caller, "operations", refusal, **facts)

    async def follow(self, request: web.Request, caller: Caller) -> Live:
        """The same, live."""
        return Live(("operations",), self._rendered, PACE_S)

    async def _rendered(self) -> str:
        return page("operations_live", o=await overview.overview(self.deps))

    async def past(self, request: web.Request, caller: Caller) -> web.Response:
        """The alerts that are over."""
        before = params.query_number(request, "before", 0, 0, 2**62)
        found = await alerts.listed(self.deps, True, before, PAST)
        more = found[-1].id if len(found) == PAST else 0
        return showing.show(
            request, caller, "alerts_over", here="operations", alerts=found, more=more
        )

    async def one(self, request: web.Request, caller: Caller) -> web.Response:
        """An alert."""
        return await self._one(request, caller, params.path_number(request, "alert"))

    async def _one(
        self, request: web.Request, caller: Caller, number: int, refusal: Refusal | None = None
    ) -> web.Response:
        found, steps = await alerts.show(self.deps, number)
        facts: dict[str, Any] = {
            "here": "operations",
            "alert": found,
            "steps": steps,
            "mutes": MUTES,
        }
        return showing.again(request, caller, "alert", refusal, **facts)

    async def acknowledge(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Take an alert on; from the list, where it may have ended meanwhile."""
        number = params.form_number(form, "alert")
        try:
            await alerts.acknowledge(self.deps, number, caller.name)
        except IllegalMove:
            return showing.onward(request, "/operations", "That alert is over already.")
        return showing.onward(request, "/operations", "It is yours now; others see that.")

    async def mute(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Tell nobody of it for a while."""
        number = params.path_number(request, "alert")
        try:
            found = await alerts.mute(
                self.deps, number, float(params.form_number(form, "seconds")), caller.name
            )
        except BadInput as refusal:
            return await self._one(request, caller, number, refusal)
        said = "It speaks again." if found.muted_until is None else "It is mute."
        return showing.onward(request, f"/operations/alerts/{number}", said)

    async def try_out(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Send a test message."""
        try:
            tried = await telling.try_out(self.deps, caller.name)
        except (telling.NobodyTold, TooMany) as refusal:
            return await self._show(request, caller, refusal)
        told = "; ".join(f"{one.way}: {one.why or 'it has arrived'}" for one in tried)
        return showing.onward(request, "/operations", f"The test message: {told}.")

    async def back_up(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Make a backup now."""
        try:
            made = await backups.make(self.deps, caller.name)
        except (backups.NoVault, backups.BackupNotMade) as refusal:
            return await self._show(request, caller, refusal)
        return showing.onward(request, "/operations", f"The backup {made.name} is made, and whole.")

    def routes(self) -> list[Route]:
        """The pages and their forms."""
        operator = Person("operator")
        one = f"/operations/alerts/{{alert:{params.ID}}}"
        return [
            Route("GET", "/operations", self.show, operator, "Operations as a page", media=HTML,
                  head=True),
            Route("GET", "/operations/events", self.follow, operator, "The same, live",
                  media=MEDIA, codes=("too-many-listeners",)),
            Route("GET", "/operations/alerts", self.past, operator,
                  "The alerts that are over, as a page", media=HTML, head=True,
                  codes=("bad-parameter",)),
            Route("GET", one, self.one, operator, "An alert as a page", media=HTML, head=True,
                  codes=("alert-unknown",)),
            Route("POST", "/operations/ack", self.acknowledge, operator, "Take an alert on.",
                  Body.FORM, media=HTML, fields=("alert",), codes=("alert-unknown", "bad-input")),
            Route("POST", f"{one}/mute", self.mute, operator,
                  "Tell nobody of an alert for a while.", Body.FORM, media=HTML,
                  fields=("seconds",), codes=("alert-unknown", "bad-input")),
            Route("POST", "/operations/test", self.try_out, operator,
                  "Send a test message by every way in which people are told.", Body.FORM,
                  media=HTML, codes=("nobody-told", "too-many")),
            Route("POST", "/operations/backup", self.back_up, Person("admin"),
                  "Make a backup now.", Body.FORM, media=HTML,
                  codes=("no-backups", "backup-failed")),
        ]  # fmt: skip
