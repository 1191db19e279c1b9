"""Connections counted by where they come from: no address takes up all that the server can hold."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, cast

from aiohttp import web

from server.domain.throttle import place_of
from server.handlers.peer import Network, within

log = logging.getLogger(__name__)
TOLD_S = 60.0  # who is turned away may come back at once: the log says so once a minute


class Turnstile:
    """At most ``each`` connections of one place; those of our ``proxies`` are of everybody."""

    def __init__(self, each: int, proxies: Sequence[Network] = ()) -> None:
        """Nobody is here yet."""
        self._each = each
        self._proxies = proxies
        self._here: dict[str, int] = {}
        self._told_at = -TOLD_S

    def enter(self, address: str) -> str | None:
        """The place by which a connection is counted, empty if it is not; None if it is refused."""
        if not address or within(address, self._proxies):
            return ""
        place = place_of(address)
        here = self._here.get(place, 0)
        if here >= self._each:
            self._tell(place)
            return None
        self._here[place] = here + 1
        return place

    def leave(self, place: str) -> None:
        """A connection of this place has ended."""
        left = self._here.get(place, 0) - 1
        if left > 0:
            self._here[place] = left
        else:
            self._here.pop(place, None)

    def _tell(self, place: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= TOLD_S:
            self._told_at = now
            facts = {"action": "connections", "address": place, "most": self._each}
            log.warning("too many connections of one address", extra=facts)


class Guest(web.RequestHandler):
    """A connection that has come through the turnstile, or is ended before anything is read."""

    __slots__ = ("_place", "_turnstile")

    def __init__(self, manager: web.Server, turnstile: Turnstile, **settings: Any) -> None:
        """A connection of this server."""
        super().__init__(manager, **settings)
        self._turnstile = turnstile
        self._place: str | None = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody comes."""
        peer = transport.get_extra_info("peername")
        self._place = self._turnstile.enter(str(peer[0]) if peer else "")
        if self._place is None:
            cast(asyncio.Transport, transport).abort()  # uvloop's is none by its class
        else:
            super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Somebody has gone."""
        if self._place is not None:
            self._turnstile.leave(self._place)
            super().connection_lost(exc)
