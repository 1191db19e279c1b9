"""A part of a page that one person follows: an event stream that sends it whenever it differs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from server.domain.errors import Refusal
from server.handlers.errors import TooManyListeners
from server.handlers.sse import MEDIA

PATIENCE_S = 20.0  # for a reader to take one event
SILENCE_S = 15.0  # after which a stream says that it is still there
LASTS_S = 900.0  # after which the browser asks anew: a session may be over by then
MOST = 500


@dataclass(eq=False)
class Streams:
    """How many streams are open, and whether the server ends."""

    open: int = 0
    closed: bool = False

    async def close(self, _: object = None) -> None:
        """End every stream; for ``app.on_shutdown``."""
        self.closed = True


STREAMS: web.AppKey[Streams] = web.AppKey("streams")
"""The streams of an application."""


async def follow(
    request: web.Request,
    render: Callable[[], Awaitable[str]],
    news: Callable[[], Awaitable[object]],
) -> web.StreamResponse:
    """Send what is rendered now, and again after ``news`` whenever it differs."""
    streams = request.app[STREAMS]
    if streams.closed or streams.open >= MOST:
        raise TooManyListeners()
    streams.open += 1
    try:
        first = await render()
        return await _send(request, streams, first, render, news)
    finally:
        streams.open -= 1


async def _send(
    request: web.Request,
    streams: Streams,
    html: str,
    render: Callable[[], Awaitable[str]],
    news: Callable[[], Awaitable[object]],
) -> web.StreamResponse:
    headers = {"Content-Type": MEDIA, "Cache-Control": "no-store", "X-Accel-Buffering": "no",
               "X-Content-Type-Options": "nosniff"}  # fmt: skip
    response = web.StreamResponse(headers=headers)
    clock = asyncio.get_running_loop().time
    end, sent, spoke = clock() + LASTS_S, "", 0.0
    try:
        await response.prepare(request)
        while not streams.closed and request.transport is not None and clock() < end:
            if html != sent or clock() - spoke > SILENCE_S:
                piece = _event(html) if html != sent else b":\n\n"
                async with asyncio.timeout(PATIENCE_S):
                    await response.write(piece)
                sent, spoke = html, clock()
            await news()
            html = await render()
    except Refusal:
        return response  # it is not his to see any more; the page says why when it is loaded
    except (ConnectionError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    return response


def _event(html: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"event: live\n{lines}\n".encode()
