"""Server-sent events: one rendering a second for all who follow the same page.

A page may mark parts of itself (``data-part`` by the macro ``part`` of `parts.html`). While the
rest stays as it is, only the parts that changed are sent.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from server.domain.throttle import place_of
from server.handlers.errors import TooManyListeners
from server.handlers.peer import address_of
from server.handlers.routes import EVENTS

log = logging.getLogger(__name__)

MEDIA = EVENTS
_PART = re.compile(r' data-part="([\w-]+)">(.*?)</\w+><!--\1-->', re.DOTALL)


@dataclass(frozen=True)
class Pace:
    """How often a page is rendered, how long silence may last, and how many may listen.

    Seconds. ``most`` may listen in all, ``each`` from one address. ``patience`` is how long a
    listener may take to accept one event.
    """

    every: float = 1.0
    silence: float = 15.0
    patience: float = 20.0
    most: int = 500
    each: int = 50


@dataclass(eq=False)
class _Topic:
    """What the listeners of one page share; it is told with the number of the rendering."""

    html: str = ""
    rest: str = ""
    number: int = 0
    since: int = 0
    parts: dict[str, tuple[int, str]] = field(default_factory=dict)
    listeners: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def take(self, html: str) -> bool:
        """What is shown from now on; whether that differs."""
        if html == self.html:
            return False
        self.html, self.number = html, self.number + 1
        rest = _PART.sub(r"\1<!--\1-->", html)
        if rest != self.rest:
            self.rest, self.since, self.parts = rest, self.number, {}
        for name, inner in _PART.findall(html):
            if self.parts.get(name, (0, ""))[1] != inner:
                self.parts[name] = self.number, inner
        return True

    def event(self, known: int) -> bytes:
        """What somebody is told who knows the rendering of this number; 0: none."""
        if known < self.since:
            return _event(self.html)
        news = (f"{name}\n{inner}" for name, (at, inner) in self.parts.items() if at > known)
        return b"".join(_event(each, "part") for each in news)


class Feed:
    """Follows pages by their topic; ``render`` makes the HTML of a topic."""

    def __init__(self, render: Callable[[str], Awaitable[str]], pace: Pace | None = None) -> None:
        """Nothing is rendered before somebody listens."""
        self._render = render
        self._pace = pace or Pace()
        self._topics: dict[str, _Topic] = {}
        self._listeners = 0
        self._from: dict[str, int] = {}
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many follow some page now."""
        return self._listeners

    async def follow(self, request: web.Request, topic: str) -> web.StreamResponse:
        """Send a page now and whenever it changes, until its reader goes or the feed closes."""
        where = place_of(address_of(request))
        if self._closed or self._listeners >= self._pace.most:
            raise TooManyListeners()
        if self._from.get(where, 0) >= self._pace.each:
            raise TooManyListeners()
        self._listeners += 1
        self._from[where] = self._from.get(where, 0) + 1
        try:
            shared = await self._joined(topic)
            try:
                return await self._send(request, shared)
            finally:
                self._left(topic, shared)
        finally:
            self._listeners -= 1
            self._from[where] -= 1
            if not self._from[where]:
                del self._from[where]

    async def close(self, _: object = None) -> None:
        """End every stream; for ``app.on_shutdown``."""
        self._closed = True
        for shared in self._topics.values():
            _wake(shared)

    async def _joined(self, topic: str) -> _Topic:
        shared = self._topics.get(topic)
        if shared is None:
            made = _Topic()
            made.take(await self._render(topic))
            # Another may have come for the same topic while this one was rendered.
            shared = self._topics.setdefault(topic, made)
        shared.listeners += 1
        if shared.task is None:
            shared.task = asyncio.create_task(self._renew(topic, shared))
        return shared

    def _left(self, topic: str, shared: _Topic) -> None:
        shared.listeners -= 1
        if not shared.listeners and shared.task is not None:
            shared.task.cancel()
            del self._topics[topic]

    async def _renew(self, topic: str, shared: _Topic) -> None:
        while True:
            await asyncio.sleep(self._pace.every)
            try:
                changed = shared.take(await self._render(topic))
            except Exception:
                # The page as it was is better than none; the next second may do.
                log.exception("page not rendered", extra={"action": "render", "topic": topic})
                continue
            if changed:
                _wake(shared)

    async def _send(self, request: web.Request, shared: _Topic) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                "Content-Type": MEDIA,
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
                "X-Content-Type-Options": "nosniff",
            }
        )
        known = 0
        try:
            await response.prepare(request)
            while not self._closed and request.transport is not None:
                changed = shared.changed
                piece = b":\n\n" if known == shared.number else shared.event(known)
                known = shared.number
                async with asyncio.timeout(self._pace.patience):
                    await response.write(piece)
                await _wait(changed, self._pace.silence)
        except (ConnectionError, TimeoutError):
            # The reader is gone, or takes nothing more: there is nobody to tell.
            if request.transport is not None:
                request.transport.abort()
        return response


def _wake(shared: _Topic) -> None:
    """Wake all who wait, and give those who wait next a fresh event to wait for."""
    shared.changed.set()
    shared.changed = asyncio.Event()


async def _wait(changed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return


def _event(html: str, kind: str = "live") -> bytes:
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"event: {kind}\n{lines}\n".encode()


FEED: web.AppKey[Feed] = web.AppKey("feed")
"""The feed of the pages."""
