"""How far hosts are believed: shown, and said by managers."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.roles import Caller
from server.handlers import params
from server.handlers.access import Role
from server.handlers.routes import Body, Route
from server.services import words
from server.services.deps import Deps
from server.services.words import HostTrust
from vmagent.wire.messages import bound


@dataclass(frozen=True)
class TrustRequest:
    """What a person says of a host: trust, distrust, reset (forget all that is known), or clear.

    To clear it: what was taken on its word is not doubtful any more, and it gets its credit back.
    """

    word: str = field(metadata=bound(most=16))
    reason: str = field(default="", metadata=bound(most=words.REASON_MOST))


@dataclass(frozen=True)
class TrustApi:
    """The handlers."""

    deps: Deps

    async def show(self, request: web.Request, caller: Caller) -> HostTrust:
        """What is known of a host's trust."""
        return await words.show(self.deps, params.path_number(request, "host"))

    async def say(self, request: web.Request, caller: Caller, message: TrustRequest) -> HostTrust:
        """Say something of a host's trust."""
        host = params.path_number(request, "host")
        return await words.say(self.deps, host, message.word, message.reason, caller.name)

    def routes(self) -> list[Route]:
        """Every route of trust."""
        trust = f"/api/v1/hosts/{{host:{params.ID}}}/trust"
        return [
            Route("GET", trust, self.show, Role("manager"), "How far a host is believed, and why.",
                  reply=HostTrust, codes=("host-unknown",)),
            Route("POST", trust, self.say, Role("admin"),
                  "Trust a host, distrust it, forget what is known of it, or clear its events.",
                  Body.JSON, TrustRequest, HostTrust, codes=("host-unknown", "bad-input")),
        ]  # fmt: skip
