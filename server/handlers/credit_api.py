"""Credit: everybody's, and whether the books are right."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from server.handlers.access import Caller, Role
from server.handlers.routes import Route
from server.services import credit
from server.services.credit import CreditCheck, CreditView
from server.services.deps import Deps


@dataclass(frozen=True)
class CreditApi:
    """The handlers."""

    deps: Deps

    async def show(self, request: web.Request, caller: Caller) -> CreditView:
        """Everybody's credit."""
        return await credit.show(self.deps)

    async def check(self, request: web.Request, caller: Caller) -> CreditCheck:
        """Derive the books anew, and compare."""
        return await credit.check(self.deps)

    def routes(self) -> list[Route]:
        """Every route of credit."""
        base, operator = "/api/v1/credit", Role("operator")
        return [
            Route("GET", base, self.show, operator,
                  "The credit of accounts, hosts and productions.", reply=CreditView),
            Route("POST", f"{base}/check", self.check, operator,
                  "Derive the books of credit anew, and compare.", reply=CreditCheck),
        ]  # fmt: skip
