"""A thread that does one thing after another, for calls that wait for the disk."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Aside:
    """One long-lived thread. An executor would cost two futures and a lock more at each call."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        """Start the thread; answers are given in this loop."""
        self._loop = loop
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # Nothing that is not yet answered is promised to anybody, so the program may end meanwhile.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def call(self, job: Callable[[], T]) -> asyncio.Future[T]:
        """Do this in the thread, after all that was asked before."""
        answer: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((job, answer))
        return answer

    async def close(self) -> None:
        """Let the thread finish what it was asked, and end it."""
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _work(self) -> None:
        while (asked := self._jobs.get()) is not None:
            job, answer = asked
            value, error = None, None
            try:
                value = job()
            except BaseException as caught:
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop was closed while this was done
                self._loop.call_soon_threadsafe(tell, answer, value, error)


def tell(answer: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    """Give a value to who waits for it, or what went wrong instead."""
    if answer.done():  # who asked has gone away
        return
    if error is None:
        answer.set_result(value)
    else:
        answer.set_exception(error)
