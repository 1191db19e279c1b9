"""A blob back-end around another that tries again what may succeed later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from server.blobs.base import PIECE, BlobFailed, Blobs, Body, Found, Stored

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How often to try, and the longest pause before the second try and before any, in seconds.

    Each pause is drawn evenly between nothing and a bound that doubles each time ("full jitter"):
    many who failed at once should not come back at once.
    """

    tries: int = 6
    first_s: float = 0.2
    longest_s: float = 10.0

    def bound(self, failures: int) -> float:
        """The longest pause after so many failures."""
        return min(self.longest_s, self.first_s * 2.0 ** (failures - 1))


class RetryingBlobs:
    """Tries again after `BlobFailed` with ``retry``; everything else comes through at once.

    A put of an iterator cannot be tried again, one of bytes or of an iterable that starts anew can.
    A stream is tried again until its first piece came: later the blob could be another one.
    """

    def __init__(
        self,
        inner: Blobs,
        patience: Patience | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._inner = inner
        self._patience = patience or Patience()
        self._sleep = sleep
        self._draw = draw

    async def put(self, key: str, data: Body) -> Stored:
        """See `Blobs.put`."""
        if isinstance(data, AsyncIterator):
            return await self._inner.put(key, data)
        return await self._try(lambda: self._inner.put(key, data))

    async def get(self, key: str) -> bytes:
        """See `Blobs.get`."""
        return await self._try(lambda: self._inner.get(key))

    async def read(self, key: str, offset: int, size: int) -> bytes:
        """See `Blobs.read`."""
        return await self._try(lambda: self._inner.read(key, offset, size))

    async def stream(
        self, key: str, offset: int = 0, size: int | None = None, piece: int = PIECE
    ) -> AsyncIterator[bytes]:
        """See `Blobs.stream`."""

        async def begin() -> tuple[bytes, AsyncIterator[bytes]]:
            pieces = self._inner.stream(key, offset, size, piece)
            return await anext(pieces, b""), pieces

        first, rest = await self._try(begin)
        if first:
            yield first
        async for data in rest:
            yield data

    async def stat(self, key: str) -> Found:
        """See `Blobs.stat`."""
        return await self._try(lambda: self._inner.stat(key))

    async def delete(self, key: str) -> None:
        """See `Blobs.delete`."""
        await self._try(lambda: self._inner.delete(key))

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        """See `Blobs.list`."""
        given: set[str] = set()
        failures = 0
        while True:
            try:
                async for key in self._inner.list(prefix):
                    if key not in given:
                        given.add(key)
                        yield key
            except BlobFailed as failed:
                failures += 1
                await self._pause(failed, failures)
            else:
                return

    async def sweep(self, older_s: float) -> int:
        """See `Blobs.sweep`."""
        return await self._try(lambda: self._inner.sweep(older_s))

    async def close(self) -> None:
        """See `Blobs.close`."""
        await self._inner.close()

    async def _try(self, call: Callable[[], Awaitable[T]]) -> T:
        failures = 0
        while True:
            try:
                return await call()
            except BlobFailed as failed:
                failures += 1
                await self._pause(failed, failures)

    async def _pause(self, failed: BlobFailed, failures: int) -> None:
        if not failed.retry or failures >= self._patience.tries:
            raise failed
        await self._sleep(self._draw(0.0, self._patience.bound(failures)))
