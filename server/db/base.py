"""What the use cases know of a database: one transaction, and a store that commits in groups."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]


def dollars(count: int) -> str:
    """The parameters ``$1, $2 ...`` of a list of so many values; ``NULL`` of none."""
    return ", ".join(f"${number}" for number in range(1, count + 1)) or "NULL"


class Tx(Protocol):
    """One transaction. SQL has ``$1`` parameters; values are int, float, str, bytes or None."""

    async def all(self, sql: str, *args: Any) -> list[Row]:
        """Every row of a query."""
        ...

    async def one(self, sql: str, *args: Any) -> Row | None:
        """The first row of a query, or None."""
        ...

    async def run(self, sql: str, *args: Any) -> int:
        """Run a statement now; how many rows it changed."""
        ...

    async def many(self, sql: str, rows: Iterable[Row]) -> None:
        """Run a statement now for each of these rows."""
        ...

    def later(self, sql: str, row: Row) -> None:
        """Run a statement with this row before the commit, together with its like.

        Rows of one statement keep their order; different statements run in the order in which each
        was first used. Everything collected is sent before the next read or run of the batch.
        """
        ...

    def on_abort(self, callback: Callable[[], None]) -> None:
        """Call this if what was done here is rolled back after all."""
        ...


class Store(Protocol):
    """A database: reads of one snapshot, and writes that share their flush to the disk."""

    @property
    def taken(self) -> asyncio.Event:
        """Set when another server has had the database: then this one has to end."""
        ...

    async def write(self, op: Callable[[Tx], Awaitable[T]]) -> T:
        """Run ``op`` in a transaction shared with others; return once it is durable.

        If ``op`` raises, nothing that it did remains and the others are not touched. It may be run
        again from the start if another of its batch failed, so it changes nothing but the database
        and what it undoes with `Tx.on_abort`.
        """
        ...

    def lead(self, op: Callable[[Tx], Awaitable[None]]) -> None:
        """Let every batch of writes begin with this operation, which must not fail."""
        ...

    async def read(self, op: Callable[[Tx], Awaitable[T]]) -> T:
        """Run ``op``, which only reads, on a consistent snapshot of what is committed."""
        ...

    async def close(self) -> None:
        """Finish what is under way, and let go of the database."""
        ...
