"""A shorter way for the requests that come all the time, on the connections that aiohttp serves.

Between two requests of a connection the next head is looked at. If it is plain and one that a
`Starter` takes, it is answered here; everything else goes to aiohttp byte by byte, on the same
connection, and so does all that a starter does not want to decide: errors known from the head are
told by the same code as ever. Once it is not certain that aiohttp is between two requests, the rest
of the connection is aiohttp's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import web

from server.domain.errors import Refusal
from server.handlers import ready
from server.handlers.errors import BodyTooSlow
from server.handlers.plain import Plain, read
from server.handlers.shape import noted, refused
from server.handlers.turnstile import Guest, Turnstile

log = logging.getLogger(__name__)
HELD_MOST = 65_536  # bytes that wait for the answer to the request before them
SKIP_S = 5.0  # for so long the rest of a refused body is read


class Catch(Protocol):
    """Takes the body of one request, and answers."""

    slowest: float
    """The seconds in which the body must have come."""

    def piece(self, piece: bytes) -> None:
        """The next bytes of the body. Raises Refusal."""
        ...

    async def answer(self) -> bytes:
        """The JSON of the answer, once the body is whole. Raises Refusal."""
        ...


Starter = Callable[[Plain], Catch | None]
"""What takes a request by its head, None if aiohttp shall."""


class Lane(Guest):
    """A connection. ``_foreign`` bytes of a request that is aiohttp's are still to come."""

    __slots__ = (
        "_all_foreign",
        "_busy",
        "_catch",
        "_foreign",
        "_held",
        "_left",
        "_skipping",
        "_starter",
        "_stopped",
        "_timer",
    )

    def __init__(
        self, manager: web.Server, turnstile: Turnstile, starter: Starter, **settings: Any
    ) -> None:
        """A connection of this server, whose hot requests the starter takes."""
        super().__init__(manager, turnstile, **settings)
        self._starter = starter
        self._all_foreign = False
        self._foreign = 0
        self._catch: Catch | None = None
        self._busy: asyncio.Task[None] | None = None
        self._left = 0
        self._skipping = False
        self._held: list[bytes] = []
        self._stopped = False
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes from the other side."""
        if self._catch is not None:
            self._body(data)
        elif self._busy is not None:
            self._hold(data)
        elif self._all_foreign or self._force_close or self._close or not data:
            super().data_received(data)
        elif self._foreign:
            self._pass_on(data, self._foreign)
        else:
            self._begin(data)

    def _begin(self, data: bytes) -> None:
        head = read(data)
        if head is None:
            self._all_foreign = True
            super().data_received(data)
            return
        catch = self._starter(head) if self._idle() else None
        if catch is None:
            self._pass_on(data, head.body_at + head.size)
            return
        self._request_in_progress = True
        self._next_keepalive_close_time = (
            self._loop.time() + catch.slowest + self._keepalive_timeout
        )
        self._catch, self._left = catch, head.size
        if len(data) - head.body_at < head.size:
            self._timer = self._loop.call_later(catch.slowest, self._too_slow)
        self._body(data[head.body_at :])

    def _idle(self) -> bool:
        """Whether aiohttp waits for a request, or has not begun to."""
        waits = self._waiter is not None or not self._request_count
        return waits and not self._messages and not self._paused

    def _pass_on(self, data: bytes, whole: int) -> None:
        """To aiohttp; of its request so many bytes are to come, these among them."""
        self._foreign = whole - len(data)
        if self._foreign < 0:
            self._all_foreign = True
        super().data_received(data)

    def _hold(self, data: bytes) -> None:
        """The next request came before this one is answered."""
        self._held.append(data)
        if self._much_held() and self.transport is not None:
            self._stopped = True
            self.transport.pause_reading()

    def _much_held(self) -> bool:
        return sum(map(len, self._held)) > HELD_MOST

    def _body(self, data: bytes) -> None:
        catch = self._catch
        assert catch is not None  # noqa: S101  # `data_received` has looked
        if len(data) > self._left:
            self._held.append(data[self._left :])
            data = data[: self._left]
        self._left -= len(data)
        if not self._skipping:
            try:
                if data:
                    catch.piece(data)
            except Exception as error:
                self._refuse(error)
        if not self._left:
            self._whole(catch)

    def _whole(self, catch: Catch) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._catch = None
        if self._skipping:
            self._skipping = False
            self._next()
        else:
            self._busy = self._loop.create_task(self._answer(catch))

    async def _answer(self, catch: Catch) -> None:
        try:
            text = ready.message(await catch.answer())
        except Exception as error:
            text = _told(error)
        self._busy = None
        self._write(text)
        self._next()

    def _refuse(self, error: Exception) -> None:
        """Answer before the body is whole; what still comes of it is dropped."""
        self._skipping = True
        self._write(_told(error))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._loop.call_later(SKIP_S, self.force_close)

    def _too_slow(self) -> None:
        self._timer = None
        slowest = self._catch.slowest if self._catch is not None else 0.0
        self._write(_told(BodyTooSlow(f"The body did not arrive within {slowest:g} s.")))
        self.force_close()

    def _write(self, text: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(text)

    def _next(self) -> None:
        """The request is answered: on with what came behind it."""
        self._in_hand_no_more()
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._held:
            held, self._held = b"".join(self._held), []
            if self.transport is not None:
                self.data_received(held)
        if self._stopped and not self._much_held():
            # Only now: read on at each answer, what is held would grow with every one of them.
            self._stopped = False
            if not self._reading_paused and not self._buffer_paused:
                self._resume_transport_reading()

    def _in_hand_no_more(self) -> None:
        """A server that stops need not wait for this connection."""
        self._request_in_progress = False
        if self._handler_waiter is not None and not self._handler_waiter.done():
            self._handler_waiter.set_result(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The other side is gone; what is under way comes to its end unheard."""
        if self._timer is not None:
            self._timer.cancel()
        if self._catch is not None:  # the rest of its body never comes
            self._in_hand_no_more()
        self._catch, self._timer = None, None
        self._held.clear()
        super().connection_lost(exc)


def _told(error: Exception) -> bytes:
    """What went wrong, as aiohttp would write it."""
    return ready.written(refused(error if isinstance(error, Refusal) else noted("lane", error)))


class Server(web.Server):
    """aiohttp's server, whose connections come through a turnstile, and may have the lane."""

    def __init__(self, inner: web.Server, turnstile: Turnstile, starter: Starter | None) -> None:
        """As ``inner`` is."""
        super().__init__(
            inner.request_handler,
            request_factory=inner.request_factory,
            loop=inner._loop,
            **inner._kwargs,
        )
        self._turnstile = turnstile
        self._starter = starter

    def __call__(self) -> Guest:
        """A new connection."""
        if self._starter is None:
            return Guest(self, self._turnstile, loop=self._loop, **self._kwargs)
        return Lane(self, self._turnstile, self._starter, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's runner of an application, with the turnstile and the lane in front."""

    __slots__ = ("_starter", "_turnstile")

    def __init__(
        self, app: web.Application, turnstile: Turnstile, starter: Starter | None, **settings: Any
    ) -> None:
        """Run an application; hot requests go to the starter first, if there is one."""
        super().__init__(app, **settings)
        self._turnstile = turnstile
        self._starter = starter

    async def _make_server(self) -> Server:
        return Server(await super()._make_server(), self._turnstile, self._starter)
