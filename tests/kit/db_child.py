"""A program that writes notes until it is killed, and says each one that it was told is durable.

usage: python -m tests.kit.db_child URL
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys

from server.db.base import Tx
from server.db.choose import connect

WRITERS = 8


def say(word: str) -> None:
    """One line, out of this process when the call returns."""
    os.write(1, f"{word}\n".encode())


async def main(url: str) -> None:
    """Write from several sides at once; every line says one number, after its commit."""
    store = await connect(url)
    numbers = itertools.count(1)

    def note(number: int) -> object:
        async def op(tx: Tx) -> None:
            tx.later("INSERT INTO notes (number, text) VALUES ($1, $2)", (number, str(number)))

        return op

    async def write() -> None:
        for number in numbers:
            await store.write(note(number))  # type: ignore[arg-type]
            say(str(number))

    say("ready")
    await asyncio.gather(*(write() for _ in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
