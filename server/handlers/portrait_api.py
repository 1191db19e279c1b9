"""One host in full, and the bans, for operators."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.roles import Caller
from server.handlers import params
from server.handlers.access import Role
from server.handlers.routes import Query, Route
from server.services import lives, portrait
from server.services.deps import Deps
from server.services.lives import Life
from server.services.portrait import BanView, Portrait


@dataclass(frozen=True)
class BanList:
    """Bans, those that stand first, then the latest."""

    bans: list[BanView] = field(default_factory=list)


@dataclass(frozen=True)
class PortraitApi:
    """The handlers."""

    deps: Deps

    async def show(self, request: web.Request, caller: Caller) -> Portrait:
        """One host."""
        return await portrait.show(self.deps, params.path_number(request, "host"))

    async def life(self, request: web.Request, caller: Caller) -> Life:
        """When one host worked lately, and what happened to it."""
        return await lives.of_host(self.deps, params.path_number(request, "host"))

    async def list_bans(self, request: web.Request, caller: Caller) -> BanList:
        """The bans."""
        most = params.query_number(request, "limit", 200, 1, 1000)
        return BanList(await portrait.all_bans(self.deps, most))

    def routes(self) -> list[Route]:
        """Every route."""
        base, operator = "/api/v1", Role("operator")
        return [
            Route("GET", f"{base}/hosts/{{host:{params.ID}}}", self.show, operator,
                  "One host: what it is, how far it is believed, what is held against it.",
                  reply=Portrait, codes=("host-unknown",)),
            Route("GET", f"{base}/hosts/{{host:{params.ID}}}/life", self.life, operator,
                  "When a host worked lately, what failed, and what it was told.", reply=Life,
                  codes=("host-unknown",)),
            Route("GET", f"{base}/bans", self.list_bans, operator,
                  "The bans, those that stand first.", reply=BanList, codes=("bad-parameter",),
                  query=(Query("limit", "integer", "At most so many.", 200),)),
        ]  # fmt: skip
