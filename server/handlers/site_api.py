"""Sites over HTTP: listed, shown, switched; and the word of a host that it has left."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.errors import BadInput
from server.domain.farm import Scope
from server.domain.roles import Caller
from server.handlers import params
from server.handlers.access import Host, Role
from server.handlers.enrolment_api import EnrolmentList
from server.handlers.routes import Body, Route
from server.services import enrolments, sites, stewards
from server.services.cards import HostCard
from server.services.deps import Deps
from server.services.sites import SiteView, Wish
from server.services.stewards import StewardView
from vmagent.wire import messages as m
from vmagent.wire.messages import bound


@dataclass(frozen=True)
class SiteList:
    """Every site."""

    sites: list[SiteView] = field(default_factory=list)


@dataclass(frozen=True)
class ModeRequest:
    """The switch: offline is "we must leave" (how: stop, suspend or drain), online is "work".

    ``grace_s`` is what the current event, or with drain all work in hand, may still take. Listed
    ``hosts`` are switched alone.
    """

    mode: str = field(metadata=bound(most=16, pattern="^(online|offline)$"))
    how: str = field(default="stop", metadata=bound(most=16, pattern="^(stop|suspend|drain)$"))
    grace_s: float = field(default=2.0, metadata=bound(least=0, most=2_592_000))
    reason: str = field(default="", metadata=bound(most=200))
    hosts: list[int] = field(default_factory=list, metadata=bound(most=10_000))


@dataclass(frozen=True)
class KindRequest:
    """What machines a site has: volunteer, cluster, cloud, trigger-farm; empty: not said."""

    kind: str = field(metadata=bound(most=32))


@dataclass(frozen=True)
class SwitchMade:
    """The switch is durable, and ``hosts`` were told at once; those away hear it when they ask."""

    seq: int
    hosts: int


@dataclass(frozen=True)
class StewardList:
    """Who runs a site, by name."""

    admins: list[StewardView] = field(default_factory=list)


def _site(request: web.Request) -> str:
    return request.match_info["name"]


@dataclass(frozen=True)
class SiteApi:
    """The handlers of sites."""

    deps: Deps
    json_most: int

    async def list_sites(self, request: web.Request, caller: Caller) -> SiteList:
        """The sites that one runs; every one, for operators."""
        return SiteList(await sites.mine(self.deps, caller))

    async def show(self, request: web.Request, caller: Caller) -> SiteView:
        """One site."""
        name = (await stewards.admitted(self.deps, caller, _site(request))).name
        return await sites.show(self.deps, name)

    async def set_kind(
        self, request: web.Request, caller: Caller, message: KindRequest
    ) -> SiteView:
        """Say what kind of machines a site has."""
        name = (await stewards.admitted(self.deps, caller, _site(request))).name
        return await sites.set_kind(self.deps, name, message.kind, caller.name)

    async def switch_site(
        self, request: web.Request, caller: Caller, message: ModeRequest
    ) -> SwitchMade:
        """Switch a site, or listed hosts of it."""
        return await self._switch(caller, Scope.SITE, _site(request), message)

    async def switch_account(
        self, request: web.Request, caller: Caller, message: ModeRequest
    ) -> SwitchMade:
        """Switch all hosts of an account."""
        return await self._switch(caller, Scope.ACCOUNT, request.match_info["name"], message)

    async def switch_all(
        self, request: web.Request, caller: Caller, message: ModeRequest
    ) -> SwitchMade:
        """Switch all hosts there are."""
        return await self._switch(caller, Scope.ALL, "", message)

    async def _switch(
        self, caller: Caller, scope: Scope, name: str, message: ModeRequest
    ) -> SwitchMade:
        if message.hosts and scope is not Scope.SITE:
            raise BadInput(["hosts: hosts are listed for a site alone; leave them out here"])
        how = "online" if message.mode == "online" else message.how
        grace_s = 0.0 if how == "online" else message.grace_s
        wish = Wish(scope, name, how, grace_s, message.reason, tuple(message.hosts))
        made = await sites.switch(self.deps, wish, caller)
        return SwitchMade(made.seq, made.hosts)

    async def released(
        self, request: web.Request, card: HostCard, message: m.ReleasedRequest
    ) -> None:
        """A host has obeyed a switch."""
        await sites.released(self.deps, card, message.seq, message.released_at)

    async def admins(self, request: web.Request, caller: Caller) -> StewardList:
        """Who runs a site."""
        return StewardList(await stewards.listed(self.deps, caller, _site(request)))

    async def add_admin(self, request: web.Request, caller: Caller) -> None:
        """Let somebody run it."""
        await stewards.add(self.deps, caller, _site(request), request.match_info["account"])

    async def drop_admin(self, request: web.Request, caller: Caller) -> None:
        """Let somebody run it no longer."""
        await stewards.drop(self.deps, caller, _site(request), request.match_info["account"])

    async def enrolments(self, request: web.Request, caller: Caller) -> EnrolmentList:
        """By which tokens machines join it."""
        found = await enrolments.of_site(self.deps, caller, _site(request))
        return EnrolmentList(found)

    async def revoke(self, request: web.Request, caller: Caller) -> None:
        """One of these tokens opens nothing any more."""
        token, site = params.path_number(request, "token"), _site(request)
        await enrolments.revoke(self.deps, caller, token, site)

    def routes(self) -> list[Route]:
        """Every route of sites; of one, for who runs it, and for operators."""
        base, most = "/api/v1", self.json_most
        site = f"{base}/sites/{{name:[a-zA-Z0-9_.-]{{1,64}}}}"
        account = f"{base}/accounts/{{name:[a-zA-Z0-9_-]{{1,64}}}}"
        own, names, everybody = Role(sites.OWN), Role(sites.OTHERS), Role(sites.EVERYBODY)
        admin = f"{site}/admins/{{account:[a-zA-Z0-9_-]{{1,64}}}}"
        one = ("site-unknown", "not-your-site")
        return [
            Route("GET", f"{base}/sites", self.list_sites, own,
                  "The sites that I run; for operators every one.", reply=SiteList),
            Route("GET", site, self.show, own, "A site of mine, and how its last switch went.",
                  reply=SiteView, codes=one),
            Route("PUT", f"{site}/mode", self.switch_site, own,
                  "Switch a site of mine, or listed hosts of it, off or on.",
                  Body.JSON, ModeRequest, SwitchMade, most=most, codes=(*one, "bad-input")),
            Route("PUT", f"{site}/kind", self.set_kind, own,
                  "Say what kind of machines a site of mine has, for the statistics.",
                  Body.JSON, KindRequest, SiteView, codes=(*one, "bad-input")),
            Route("GET", f"{site}/admins", self.admins, own, "Who runs a site of mine.",
                  reply=StewardList, codes=one),
            Route("PUT", admin, self.add_admin, names, "Let somebody run a site.", status=204,
                  codes=(*one, "account-unknown")),
            Route("DELETE", admin, self.drop_admin, names, "Let somebody run it no longer.",
                  status=204, codes=(*one, "administrator-unknown")),
            Route("GET", f"{site}/enrolments", self.enrolments, own,
                  "By which tokens machines join a site of mine.", reply=EnrolmentList, codes=one),
            Route("POST", f"{site}/enrolments/{{token:{params.ID}}}/revoke", self.revoke, own,
                  "Such a token opens nothing any more.", status=204,
                  codes=(*one, "issued-token-unknown")),
            Route("PUT", f"{account}/mode", self.switch_account, own,
                  "Switch the hosts of an account off or on: one's own, or as an operator.",
                  Body.JSON, ModeRequest, SwitchMade, codes=("account-unknown", "bad-input")),
            Route("PUT", f"{base}/mode", self.switch_all, everybody, "Switch all hosts off or on.",
                  Body.JSON, ModeRequest, SwitchMade, codes=("bad-input",)),
            Route("POST", f"{base}/released", self.released, Host(),
                  "A host has obeyed a switch: nothing of it runs any more.",
                  Body.JSON, m.ReleasedRequest, status=204),
        ]  # fmt: skip
