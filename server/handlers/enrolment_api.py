"""Enrolment tokens of one's own over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.roles import Caller
from server.handlers import params
from server.handlers.access import Role
from server.handlers.routes import NO_STORE, Body, Reply, Route
from server.services import enrolments
from server.services.deps import Deps
from server.services.enrolments import EnrolmentView, Invitation
from vmagent.wire.messages import bound


@dataclass(frozen=True)
class EnrolmentRequest:
    """A new token: for how many machines, how long, where, with what context, from which networks.

    ``networks`` is CIDR, with commas or blanks between.
    """

    uses: int = field(default=1, metadata=bound(least=1, most=10**6))
    expires_s: float = field(default=86_400.0, metadata=bound(least=60, most=31_622_400))
    note: str = field(default="", metadata=bound(most=200))
    site: str = field(default="", metadata=bound(most=64))
    context_id: str = field(default="", metadata=bound(most=64))
    revision: int = field(default=0, metadata=bound(least=0, most=2**31))
    networks: str = field(default="", metadata=bound(most=2000))


@dataclass(frozen=True)
class EnrolmentMade:
    """A token, told once."""

    id: int
    token: str


@dataclass(frozen=True)
class EnrolmentList:
    """The tokens of an account, without their texts."""

    tokens: list[EnrolmentView] = field(default_factory=list)


@dataclass(frozen=True)
class EnrolmentApi:
    """The handlers. ``kid`` is the release key that new hosts shall expect."""

    deps: Deps
    kid: str

    async def create(
        self, request: web.Request, caller: Caller, message: EnrolmentRequest
    ) -> Reply:
        """A new token."""
        wanted = Invitation(
            message.uses, message.expires_s, message.note, message.site, message.context_id,
            message.revision, message.networks,
        )  # fmt: skip
        made = await enrolments.create(self.deps, caller, self.kid, wanted)
        return Reply(EnrolmentMade(*made), 201, NO_STORE)

    async def list_tokens(self, request: web.Request, caller: Caller) -> EnrolmentList:
        """The tokens of the account."""
        return EnrolmentList(await enrolments.mine(self.deps, caller))

    async def revoke(self, request: web.Request, caller: Caller) -> None:
        """A token opens nothing any more."""
        token = params.path_number(request, "token")
        await enrolments.revoke(self.deps, caller, token)

    def routes(self) -> list[Route]:
        """Every route of enrolment tokens."""
        base, own = "/api/v1/enrolments", Role("volunteer")
        return [
            Route("POST", base, self.create, own, "A token for machines that start by themselves.",
                  Body.JSON, EnrolmentRequest, EnrolmentMade, 201,
                  codes=("bad-input", "site-unknown", "context-unknown")),
            Route("GET", base, self.list_tokens, own, "My enrolment tokens.",
                  reply=EnrolmentList),
            Route("POST", f"{base}/{{token:{params.ID}}}/revoke", self.revoke, own,
                  "A token opens nothing any more.", status=204, codes=("issued-token-unknown",)),
        ]  # fmt: skip
