"""My machines and my enrolment tokens, as pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from server.domain.allowance import Allowance
from server.domain.errors import BadInput, Refusal
from server.domain.roles import Caller, reaches
from server.handlers import params, showing
from server.handlers.access import Person
from server.handlers.door import Form
from server.handlers.pairing_pages import chosen, offered, told
from server.handlers.routes import HTML, Body, Route
from server.handlers.sse import MEDIA, Live
from server.services import enrolments, machines, stewards
from server.services.deps import Deps
from server.services.enrolments import DAY_S, Invitation
from server.services.look import Look
from server.services.machines import OPERATORS
from web.render import page

PACE_S = 2.0  # a followed page is rendered
_ONE = ("machine-unknown",)


def _number(text: str, what: str) -> int:
    """A whole number of a form; nothing is 0. Raises BadInput."""
    text = text.strip() or "0"
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise BadInput([f"{what} {text[:40]!r}: a whole number; leave it empty for no limit"])
    return int(text)


def _site(request: web.Request) -> str:
    return request.query.get("site", "")[:64]


@dataclass(frozen=True)
class MachinePages:
    """The handlers. ``kid`` is the release key that new hosts shall expect."""

    deps: Deps
    look: Look
    kid: str

    async def mine(self, request: web.Request, caller: Caller) -> web.Response:
        """My machines."""
        site, operator = _site(request), reaches(caller.role, OPERATORS)
        facts = await self._listed(caller, site)
        return showing.show(
            request, caller, "machines", here="machines", operator=operator, **facts
        )

    async def _listed(self, caller: Caller, site: str) -> dict[str, Any]:
        hosts = await self.look.hosts(0 if site else caller.account)
        found = await machines.mine(self.deps, hosts, caller, site=site)
        return {"machines": found, "site": site}

    async def follow_mine(self, request: web.Request, caller: Caller) -> Live:
        """The same, live."""
        site = _site(request)

        async def render() -> str:
            return page("machines_live", **await self._listed(caller, site))

        return Live(("machines", caller.account, caller.role, site), render, PACE_S)

    async def one(self, request: web.Request, caller: Caller) -> web.Response:
        """One machine."""
        return await self._one(request, caller)

    async def _told(self, caller: Caller, host: int) -> dict[str, Any]:
        owner = (await machines.own(self.deps, caller, host)).account
        story = await machines.one(self.deps, await self.look.hosts(owner), caller, host)
        return {"machine": story.machine, "timeline": story.timeline}

    async def follow_one(self, request: web.Request, caller: Caller) -> Live:
        """The same, live."""
        host = _host(request)

        async def render() -> str:
            return page("machine_live", **await self._told(caller, host))

        return Live(("machine", caller.account, caller.role, host), render, PACE_S)

    async def _one(
        self, request: web.Request, caller: Caller, refusal: Refusal | None = None
    ) -> web.Response:
        host = _host(request)
        told_of = await self._told(caller, host)
        owner = (await machines.own(self.deps, caller, host)).account
        offers = await offered(self.deps, owner)
        if owner != caller.account and not reaches(caller.role, OPERATORS):
            own = {each.id for each in await offered(self.deps, caller.account)}
            offers = [each for each in offers if each.id in own]
        facts: dict[str, Any] = {
            **told_of, "here": "machines", "contexts": told(offers),
        }  # fmt: skip
        return showing.again(request, caller, "machine", refusal, **facts)

    async def pause(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Freeze its payloads."""
        await machines.tell(self.deps, caller, _host(request), "suspend")
        return self._back(request, "The machine is told to pause.")

    async def resume(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Let them go on."""
        await machines.tell(self.deps, caller, _host(request), "resume")
        return self._back(request, "The machine is told to go on.")

    async def limit(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Allow it so much."""
        try:
            wanted = Allowance(
                _number(form.get("cores", ""), "cores"),
                _number(form.get("memory_mb", ""), "memory"),
                form.get("hours", "").strip(),
                form.get("network", "") == "on",
            )
            await machines.limit(self.deps, caller, _host(request), wanted)
        except BadInput as refusal:
            return await self._one(request, caller, refusal)
        return self._back(request, "The limits hold from the machine's next contact on.")

    async def rename(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Call it something else."""
        try:
            name = form.get("name", "").strip()
            await machines.rename(self.deps, caller, _host(request), name)
        except BadInput as refusal:
            return await self._one(request, caller, refusal)
        return self._back(request, "The machine has its new name.")

    async def recontextualize(
        self, request: web.Request, caller: Caller, form: Form
    ) -> web.Response:
        """Give it a context, or the newest revision of its own."""
        context, revision = chosen(form)
        try:
            given = await machines.recontextualize(
                self.deps, caller, _host(request), context, revision
            )
        except BadInput as refusal:
            return await self._one(request, caller, refusal)
        return self._back(
            request, f"The machine is told to take {given.name}, revision {given.revision}."
        )

    async def unmanage(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Let it go."""
        await machines.unmanage(self.deps, caller, _host(request))
        return showing.onward(
            request, "/machines", "The machine is yours no more; it is told to stop."
        )

    async def tokens(self, request: web.Request, caller: Caller) -> web.Response:
        """My enrolment tokens."""
        return await self._tokens(request, caller)

    async def _tokens(
        self, request: web.Request, caller: Caller, refusal: Refusal | None = None, made: str = ""
    ) -> web.Response:
        facts: dict[str, Any] = {
            "here": "machines",
            "tokens": await enrolments.mine(self.deps, caller),
            "made": made,
            "sites": await stewards.names(self.deps, caller),
            "contexts": told(await offered(self.deps, caller.account)),
            "now": self.deps.clock(),
        }
        return showing.again(request, caller, "enrolments", refusal, **facts)

    async def create_token(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """A new token, shown this once."""
        context, revision = chosen(form)
        try:
            days = _number(form.get("days", "1"), "days")
            wanted = Invitation(
                _number(form.get("uses", "1"), "machines"), days * DAY_S,
                form.get("note", "").strip(), form.get("site", ""), context, revision,
                form.get("networks", ""),
            )  # fmt: skip
            _, text = await enrolments.create(self.deps, caller, self.kid, wanted)
        except Refusal as refusal:
            return await self._tokens(request, caller, refusal)
        return await self._tokens(request, caller, made=text)

    async def revoke_token(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """A token opens nothing any more."""
        token = params.path_number(request, "token")
        await enrolments.revoke(self.deps, caller, token)
        return showing.onward(request, "/machines/tokens", "The token opens nothing any more.")

    def _back(self, request: web.Request, said: str) -> web.Response:
        return showing.onward(request, f"/machines/{_host(request)}", said)

    def routes(self) -> list[Route]:
        """Every page of machines."""
        own, one = Person(), f"/machines/{{machine:{params.ID}}}"
        form: dict[str, Any] = {"body": Body.FORM, "media": HTML}
        page_of: dict[str, Any] = {"media": HTML, "head": True}
        return [
            Route("GET", "/machines", self.mine, own, "My machines", **page_of),
            Route("GET", "/machines/events", self.follow_mine, own, "The same, live", media=MEDIA,
                  codes=("too-many-listeners",)),
            Route("GET", one, self.one, own, "One machine", codes=_ONE, **page_of),
            Route("GET", f"{one}/events", self.follow_one, own, "The same, live", media=MEDIA,
                  codes=(*_ONE, "too-many-listeners")),
            Route("POST", f"{one}/pause", self.pause, own, "Freeze its payloads", codes=_ONE,
                  **form),
            Route("POST", f"{one}/resume", self.resume, own, "Let them go on", codes=_ONE, **form),
            Route("POST", f"{one}/limits", self.limit, own, "Allow it so much", codes=_ONE,
                  fields=("cores", "memory_mb", "hours", "network"), **form),
            Route("POST", f"{one}/name", self.rename, own, "Call it something else", codes=_ONE,
                  fields=("name",), **form),
            Route("POST", f"{one}/context", self.recontextualize, own, "Give it a context",
                  codes=(*_ONE, "context-unknown"), fields=("context",), **form),
            Route("POST", f"{one}/unmanage", self.unmanage, own, "Let it go", codes=_ONE, **form),
            Route("GET", "/machines/tokens", self.tokens, own, "My enrolment tokens", **page_of),
            Route("POST", "/machines/tokens", self.create_token, own, "A new token",
                  fields=("uses", "days", "note", "site", "context", "networks"), **form),
            Route("POST", f"/machines/tokens/{{token:{params.ID}}}/revoke", self.revoke_token, own,
                  "A token opens nothing any more", codes=("issued-token-unknown",), **form),
        ]  # fmt: skip


def _host(request: web.Request) -> int:
    return params.path_number(request, "machine")
