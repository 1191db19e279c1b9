"""My machines over HTTP, for their owner; and what a machine asks of its own context and limits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from aiohttp import web

from server.domain.allowance import Allowance
from server.domain.roles import Caller
from server.handlers import params
from server.handlers.access import Host, Role, bearer
from server.handlers.pairing_api import context_of
from server.handlers.routes import NO_STORE, Body, Query, Reply, Route
from server.services import machines, retoken
from server.services.cards import HostCard
from server.services.deps import Deps
from server.services.look import Look
from server.services.machines import MachineStory, MachineView
from vmagent.wire import pairing as p
from vmagent.wire.messages import bound

_ONE = ("machine-unknown",)


@dataclass(frozen=True)
class MachineList:
    """The machines of an account."""

    machines: list[MachineView] = field(default_factory=list)


@dataclass(frozen=True)
class LimitsRequest:
    """The most a machine may use; 0 and "" are no limit. Hours are those of its own clock."""

    cores: int = field(default=0, metadata=bound(least=0, most=4096))
    memory_mb: int = field(default=0, metadata=bound(least=0, most=2**30))
    hours: str = field(default="", metadata=bound(most=200))
    network: bool = True


@dataclass(frozen=True)
class NameRequest:
    """A machine's name."""

    name: str = field(metadata=bound(most=100, least=1))


@dataclass(frozen=True)
class ContextRequest:
    """The context that a machine shall have: its own if none is named, the newest revision if 0."""

    context_id: str = field(default="", metadata=bound(most=64))
    revision: int = field(default=0, metadata=bound(least=0, most=2**31))


@dataclass(frozen=True)
class ContextGiven:
    """The revision that a machine was told to take."""

    context_id: str
    revision: int
    name: str


@dataclass(frozen=True)
class OrderSent:
    """A command that waits for its machine."""

    seq: int


@dataclass(frozen=True)
class MachineApi:
    """The handlers of machines."""

    deps: Deps
    look: Look

    async def list_machines(self, request: web.Request, caller: Caller) -> MachineList:
        """The machines of the account, of all for operators, or of a site that it runs."""
        site = request.query.get("site", "")[:64]
        everybody = request.query.get("all", "") in ("1", "true")
        hosts = await self.look.hosts(0 if site or everybody else caller.account)
        found = await machines.mine(self.deps, hosts, caller, everybody=everybody, site=site)
        return MachineList(found)

    async def show(self, request: web.Request, caller: Caller) -> MachineStory:
        """One machine with its history."""
        host = _host(request)
        hosts = await self.look.hosts((await machines.own(self.deps, caller, host)).account)
        return await machines.one(self.deps, hosts, caller, host)

    async def pause(self, request: web.Request, caller: Caller) -> Reply:
        """Freeze its payloads and keep their leases."""
        made = await machines.tell(self.deps, caller, _host(request), "suspend")
        return Reply(OrderSent(made.seq), 201)

    async def resume(self, request: web.Request, caller: Caller) -> Reply:
        """Let them go on."""
        made = await machines.tell(self.deps, caller, _host(request), "resume")
        return Reply(OrderSent(made.seq), 201)

    async def limit(
        self, request: web.Request, caller: Caller, message: LimitsRequest
    ) -> LimitsRequest:
        """Allow it so much."""
        wanted = Allowance(message.cores, message.memory_mb, message.hours, message.network)
        await machines.limit(self.deps, caller, _host(request), wanted)
        return message

    async def rename(self, request: web.Request, caller: Caller, message: NameRequest) -> None:
        """Call it something else."""
        await machines.rename(self.deps, caller, _host(request), message.name)

    async def recontextualize(
        self, request: web.Request, caller: Caller, message: ContextRequest
    ) -> ContextGiven:
        """Give it a context, or a newer revision of its own."""
        given = await machines.recontextualize(
            self.deps, caller, _host(request), message.context_id, message.revision
        )
        return ContextGiven(given.id, given.revision, given.name)

    async def unmanage(self, request: web.Request, caller: Caller) -> None:
        """Let it go, at once."""
        await machines.unmanage(self.deps, caller, _host(request))

    async def context(self, request: web.Request, card: HostCard) -> Reply:
        """The context that this host shall have."""
        found = context_of(await machines.context_of(self.deps, card))
        return Reply(found, headers=NO_STORE)

    async def context_became(
        self, request: web.Request, card: HostCard, message: p.ContextReport
    ) -> None:
        """What became of a revision of it."""
        await machines.context_became(
            self.deps, card, message.id, message.revision, message.outcome, message.how,
            message.detail,
        )  # fmt: skip

    async def limits(self, request: web.Request, card: HostCard) -> p.MachineLimits:
        """What its owner allows this host."""
        found = await machines.limits_of(self.deps, card)
        return p.MachineLimits(found.cores, found.memory_mb, found.hours, found.network)

    async def new_token(self, request: web.Request, card: HostCard) -> Reply:
        """Another token for this host, beside the one that it has."""
        text = await retoken.propose(self.deps, card, _digest(request))
        return Reply(p.NewToken(text), headers=NO_STORE)

    async def token_kept(self, request: web.Request, card: HostCard) -> None:
        """The token of this request is on the disk of its host."""
        await retoken.take(self.deps, card, _digest(request))

    def routes(self) -> list[Route]:
        """Every route of machines."""
        base, own, host = "/api/v1/machines", Role("volunteer"), Host()
        one = f"{base}/{{machine:{params.ID}}}"
        wants = (
            Query("all", "boolean", "Of all accounts; operators alone.", False),
            Query("site", "string", "Those of a site that I run.", ""),
        )
        return [
            Route("GET", base, self.list_machines, own, "My machines.", reply=MachineList,
                  query=wants, codes=("site-unknown", "not-your-site")),
            Route("GET", one, self.show, own, "One machine with its history.",
                  reply=MachineStory, codes=_ONE),
            Route("POST", f"{one}/pause", self.pause, own, "Freeze its payloads.",
                  reply=OrderSent, status=201, codes=_ONE),
            Route("POST", f"{one}/resume", self.resume, own, "Let them go on.",
                  reply=OrderSent, status=201, codes=_ONE),
            Route("PUT", f"{one}/limits", self.limit, own, "Allow it so much.", Body.JSON,
                  LimitsRequest, LimitsRequest, codes=(*_ONE, "bad-input")),
            Route("PUT", f"{one}/name", self.rename, own, "Call it something else.", Body.JSON,
                  NameRequest, status=204, codes=(*_ONE, "bad-input")),
            Route("POST", f"{one}/recontextualize", self.recontextualize, own,
                  "Give it a context, or a newer revision of its own.", Body.JSON,
                  ContextRequest, ContextGiven, codes=(*_ONE, "context-unknown", "bad-input")),
            Route("POST", f"{one}/unmanage", self.unmanage, own,
                  "Let it go: its token is worth nothing at once.", status=204, codes=_ONE),
            Route("GET", f"{base}/self/context", self.context, host,
                  "The context that this host shall have.", reply=p.MachineContext,
                  codes=("context-unknown",)),
            Route("POST", f"{base}/self/context", self.context_became, host,
                  "What became of a revision of it.", Body.JSON, p.ContextReport, status=204,
                  codes=("context-unknown",)),
            Route("POST", f"{base}/self/token", self.new_token, host,
                  "Another token for this host, beside the one that it has.", reply=p.NewToken,
                  codes=("not-commanded",)),
            Route("PUT", f"{base}/self/token", self.token_kept, host,
                  "The token of this request is the one that the host has kept.", status=204),
            Route("GET", f"{base}/self/limits", self.limits, host,
                  "What its owner allows this host.", reply=p.MachineLimits),
        ]  # fmt: skip


def _digest(request: web.Request) -> bytes:
    return hashlib.sha256(bearer(request).encode()).digest()


def _host(request: web.Request) -> int:
    return params.path_number(request, "machine")
