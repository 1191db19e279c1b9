"""API tokens of one's own over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.roles import Caller
from server.domain.scopes import WHOLE
from server.handlers import params
from server.handlers.access import Role
from server.handlers.routes import NO_STORE, Body, Reply, Route
from server.services import tokens
from server.services.deps import Deps
from server.services.tokens import Maker, Wish
from vmagent.wire.messages import bound


@dataclass(frozen=True)
class MyTokenRequest:
    """A new token: what it may do (`*` is all that the account may) and how long it is good.

    It is never more, nor good for longer, than the token that makes it.
    """

    scopes: list[str] = field(metadata=bound(most=16))
    expires_s: float = field(metadata=bound(least=60, most=3650 * 86_400))
    note: str = field(default="", metadata=bound(most=200))


@dataclass(frozen=True)
class MyTokenMade:
    """A token, told once."""

    id: int
    token: str
    scopes: list[str]
    expires_at: float


@dataclass(frozen=True)
class MyTokenView:
    """A token without its text; those that an administrator made may have no end (null)."""

    id: int
    scopes: list[str]
    created_at: float
    expires_at: float | None
    note: str


@dataclass(frozen=True)
class MyTokenList:
    """The tokens of an account that are good."""

    tokens: list[MyTokenView] = field(default_factory=list)


def maker_of(caller: Caller) -> Maker:
    """Who makes a token, with what he holds: a browser's session holds all and ends nothing."""
    return Maker(
        caller.account,
        caller.name,
        getattr(caller, "scopes", WHOLE),
        getattr(caller, "until", None),
    )


@dataclass(frozen=True)
class TokensApi:
    """The handlers."""

    deps: Deps

    async def create(self, request: web.Request, caller: Caller, message: MyTokenRequest) -> Reply:
        """A new token."""
        wish = Wish(message.scopes, message.expires_s, message.note)
        made = await tokens.create(self.deps, maker_of(caller), wish)
        told = MyTokenMade(made.id, made.token, made.scopes, made.expires_at)
        return Reply(told, 201, NO_STORE)

    async def listed(self, request: web.Request, caller: Caller) -> MyTokenList:
        """One's tokens that are good."""
        found = await tokens.mine(self.deps, caller.account)
        return MyTokenList(
            [MyTokenView(r.id, r.scopes.split(), r.created_at, r.expires_at, r.note) for r in found]
        )

    async def revoke(self, request: web.Request, caller: Caller) -> None:
        """A token acts for nobody any more."""
        token = params.path_number(request, "token")
        await tokens.revoke(self.deps, caller.account, caller.name, token)

    def routes(self) -> list[Route]:
        """Every route of tokens of one's own."""
        base, own = "/api/v1/me/tokens", Role("volunteer")
        return [
            Route("POST", base, self.create, own, "A token that acts for me, told once.",
                  Body.JSON, MyTokenRequest, MyTokenMade, 201, codes=("bad-input",)),
            Route("GET", base, self.listed, own, "My API tokens.", reply=MyTokenList),
            Route("POST", f"{base}/{{token:{params.ID}}}/revoke", self.revoke, own,
                  "A token acts for me no longer.", status=204, codes=("issued-token-unknown",)),
        ]  # fmt: skip
