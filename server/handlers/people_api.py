"""Accounts, tokens, hosts and the state of the pool, for those who run it."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.roles import Caller
from server.handlers import params
from server.handlers.access import Role
from server.handlers.routes import NO_STORE, Body, Reply, Route
from server.services import bans, enrol, reap
from server.services.deps import Deps
from server.services.hostview import HostView
from server.services.look import Look
from vmagent.wire.messages import bound


@dataclass(frozen=True)
class AccountRequest:
    """A new account."""

    name: str = field(metadata=bound(most=64, least=1))
    role: str = "volunteer"


@dataclass(frozen=True)
class AccountView:
    """An account as people see it."""

    id: int
    name: str
    role: str
    created_at: float


@dataclass(frozen=True)
class AccountList:
    """Every account."""

    accounts: list[AccountView] = field(default_factory=list)


@dataclass(frozen=True)
class TokenRequest:
    """A new token: enrol (pairs hosts, of a site) or api (acts for the account)."""

    kind: str = "enrol"
    uses: int = field(default=1, metadata=bound(least=1, most=10**6))
    expires_s: float | None = field(default=86_400.0, metadata=bound(least=0))
    note: str = field(default="", metadata=bound(most=200))
    site: str = field(default="", metadata=bound(most=64))


@dataclass(frozen=True)
class TokenMade:
    """A token, told once."""

    id: int
    token: str


@dataclass(frozen=True)
class TokenView:
    """A token without its text."""

    id: int
    kind: str
    uses_left: int
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    note: str
    site: str = ""


@dataclass(frozen=True)
class TokenList:
    """The tokens of an account."""

    tokens: list[TokenView] = field(default_factory=list)


@dataclass(frozen=True)
class HostList:
    """Every host."""

    hosts: list[HostView] = field(default_factory=list)


@dataclass(frozen=True)
class BanRequest:
    """A ban, for so many seconds or until it is lifted; the host is told the reason."""

    reason: str = field(metadata=bound(most=300, least=1))
    seconds: float | None = field(default=None, metadata=bound(least=1, most=10**9))


@dataclass(frozen=True)
class BanMade:
    """A ban that stands."""

    host: int
    reason: str
    until: float | None


@dataclass(frozen=True)
class OrderRequest:
    """A command to a host."""

    name: str = field(metadata=bound(most=32))


@dataclass(frozen=True)
class OrderMade:
    """A command that waits for its host."""

    seq: int


@dataclass(frozen=True)
class StatusView:
    """The pool in a few numbers."""

    version: str
    time: float
    machines_now: int
    hosts_total: int
    productions: int
    leased_tasks: int
    events_settled: int
    events_per_s: float
    judge_waiting: int


@dataclass(frozen=True)
class PeopleApi:
    """The handlers. ``kid`` is the release key that new hosts shall expect."""

    deps: Deps
    look: Look
    kid: str
    version: str
    json_most: int

    async def create_account(
        self, request: web.Request, caller: Caller, message: AccountRequest
    ) -> Reply:
        """A new account."""
        made = await enrol.create_account(self.deps, message.name, message.role, caller.name)
        return Reply(AccountView(made.id, made.name, made.role, made.created_at), 201)

    async def list_accounts(self, request: web.Request, caller: Caller) -> AccountList:
        """Every account."""
        rows = await enrol.list_accounts(self.deps)
        return AccountList([AccountView(r.id, r.name, r.role, r.created_at) for r in rows])

    async def create_token(
        self, request: web.Request, caller: Caller, message: TokenRequest
    ) -> Reply:
        """A token of an account."""
        number, text = await enrol.create_token(
            self.deps,
            request.match_info["name"],
            message.kind,
            message.uses,
            message.expires_s,
            message.note,
            self.kid,
            message.site,
        )
        return Reply(TokenMade(number, text), 201, NO_STORE)

    async def list_tokens(self, request: web.Request, caller: Caller) -> TokenList:
        """The tokens of an account."""
        rows = await enrol.list_tokens(self.deps, request.match_info["name"])
        site_name = self.deps.registry.site_name
        return TokenList(
            [
                TokenView(
                    r.id,
                    r.kind,
                    r.uses_left,
                    r.created_at,
                    r.expires_at,
                    r.revoked_at,
                    r.note,
                    site_name(r.site),
                )
                for r in rows
            ]
        )

    async def revoke_token(self, request: web.Request, caller: Caller) -> None:
        """Revoke a token."""
        await enrol.revoke_token(self.deps, params.path_number(request, "token"))

    async def list_hosts(self, request: web.Request, caller: Caller) -> HostList:
        """Every host, those believed no longer at the end."""
        return HostList([*await self.look.hosts(), *await self.look.revoked()])

    async def revoke_host(self, request: web.Request, caller: Caller) -> None:
        """Believe a host no longer; what it had leased is given to others."""
        await reap.revoke(self.deps, params.path_number(request, "host"), caller.name)

    async def ban_host(self, request: web.Request, caller: Caller, message: BanRequest) -> BanMade:
        """Refuse a host for a time, or until the ban is lifted."""
        host = params.path_number(request, "host")
        made = await bans.ban(self.deps, host, message.reason, message.seconds, caller.name)
        return BanMade(made.host, made.reason, made.until)

    async def unban_host(self, request: web.Request, caller: Caller) -> None:
        """Take a host again."""
        await bans.lift(self.deps, params.path_number(request, "host"), caller.name)

    async def command(self, request: web.Request, caller: Caller, message: OrderRequest) -> Reply:
        """Leave a command for a host."""
        host = params.path_number(request, "host")
        made = await enrol.order(self.deps, host, message.name, {}, caller.name)
        return Reply(OrderMade(made.seq), 201)

    async def status(self, request: web.Request, caller: Caller) -> StatusView:
        """The pool in a few numbers."""
        pool = await self.look.pool()
        return StatusView(
            self.version,
            self.deps.clock(),
            pool.machines_now,
            pool.hosts_total,
            len(pool.productions),
            len(self.deps.registry.tasks),
            pool.events_settled,
            pool.events_per_s,
            len(self.deps.dirty),
        )

    def routes(self) -> list[Route]:
        """Every route of accounts, tokens and hosts."""
        base, admin, manager = "/api/v1", Role("admin"), Role("manager")
        account = f"{base}/accounts/{{name:[a-zA-Z0-9_-]{{1,64}}}}"
        host = f"{base}/hosts/{{host:{params.ID}}}"
        return [
            Route("POST", f"{base}/accounts", self.create_account, admin, "A new account.",
                  Body.JSON, AccountRequest, AccountView, 201, codes=("exists", "bad-input")),
            Route("GET", f"{base}/accounts", self.list_accounts, admin, "Every account.",
                  reply=AccountList),
            Route("POST", f"{account}/tokens", self.create_token, admin,
                  "A token of an account, told once.", Body.JSON, TokenRequest, TokenMade, 201,
                  codes=("account-unknown", "bad-input")),
            Route("GET", f"{account}/tokens", self.list_tokens, admin, "Its tokens.",
                  reply=TokenList, codes=("account-unknown",)),
            Route("POST", f"{base}/tokens/{{token:{params.ID}}}/revoke", self.revoke_token, admin,
                  "Revoke a token.", status=204, codes=("issued-token-unknown",)),
            Route("GET", f"{base}/hosts", self.list_hosts, manager, "Every host.",
                  reply=HostList),
            Route("POST", f"{host}/revoke", self.revoke_host, admin,
                  "Believe a host no longer.", status=204,
                  codes=("host-unknown", "host-revoked")),
            Route("POST", f"{host}/ban", self.ban_host, admin,
                  "Refuse a host for a time, or until the ban is lifted.", Body.JSON,
                  BanRequest, BanMade, codes=("host-unknown", "bad-input")),
            Route("POST", f"{host}/unban", self.unban_host, admin, "Take a host again.",
                  status=204, codes=("ban-unknown",)),
            Route("POST", f"{host}/commands", self.command, admin, "Leave a command for a host.",
                  Body.JSON, OrderRequest, OrderMade, 201,
                  codes=("host-unknown", "host-revoked", "bad-input")),
            Route("GET", f"{base}/status", self.status, manager, "The pool in a few numbers.",
                  reply=StatusView),
        ]  # fmt: skip
