"""What a site gave, for institutes: a page, CSV, and for programs; and benchmarks of machines."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.roles import Caller
from server.handlers import params, showing
from server.handlers.access import Person, Role
from server.handlers.routes import CSV, HTML, Body, Query, Route
from server.handlers.sse import MEDIA, Live
from server.services import giving, powers
from server.services.deps import Deps
from server.services.giving import SiteGiving
from vmagent.wire.messages import bound
from web.render import page

PACE_S = 15.0  # a followed page is rendered; figures are written once a minute
LETTERS = 20  # of what is said to be a month
_MONTH = Query("month", "string", "The month whose machines are told, as 2026-11; the present.", "")


@dataclass(frozen=True)
class BenchmarkRequest:
    """What a benchmark found of a whole machine: hs06 or hepscore23."""

    name: str = field(metadata=bound(most=16))
    value: float = field(metadata=bound(least=0))


@dataclass(frozen=True)
class GivingPages:
    """The handlers, of pages and of programs."""

    deps: Deps

    async def page(self, request: web.Request, caller: Caller) -> web.Response:
        """What a site gave."""
        found = await self._found(request, caller)
        month = request.query.get("month", "")
        return showing.show(request, caller, "giving", here="sites", giving=found, month=month)

    async def follow(self, request: web.Request, caller: Caller) -> Live:
        """The same, live."""
        name, month = request.match_info["name"], request.query.get("month", "")[:LETTERS]

        async def render() -> str:
            found = await giving.of_site(self.deps, caller, name, month)
            return page("giving_live", giving=found)

        return Live(("giving", caller.account, caller.role, name, month), render, PACE_S)

    async def csv(self, request: web.Request, caller: Caller) -> web.Response:
        """The machines of a month, for spreadsheets."""
        found = await self._found(request, caller)
        name = f"{found.site}-{found.month}.csv"
        headers = {**showing.HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        return web.Response(text=giving.as_csv(found), content_type=CSV, headers=headers)

    async def find(self, request: web.Request, caller: Caller) -> SiteGiving:
        """What a site gave, for programs."""
        return await self._found(request, caller)

    async def _found(self, request: web.Request, caller: Caller) -> SiteGiving:
        name, month = request.match_info["name"], request.query.get("month", "")
        return await giving.of_site(self.deps, caller, name, month)

    async def benchmark(
        self, request: web.Request, caller: Caller, message: BenchmarkRequest
    ) -> None:
        """Keep a benchmark of a machine."""
        host = params.path_number(request, "host")
        await powers.say(self.deps, host, message.name, message.value, caller.name)

    def routes(self) -> list[Route]:
        """Every route."""
        site = "/sites/{name:[a-zA-Z0-9_.-]{1,64}}"
        codes = ("site-unknown", "bad-input", "forbidden")
        return [
            Route("GET", f"{site}/giving", self.page, Person(), "What a site gave, as a page",
                  media=HTML, head=True, query=(_MONTH,), codes=codes),
            Route("GET", f"{site}/giving/events", self.follow, Person(), "The same, live",
                  media=MEDIA, query=(_MONTH,), codes=(*codes, "too-many-listeners")),
            Route("GET", f"{site}/giving.csv", self.csv, Person(), "The same as CSV", media=CSV,
                  query=(_MONTH,), codes=codes),
            Route("GET", f"/api/v1{site}/giving", self.find, Role("volunteer"),
                  "What a site gave: each month, and one by account and machine.",
                  reply=SiteGiving, query=(_MONTH,), codes=codes),
            Route("PUT", f"/api/v1/hosts/{{host:{params.ID}}}/benchmark", self.benchmark,
                  Role("operator"), "Keep what a benchmark found of a machine.", Body.JSON,
                  BenchmarkRequest, status=204, codes=("host-unknown", "bad-input")),
        ]  # fmt: skip
