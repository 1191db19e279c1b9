"""Operations on the table of the suite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from server.db.base import Store, Tx

INSERT = "INSERT INTO notes (number, text) VALUES ($1, $2)"


class Refused(Exception):
    """What a use case raises when it finds that it may not."""


def note(text: str, number: int = 0) -> Callable[[Tx], Awaitable[str]]:
    """An operation that writes a note behind, and returns its text."""

    async def op(tx: Tx) -> str:
        tx.later(INSERT, (number, text))
        return text

    return op


def note_now(text: str, number: int = 0) -> Callable[[Tx], Awaitable[int]]:
    """An operation that writes a note at once, and returns how many rows that changed."""
    return lambda tx: tx.run(INSERT, number, text)


async def texts(tx: Tx) -> list[str]:
    """All texts in the order in which they were written."""
    return [row[0] for row in await tx.all("SELECT text FROM notes ORDER BY id")]


async def kept(store: Store) -> list[str]:
    """All texts that are committed."""
    return await store.read(texts)
