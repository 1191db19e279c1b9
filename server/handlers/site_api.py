"""Sites over HTTP: listed, shown, switched; and the word of a host that it has left."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.errors import BadInput
from server.domain.farm import Scope
from server.handlers.access import Caller, Host, Role
from server.handlers.routes import Body, Route
from server.services import sites
from server.services.cards import HostCard
from server.services.deps import Deps
from server.services.sites import SiteView, Wish
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
class SwitchMade:
    """The switch is durable, and ``hosts`` were told at once; those away hear it when they ask."""

    seq: int
    hosts: int


@dataclass(frozen=True)
class SiteApi:
    """The handlers of sites."""

    deps: Deps
    json_most: int

    async def list_sites(self, request: web.Request, caller: Caller) -> SiteList:
        """Every site."""
        return SiteList(await sites.everyone(self.deps))

    async def show(self, request: web.Request, caller: Caller) -> SiteView:
        """One site."""
        return await sites.show(self.deps, request.match_info["name"])

    async def switch_site(
        self, request: web.Request, caller: Caller, message: ModeRequest
    ) -> SwitchMade:
        """Switch a site, or listed hosts of it."""
        return await self._switch(caller, Scope.SITE, request.match_info["name"], message)

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
        sites.may_switch(caller.name, caller.role, wish)
        made = await sites.switch(self.deps, wish, caller.name)
        return SwitchMade(made.seq, made.hosts)

    async def released(
        self, request: web.Request, card: HostCard, message: m.ReleasedRequest
    ) -> None:
        """A host has obeyed a switch."""
        await sites.released(self.deps, card, message.seq, message.released_at)

    def routes(self) -> list[Route]:
        """Every route of sites."""
        base, watcher, most = "/api/v1", Role(sites.OTHERS), self.json_most
        site = f"{base}/sites/{{name:[a-zA-Z0-9_.-]{{1,64}}}}"
        account = f"{base}/accounts/{{name:[a-zA-Z0-9_-]{{1,64}}}}"
        own, everybody = Role(sites.OWN), Role(sites.EVERYBODY)
        return [
            Route("GET", f"{base}/sites", self.list_sites, watcher, "Every site.", reply=SiteList),
            Route("GET", site, self.show, watcher, "A site, and how its last switch went.",
                  reply=SiteView, codes=("site-unknown",)),
            Route("PUT", f"{site}/mode", self.switch_site, watcher,
                  "Switch a site, or listed hosts of it, off or on.",
                  Body.JSON, ModeRequest, SwitchMade, most=most,
                  codes=("site-unknown", "bad-input")),
            Route("PUT", f"{account}/mode", self.switch_account, own,
                  "Switch the hosts of an account off or on: one's own, or as an operator.",
                  Body.JSON, ModeRequest, SwitchMade, codes=("account-unknown", "bad-input")),
            Route("PUT", f"{base}/mode", self.switch_all, everybody, "Switch all hosts off or on.",
                  Body.JSON, ModeRequest, SwitchMade, codes=("bad-input",)),
            Route("POST", f"{base}/released", self.released, Host(),
                  "A host has obeyed a switch: nothing of it runs any more.",
                  Body.JSON, m.ReleasedRequest, status=204),
        ]  # fmt: skip
