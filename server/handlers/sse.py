"""Server-sent events: one rendering of a page for all who follow the same, and only its changes.

The handler of a stream (a route of media `MEDIA`) looks who may see a page, and returns it as
`Live`. It is asked again while the stream lasts, so that nobody is told more than he may see.

A page may mark parts of itself (``data-part`` by the macro ``part`` of `parts.html`). While the
rest stays as it is, only the parts that changed are sent; else the rest, with those parts empty
(``data-same``) that stay as they are. Parts that are large and change seldom (``data-slow``) are
not sent to who comes: he has them in the page itself, and is told when they change.
"""

from __future__ import annotations

import asyncio
import logging
import re
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from server.domain.errors import Refusal
from server.domain.throttle import place_of
from server.handlers.errors import TooManyListeners
from server.handlers.peer import address_of
from server.handlers.routes import EVENTS
from server.handlers.shape import status_of

log = logging.getLogger(__name__)

MEDIA = EVENTS
LONGEST_S = 2.0  # that one rendering counts: a database that hung once slows nobody for minutes
OVER = (401, 403, 404, 410)  # what nobody will be shown though he asks again
_PART = re.compile(
    r' data-part="(?P<name>[\w-]+)"(?P<slow> data-slow)?>'
    r"(?P<inner>.*?)(?P<end></\w+><!--(?P=name)-->)",
    re.DOTALL,
)
_HEADERS = {
    "Content-Type": MEDIA,
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Live:
    """What is followed. All of one ``topic`` are shown the same, which ``render`` makes.

    It is rendered every so many seconds (None: as `Pace` says), after ``news`` if that waits.
    Neither may hold on to the request: they outlive it while others follow.
    """

    topic: tuple[Hashable, ...]
    render: Callable[[], Awaitable[str]]
    every: float | None = None
    news: Callable[[], Awaitable[object]] | None = None


@dataclass(frozen=True)
class Pace:
    """How often a page is rendered, how long silence may last, and how many may listen.

    Seconds. All renderings together take this ``share`` of the server's time at most. ``most`` may
    listen in all, ``each`` from one address, ``own`` of one account. ``patience`` is how long a
    listener may take to accept one event; who was not looked at for ``check`` is looked at before
    he is told more, and at least after each ``silence``.
    """

    every: float = 1.0
    share: float = 0.1
    silence: float = 15.0
    patience: float = 20.0
    check: float = 10.0
    most: int = 500
    each: int = 50
    own: int = 20


@dataclass(frozen=True)
class Follower:
    """Who follows what; ``account`` is 0 of somebody who is not signed in."""

    live: Live
    account: int = 0


Again = Callable[[], Awaitable[Follower]]
"""What he may follow now. Raises Refusal."""


@dataclass(eq=False)
class _Topic:
    """What the listeners of one page share, packed: it stays in memory as long as they do."""

    number: int = 0
    whole: bytes = b""
    step: bytes = b""
    page: int = 0
    rest: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    listeners: int = 0
    took: float = 0.0
    over: Refusal | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def take(self, html: str) -> bool:
        """What is shown from now on; whether that differs."""
        if self.number and hash(html) == self.page:
            return False
        self.page, self.number = hash(html), self.number + 1
        marked = list(_PART.finditer(html))
        parts = {found["name"]: found["inner"] for found in marked}
        slow = {found["name"] for found in marked if found["slow"]}
        known, rest = {name: hash(inner) for name, inner in parts.items()}, hash(_bare(html, parts))
        same = {name for name in parts if self.parts.get(name) == known[name]}
        if rest == self.rest:
            news = parts.keys() - same
            step = b"".join(_event(f"{name}\n{parts[name]}", "part") for name in news)
        else:
            step = _event(_bare(html, same))
        self.whole, self.step = [
            zlib.compress(told, 1) for told in (_event(_bare(html, slow)), step)
        ]
        self.rest, self.parts = rest, known
        return True

    def event(self, known: int) -> bytes:
        """What somebody is told who knows the rendering of this number; 0: none."""
        return zlib.decompress(self.step if known and known == self.number - 1 else self.whole)

    def wake(self) -> None:
        """Wake all who wait, and give those who wait next a fresh event to wait for."""
        self.changed.set()
        self.changed = asyncio.Event()


class Feed:
    """Renders what is followed, as long as it is, one page after the other."""

    def __init__(self, pace: Pace | None = None) -> None:
        """Nothing is rendered before somebody listens."""
        self._pace = pace or Pace()
        self._topics: dict[Hashable, _Topic] = {}
        self._places: Counter[Hashable] = Counter()
        self._turn = asyncio.Lock()
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many follow some page now."""
        return self._places[None]

    @property
    def topics(self) -> int:
        """How many pages are followed now."""
        return len(self._topics)

    async def follow(self, request: web.Request, who: Follower, again: Again) -> web.StreamResponse:
        """Send a page now and whenever it changes, until its reader goes or may see it no more.

        Raises TooManyListeners, and what its rendering raises.
        """
        with self._place(place_of(address_of(request)), who.account):
            shared = await self._joined(who.live)
            try:
                return await self._send(request, shared, who.live.topic, again)
            finally:
                self._left(who.live.topic, shared)

    async def close(self, _: object = None) -> None:
        """End every stream; for ``app.on_shutdown``."""
        self._closed = True
        for shared in self._topics.values():
            shared.wake()

    @contextmanager
    def _place(self, address: str, account: int) -> Iterator[None]:
        """One of the places that there are."""
        pace = self._pace
        bounds: list[tuple[Hashable, int, str, str]] = [
            (None, 0 if self._closed else pace.most, "in all", "limits.sse_listeners"),
            (address, pace.each, "from one address", "limits.listeners_per_address"),
        ]
        if account:
            bounds.append((account, pace.own, "by one account", "limits.listeners_per_account"))
        for key, most, whom, setting in bounds:
            if self._places[key] >= most:
                raise TooManyListeners(most, whom, setting)
        taken = [key for key, *_ in bounds]
        self._places.update(taken)
        try:
            yield
        finally:
            self._places.subtract(taken)
            self._places = +self._places

    async def _joined(self, live: Live) -> _Topic:
        shared = self._topics.get(live.topic)
        if shared is None:
            made = _Topic()
            await self._render(live, made)
            # Another may have come for the same topic while this one was rendered.
            shared = self._topics.setdefault(live.topic, made)
        shared.listeners += 1
        if shared.task is None:
            shared.task = asyncio.create_task(self._renew(live, shared))
        return shared

    def _left(self, topic: Hashable, shared: _Topic) -> None:
        shared.listeners -= 1
        if not shared.listeners and shared.task is not None:
            shared.task.cancel()
            if self._topics.get(topic) is shared:
                del self._topics[topic]

    async def _render(self, live: Live, shared: _Topic) -> bool:
        """Render a page when it is its turn; whether it differs."""
        clock = asyncio.get_running_loop().time
        async with self._turn:
            began = clock()
            try:
                return shared.take(await live.render())
            finally:
                shared.took = min(clock() - began, LONGEST_S)

    async def _renew(self, live: Live, shared: _Topic) -> None:
        every = self._pace.every if live.every is None else live.every
        wait = every
        while shared.over is None:
            took = [topic.took for topic in self._topics.values()]
            await asyncio.sleep(pause(wait, took, self._pace.share))
            try:
                if live.news is not None:
                    await live.news()
                changed, wait = await self._render(live, shared), every
            except Exception as error:
                changed = isinstance(error, Refusal) and status_of(error.code) in OVER
                if isinstance(error, Refusal) and changed:
                    shared.over = error
                    self._topics.pop(live.topic, None)
                else:
                    # The page as it was is better than none; the next second may do.
                    log.exception(
                        "page not rendered", extra={"action": "render", "topic": live.topic}
                    )
                    wait = self._pace.every
            if changed:
                shared.wake()

    async def _send(
        self, request: web.Request, shared: _Topic, topic: Hashable, again: Again
    ) -> web.StreamResponse:
        response, pace = web.StreamResponse(headers=_HEADERS), self._pace
        clock = asyncio.get_running_loop().time
        known, asked = 0, clock()
        try:
            await response.prepare(request)
            while not self._closed and request.transport is not None:
                if clock() - asked >= pace.check:
                    if (await again()).live.topic != topic:
                        break  # he is shown something else now: his browser comes again
                    asked = clock()
                changed = shared.changed
                if shared.over is not None:
                    raise shared.over
                piece = b":\n\n" if known == shared.number else shared.event(known)
                known = shared.number
                async with asyncio.timeout(pace.patience):
                    await response.write(piece)
                del piece  # it would wait with its listener
                await _wait(changed, pace.silence)
        except Refusal as refusal:
            await _last(response, refusal, pace.patience)
        except (ConnectionError, TimeoutError):
            # The reader is gone, or takes nothing more: there is nobody to tell.
            if request.transport is not None:
                request.transport.abort()
        return response


def pause(every: float, took: Iterable[float], share: float) -> float:
    """Seconds until the next rendering of a page: all that are followed keep to their share.

    ``took`` are the seconds that the latest rendering of each took.
    """
    return max(every, sum(took) / share)


async def _last(response: web.StreamResponse, refusal: Refusal, patience: float) -> None:
    """Say why nothing more comes."""
    try:
        async with asyncio.timeout(patience):
            await response.write(_event(str(refusal), "over"))
    except (ConnectionError, TimeoutError):
        return


async def _wait(changed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return


def _bare(html: str, same: Container[str]) -> str:
    """The page without what is in these parts."""

    def left(found: re.Match[str]) -> str:
        if found["name"] not in same:
            return found[0]
        return f' data-part="{found["name"]}"{found["slow"] or ""} data-same>{found["end"]}'

    return _PART.sub(left, html)


def _event(text: str, kind: str = "live") -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {kind}\n{lines}\n".encode()


FEED: web.AppKey[Feed] = web.AppKey("feed")
"""The feed of the pages."""
