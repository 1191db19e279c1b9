"""Group commit: writes that arrive while a commit is on the disk share the next one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from server.db.aside import tell
from server.db.base import Tx
from server.db.errors import NestedWrite, OperationCancelled, StoreClosed, StoreLost
from server.db.transaction import Session, SharedTx

T = TypeVar("T")
_Op = Callable[[Tx], Awaitable[Any]]
_Entry = tuple[_Op, "asyncio.Future[Any]"]

# A batch of operations that only collect rows holds the event loop for about 2 microseconds each.
MOST = 1024

_log = logging.getLogger(__name__)


class Writer(Session, Protocol):
    """The one connection that writes."""

    async def begin(self) -> None:
        """Start a transaction; if it cannot, no operation is to blame."""
        ...

    async def commit(self) -> None:
        """Make it durable, beside the loop.

        After any error it is certain that nothing was committed; `StoreLost` alone leaves that
        open.
        """
        ...

    async def rollback(self) -> None:
        """Undo what was done since `begin`; never raises."""
        ...

    async def rest(self) -> None:
        """Do what can only be done between two transactions; never raises."""
        ...


@dataclass
class Counts:
    """What was done so far: exact on any machine, so tests and metrics can rely on it."""

    operations: int = 0
    commits: int = 0
    rollbacks: int = 0


class GroupCommit:
    """Runs operations on one writer, batch after batch, and answers when they are durable."""

    def __init__(self, writer: Writer) -> None:
        """Start; a loop must be running."""
        self.counts = Counts()
        self.lead: _Op | None = None
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Entry] = []
        self._wake: asyncio.Future[None] | None = None
        self._closed = False
        self._attempting = False
        self._task = self._loop.create_task(self._run(), name="group commit")

    async def write(self, op: Callable[[Tx], Awaitable[T]]) -> T:
        """Run an operation with others, and return what it returned once it is durable.

        If the caller is cancelled, the operation may or may not have happened.
        """
        if self._closed:
            raise StoreClosed
        if self._attempting and asyncio.current_task() is self._task:
            raise NestedWrite
        answer = self._loop.create_future()
        self._waiting.append((op, answer))
        self._rouse()
        return cast(T, await answer)

    async def close(self) -> None:
        """Take no more, and return when all that was taken is answered."""
        self._closed = True
        self._rouse()
        await asyncio.wait([self._task])

    def _rouse(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            wake.set_result(None)

    async def _run(self) -> None:
        entries: list[_Entry] = []
        try:
            while self._waiting or not self._closed:
                if not self._waiting:
                    self._wake = self._loop.create_future()
                    await self._wake
                    continue
                entries, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                try:
                    await self._settle(entries)
                    await self._writer.rest()
                except Exception as error:
                    # A fault of this program, but those who come later must not suffer from it.
                    _log.exception("a batch broke", extra={"action": "batch"})
                    _fail(entries, error)
        finally:
            # Reached early only if the loop is torn down: nobody shall wait for what never comes.
            self._closed = True
            self._wake = None
            _fail([*entries, *self._waiting], StoreClosed())

    async def _settle(self, entries: list[_Entry]) -> None:
        """Answer every operation; one whose fault shows only in the whole is found by halving."""
        entries = [entry for entry in entries if not entry[1].done()]
        if not entries:
            return
        try:
            await self._writer.begin()
        except Exception as error:
            _fail(entries, error)
            return
        try:
            outcomes = await self._attempt(entries)
        except StoreLost as error:
            _fail(entries, error)
        except Exception as error:
            if len(entries) == 1:
                _fail(entries, error)
                return
            _log.info(
                "a batch is run again in halves",
                extra={"action": "halve", "operations": len(entries), "error": repr(error)},
            )
            middle = len(entries) // 2
            await self._settle(entries[:middle])
            await self._settle(entries[middle:])
        else:
            self.counts.operations += len(entries)
            for (_, answer), (value, failure) in zip(entries, outcomes, strict=True):
                tell(answer, value, failure)

    async def _attempt(self, entries: list[_Entry]) -> list[tuple[Any, Exception | None]]:
        """What each operation returned or raised, committed; an error if all was rolled back.

        Failures are told only after the commit: they may rest on what another operation of the
        batch wrote, and that is not certain before.
        """
        tx = SharedTx(self._writer)
        outcomes: list[tuple[Any, Exception | None]] = []
        self._attempting = True
        try:
            if self.lead is not None:
                await self.lead(tx)
            for op, _ in entries:
                tx.start()
                try:
                    outcomes.append((await op(tx), None))
                except asyncio.CancelledError as error:
                    if self._task.cancelling():
                        raise
                    failure = OperationCancelled()
                    if not tx.drop():
                        raise failure from error
                    outcomes.append((None, failure))
                except Exception as error:
                    if not tx.drop():
                        raise
                    outcomes.append((None, error))
                if tx.spoilt is not None:
                    raise tx.spoilt
            self._attempting = False
            await tx.flush()
            await self._writer.commit()
        except BaseException:
            self._attempting = False
            self.counts.rollbacks += 1
            await self._writer.rollback()
            tx.end(committed=False)
            raise
        self.counts.commits += 1
        tx.end(committed=True)
        return outcomes


def _fail(entries: list[_Entry], error: Exception) -> None:
    for _, answer in entries:
        tell(answer, None, error)
