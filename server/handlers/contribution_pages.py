"""My contribution: what one gave, and certificates of it, which anybody with the code can check."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from server.domain.errors import Refusal
from server.domain.roles import Caller
from server.domain.rollup import Kind, Measure, Span
from server.handlers import showing
from server.handlers.access import Person, Public, Role, Visitor
from server.handlers.door import Form
from server.handlers.routes import HTML, Body, Reply, Route
from server.handlers.sse import MEDIA, Live
from server.services import certificates, contribution, stats
from server.services.certificates import CertificateList, Certified
from server.services.contribution import Contribution
from server.services.deps import Deps
from server.services.lately import Lately
from web import plots
from web.certificate import Sheet, certificate, writable
from web.filters import count, day
from web.plots import Line
from web.render import page

PDF = "application/pdf"
LEAD_S = 3 * 86_400  # before the first event, so that the beginning is seen
DAYS_LEAST = 30  # of the plot
PACE_S = 15.0  # a followed page is rendered; figures are written once a minute
SHEET_S, SHEETS = 3600.0, 50  # certificates as PDF that are kept, of 50 kB
CODE = r"{code:[0-9A-Za-z-]{16,24}}"


def sheet_of(made: Certified, url: str) -> Sheet:
    """A certificate in the words that stand on it."""
    name = made.name if writable(made.name) else made.account
    spelled = certificates.spelled(made.code)
    amounts = (
        (made.events, "events agreed on"),
        (made.cpu_h, "hours of CPU"),
        (made.credit, "core-seconds of credit"),
    )
    # Not every font has the narrow blank that pages write between groups of digits.
    figures = [(count(amount).replace("\u202f", "\u00a0"), words) for amount, words in amounts]
    since = f"The first event was agreed on {day(made.since)}." if made.since else ""
    studies = [study for study in made.studies if writable(study)]
    return Sheet(name, figures, since, day(made.made_at), studies, spelled, url)


@dataclass(frozen=True)
class ContributionPages:
    """The handlers, of pages and of programs."""

    deps: Deps
    sheets: Lately[str, bytes] = field(default_factory=lambda: Lately(SHEET_S, SHEETS))

    async def page(self, request: web.Request, caller: Caller) -> web.Response:
        """What one gave."""
        return await self._page(request, caller)

    async def follow(self, request: web.Request, caller: Caller) -> Live:
        """The same, live."""
        account = caller.account

        async def render() -> str:
            return page("contribution_live", **await self._given(account))

        return Live(("contribution", account), render, PACE_S)

    async def _given(self, account: int) -> dict[str, Any]:
        year = await stats.series(
            self.deps, Measure.EVENTS_VALIDATED, Span.YEAR, Kind.ACCOUNT, str(account)
        )
        found = await contribution.of_account(self.deps, account)
        # Of who came lately, the days before would be most of the drawing.
        before = int((found.since or 0) - LEAD_S - year.start) // year.step_s
        first = max(0, min(before, len(year.values) - DAYS_LEAST))
        plot = plots.line(
            [Line("events", year.values[first:])], title="Events agreed on, day by day",
            unit="events", step_s=year.step_s, start=year.start + first * year.step_s, whole=True,
        )  # fmt: skip
        return {"plot": plot, "found": found}

    async def _page(
        self, request: web.Request, caller: Caller, refusal: Refusal | None = None
    ) -> web.Response:
        account = caller.account
        facts: dict[str, Any] = {
            **await self._given(account), "here": "contribution", "spelled": certificates.spelled,
            "certificates": (await certificates.mine(self.deps, account)).certificates,
        }  # fmt: skip
        return showing.again(request, caller, "contribution", refusal, **facts)

    async def certify(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Make a certificate."""
        try:
            made = await certificates.make(self.deps, caller.account, caller.name)
        except Refusal as refusal:
            return await self._page(request, caller, refusal)
        path = f"/certificates/{certificates.spelled(made.code)}"
        return showing.onward(request, path, "The certificate is made.")

    async def check(self, request: web.Request, caller: Caller | None) -> web.Response:
        """What a certificate says."""
        made = await certificates.show(self.deps, request.match_info["code"])
        answer = showing.show(
            request, caller, "certificate", made=made, code=certificates.spelled(made.code)
        )
        answer.headers["X-Robots-Tag"] = "noindex"
        return answer

    async def print(self, request: web.Request, caller: Caller | None) -> web.Response:
        """A certificate to be printed."""
        return await self.pdf(request)

    async def pdf(self, request: web.Request) -> web.Response:
        """The same, for programs."""
        made = await certificates.show(self.deps, request.match_info["code"])
        spelled = certificates.spelled(made.code)
        sheet = sheet_of(made, f"{self.deps.doors.rules.url}/certificates/{spelled}")
        # Tens of milliseconds of CPU for each, and whoever has the code may ask without end.
        body = await self.sheets.of(made.code, lambda: asyncio.to_thread(certificate, sheet))
        headers = {
            **showing.HEADERS, "X-Robots-Tag": "noindex", "Cache-Control": "no-store",
            "Content-Disposition": f'inline; filename="windfall-{spelled}.pdf"',
        }  # fmt: skip
        return web.Response(body=body, content_type=PDF, headers=headers)

    async def withdraw(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Show a certificate to nobody any more."""
        await self._withdraw(request, caller)
        return showing.onward(request, "/contribution", "The certificate is withdrawn.")

    async def _withdraw(self, request: web.Request, caller: Caller) -> None:
        code = request.match_info["code"].replace("-", "").upper()
        await certificates.withdraw(self.deps, caller.account, caller.name, code)

    async def mine(self, request: web.Request, caller: Caller) -> Contribution:
        """What one gave, for programs."""
        return await contribution.of_account(self.deps, caller.account)

    async def listed(self, request: web.Request, caller: Caller) -> CertificateList:
        """One's certificates."""
        return await certificates.mine(self.deps, caller.account)

    async def make(self, request: web.Request, caller: Caller) -> Reply:
        """Make a certificate, for programs."""
        return Reply(await certificates.make(self.deps, caller.account, caller.name), 201)

    async def take_back(self, request: web.Request, caller: Caller) -> None:
        """Show a certificate to nobody any more, for programs."""
        await self._withdraw(request, caller)

    async def certified(self, request: web.Request) -> Certified:
        """What a certificate says, for programs."""
        return await certificates.show(self.deps, request.match_info["code"])

    def routes(self) -> list[Route]:
        """Every route."""
        person, role, unknown = Person(), Role("volunteer"), ("certificate-unknown",)
        me, nothing = "/api/v1/me", ("nothing-to-certify", "too-many")
        return [
            Route("GET", "/contribution", self.page, person, "What one gave, as a page",
                  media=HTML, head=True),
            Route("GET", "/contribution/events", self.follow, person, "The same, live",
                  media=MEDIA, codes=("too-many-listeners",)),
            Route("POST", "/contribution/certificates", self.certify, person,
                  "Make a certificate.", Body.FORM, media=HTML, codes=nothing),
            Route("GET", f"/certificates/{CODE}", self.check, Visitor(),
                  "What a certificate says, as a page", media=HTML, head=True, codes=unknown),
            Route("GET", f"/certificates/{CODE}/print", self.print, Visitor(),
                  "A certificate to be printed", media=PDF, codes=unknown),
            Route("POST", f"/certificates/{CODE}/withdraw", self.withdraw, person,
                  "Show a certificate to nobody any more.", Body.FORM, media=HTML, codes=unknown),
            Route("GET", f"{me}/contribution", self.mine, role, "What one gave.",
                  reply=Contribution),
            Route("GET", f"{me}/certificates", self.listed, role, "One's certificates.",
                  reply=CertificateList),
            Route("POST", f"{me}/certificates", self.make, role, "Make a certificate.",
                  reply=Certified, status=201, codes=nothing),
            Route("POST", f"{me}/certificates/{CODE}/withdraw", self.take_back, role,
                  "Show a certificate to nobody any more.", status=204, codes=unknown),
            Route("GET", f"/api/v1/certificates/{CODE}", self.certified, Public(),
                  "What a certificate says.", reply=Certified, codes=unknown),
            Route("GET", f"/api/v1/certificates/{CODE}/print", self.pdf, Public(),
                  "A certificate to be printed.", media=PDF, codes=unknown),
        ]  # fmt: skip
