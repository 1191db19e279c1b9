"""Credit: everybody's, and whether the books are right."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from server.domain.roles import Caller
from server.handlers import params
from server.handlers.access import Role
from server.handlers.routes import Query, Route
from server.services import credit
from server.services.credit import Corrections, CreditCheck, CreditView
from server.services.deps import Deps


@dataclass(frozen=True)
class CreditApi:
    """The handlers."""

    deps: Deps

    async def show(self, request: web.Request, caller: Caller) -> CreditView:
        """Everybody's credit."""
        return await credit.show(self.deps)

    async def corrections(self, request: web.Request, caller: Caller) -> Corrections:
        """What was taken back, and given again."""
        host = params.query_number(request, "host", 0, 0, 2**62)
        return await credit.corrections(self.deps, host or None)

    async def check(self, request: web.Request, caller: Caller) -> CreditCheck:
        """Derive the books anew, and compare."""
        return await credit.check(self.deps)

    def routes(self) -> list[Route]:
        """Every route of credit."""
        base, operator = "/api/v1/credit", Role("operator")
        return [
            Route("GET", base, self.show, operator,
                  "The credit of accounts, hosts and productions.", reply=CreditView),
            Route("GET", f"{base}/corrections", self.corrections, operator,
                  "Credit that was taken back, or given again, and why.", reply=Corrections,
                  query=(Query("host", "integer", "Of this host alone."),),
                  codes=("host-unknown", "bad-parameter")),
            Route("POST", f"{base}/check", self.check, operator,
                  "Derive the books of credit anew, and compare.", reply=CreditCheck),
        ]  # fmt: skip
