"""Requests counted and timed by route; and traced, if traces are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from time import perf_counter

from aiohttp import web

from server.domain.errors import Refusal
from server.handlers.lane import Catch
from server.handlers.shape import status_of
from server.services.upkeep.meter import SAMPLE, Tally

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Ended = Callable[[int], None]
Tracer = Callable[[str, str], AbstractContextManager[Ended]]
"""Entered for a request with its method and route; what it gives is told the status."""

FAILED = 500  # what must not happen; 503 and 507 are answers that were meant


def metered(handler: Handler, tally: Tally, tracer: Tracer | None) -> Handler:
    """The same handler, whose calls are counted and timed."""

    async def respond(request: web.Request) -> web.StreamResponse:
        tally.count += 1
        began = perf_counter()
        response = await handler(request)
        tally.took(perf_counter() - began)
        if response.status == FAILED:
            tally.failed += 1
        return response

    if tracer is None:
        return respond

    async def traced(request: web.Request) -> web.StreamResponse:
        with tracer(tally.method, tally.path) as ended:
            response = await respond(request)
            ended(response.status)
            return response

    return traced


def sampled(catch: Catch, tally: Tally, tracer: Tracer | None) -> Catch:
    """A request of the fast lane: counted, and timed if it is one of those that are."""
    tally.count += 1
    return Timed(catch, tally, tracer) if tally.count % SAMPLE == 1 else catch


class Timed:
    """A request of the lane whose answer is timed."""

    __slots__ = ("_inner", "_tally", "_tracer", "piece", "slowest")

    def __init__(self, inner: Catch, tally: Tally, tracer: Tracer | None) -> None:
        self._inner, self._tally, self._tracer = inner, tally, tracer
        self.slowest = inner.slowest
        self.piece = inner.piece

    async def answer(self) -> bytes:
        """As the inner one answers, whatever it throws."""
        began = perf_counter()
        try:
            if self._tracer is None:
                return await self._inner.answer()
            with self._tracer(self._tally.method, self._tally.path) as ended:
                try:
                    text = await self._inner.answer()
                except Exception as error:
                    ended(status_of(error.code) if isinstance(error, Refusal) else FAILED)
                    raise
                ended(200)
                return text
        finally:
            self._tally.took(perf_counter() - began)
