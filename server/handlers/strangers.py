"""Bounds on who comes with wrong tokens, or changes too much, held where every request passes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from aiohttp import hdrs, web

from server.domain.errors import Refusal, TooMany
from server.domain.roles import Caller, reaches
from server.handlers.peer import address_of
from server.services.deps import Deps

READING = (hdrs.METH_GET, hdrs.METH_HEAD)
FREE = "operator"
"""The role from which on somebody changes as much as he likes."""
WRONG = frozenset({"token-unknown", "token-used", "token-expired", "token-revoked"})


@dataclass(frozen=True)
class Strangers:
    """Counts wrong tokens by address; a token that was good lately is never held up."""

    deps: Deps

    def admit(self, request: web.Request, token: str) -> bytes:
        """Before a token is looked for in the table; what to `welcome` it by. Raises TooMany."""
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        self.deps.doorway.passes(digest, address_of(request), self.deps.clock())
        return digest

    def welcome(self, digest: bytes) -> None:
        """The token was good."""
        self.deps.doorway.welcome(digest)

    def hold(self, request: web.Request, caller: Caller) -> None:
        """Somebody wants to change something: each time is a line in a log. Raises TooMany."""
        if request.method not in READING and not reaches(caller.role, FREE):
            self.deps.doorway.changes.take(str(caller.account), self.deps.clock())

    def count(self, request: web.Request, refusal: Refusal) -> Refusal:
        """What is answered for this refusal: a wrong token counts, and may be one too many."""
        if refusal.code not in WRONG:
            return refusal
        try:
            self.deps.doorway.wrong.take(address_of(request), self.deps.clock())
        except TooMany as error:
            return error
        return refusal
