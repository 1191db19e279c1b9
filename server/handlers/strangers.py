"""Bounds on who comes with wrong tokens, held where every request passes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from server.domain.errors import Refusal, TooMany
from server.handlers.peer import address_of
from server.services.turns import Doorway

WRONG = frozenset({"token-unknown", "token-used", "token-expired", "token-revoked"})


@dataclass(frozen=True)
class Strangers:
    """Counts wrong tokens by address; a token that was good lately is never held up."""

    doorway: Doorway
    clock: Callable[[], float]

    def admit(self, request: web.Request, token: str) -> bytes:
        """Before a token is looked for in the table; what to `welcome` it by. Raises TooMany."""
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        self.doorway.passes(digest, address_of(request), self.clock())
        return digest

    def welcome(self, digest: bytes) -> None:
        """The token was good."""
        self.doorway.welcome(digest)

    def count(self, request: web.Request, refusal: Refusal) -> Refusal:
        """What is answered for this refusal: a wrong token counts, and may be one too many."""
        if refusal.code not in WRONG:
            return refusal
        try:
            self.doorway.wrong.take(address_of(request), self.clock())
        except TooMany as error:
            return error
        return refusal
