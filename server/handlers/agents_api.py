"""Which versions of the agent are refused, for those who run the pool."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.roles import Caller
from server.handlers.access import Role
from server.handlers.routes import Body, Route
from server.services import agentbans
from server.services.agentbans import AgentBan
from server.services.deps import Deps
from vmagent.wire.messages import VERSION_OR_NONE, bound


@dataclass(frozen=True)
class AgentSpan:
    """A version of the agent, or all before ``below``: one of the two."""

    version: str = field(default="", metadata=bound(most=64, pattern=VERSION_OR_NONE))
    below: str = field(default="", metadata=bound(most=64, pattern=VERSION_OR_NONE))


@dataclass(frozen=True)
class AgentBanRequest:
    """A ban of a version, or of all before ``below``; its agents are told the reason."""

    reason: str = field(metadata=bound(most=300, least=1))
    version: str = field(default="", metadata=bound(most=64, pattern=VERSION_OR_NONE))
    below: str = field(default="", metadata=bound(most=64, pattern=VERSION_OR_NONE))
    seconds: float | None = field(default=None, metadata=bound(least=1, most=10**9))


@dataclass(frozen=True)
class AgentBanView:
    """A ban that stands: ``1.4.0``, or ``<1.4.0`` for all before that."""

    versions: str
    reason: str
    until: float | None
    by: str
    at: float
    hosts: int


@dataclass(frozen=True)
class AgentBanList:
    """The bans that stand, oldest first."""

    bans: list[AgentBanView] = field(default_factory=list)


@dataclass(frozen=True)
class AgentsApi:
    """The handlers."""

    deps: Deps

    async def ban(
        self, request: web.Request, caller: Caller, message: AgentBanRequest
    ) -> AgentBanView:
        """Refuse versions of the agent; what their hosts had leased is given to others."""
        made = await agentbans.ban(
            self.deps, message.version, message.below, message.reason, message.seconds, caller.name
        )
        return self._view(made)

    async def unban(self, request: web.Request, caller: Caller, message: AgentSpan) -> None:
        """Take versions of the agent again."""
        await agentbans.lift(self.deps, message.version, message.below, caller.name)

    async def bans(self, request: web.Request, caller: Caller) -> AgentBanList:
        """The bans that stand."""
        return AgentBanList([self._view(ban) for ban in agentbans.standing(self.deps)])

    def _view(self, ban: AgentBan) -> AgentBanView:
        cards = self.deps.registry.hosts.values()
        hosts = sum(card.barred is not None and card.barred.span == ban.span for card in cards)
        return AgentBanView(ban.span, ban.reason, ban.until, ban.by, ban.at, hosts)

    def routes(self) -> list[Route]:
        """Every route of versions."""
        base, admin, manager = "/api/v1/agents", Role("admin"), Role("manager")
        return [
            Route("GET", f"{base}/bans", self.bans, manager,
                  "The versions of the agent that are banned.", reply=AgentBanList),
            Route("POST", f"{base}/ban", self.ban, admin,
                  "Refuse a version of the agent, or all before one.", Body.JSON,
                  AgentBanRequest, AgentBanView, codes=("bad-input",)),
            Route("POST", f"{base}/unban", self.unban, admin, "Take a version again.",
                  Body.JSON, AgentSpan, status=204, codes=("ban-unknown", "bad-input")),
        ]  # fmt: skip
