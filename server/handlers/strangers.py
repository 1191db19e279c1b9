"""Bounds on who comes with wrong tokens, held where every request passes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from aiohttp import web

from server.domain.errors import Refusal, TooMany
from server.handlers.peer import address_of
from server.services.deps import Deps

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

    def count(self, request: web.Request, refusal: Refusal) -> Refusal:
        """What is answered for this refusal: a wrong token counts, and may be one too many."""
        if refusal.code not in WRONG:
            return refusal
        try:
            self.deps.doorway.wrong.take(address_of(request), self.deps.clock())
        except TooMany as error:
            return error
        return refusal
