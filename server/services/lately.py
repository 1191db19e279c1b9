"""What was made for somebody who asked is shown to all who ask the same within a while.

Whatever strangers may ask for often is made by this: one thing at a time, so that however many ask,
they take one reader of the database and leave the others to everybody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

from server.domain.latest import Latest

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lately(Generic[K, V]):
    """Values by what was asked for, each shown for ``lasts`` seconds, at most ``most`` of them."""

    def __init__(
        self,
        lasts: float | Callable[[V], float],
        most: int = 1,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Nothing yet; what lasts for a time of its own is asked for it."""
        self._lasts = lasts
        self._clock = clock
        self._kept: Latest[K, tuple[float, V]] = Latest(most)
        self._lock = asyncio.Lock()

    async def of(self, key: K, make: Callable[[], Awaitable[V]]) -> V:
        """What was asked for; made only if it was not lately, and by one who asks for all."""
        found = self._fresh(key)
        if found is not None:
            return found[1]
        async with self._lock:
            found = self._fresh(key)
            if found is None:
                found = self._clock(), await make()
                self._kept[key] = found
            return found[1]

    def _fresh(self, key: K) -> tuple[float, V] | None:
        found = self._kept.get(key)
        if found is None:
            return None
        lasts = self._lasts(found[1]) if callable(self._lasts) else self._lasts
        return found if 0 <= self._clock() - found[0] < lasts else None
