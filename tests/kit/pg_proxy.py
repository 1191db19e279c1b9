"""Stands between a program and PostgreSQL, and cuts the line at a chosen moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import Enum
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"


class Cut(Enum):
    """When the line is cut."""

    NEVER = "never"
    BEFORE_COMMIT = "COMMIT never reaches the server"
    AFTER_COMMIT = "COMMIT is carried out, and its answer never comes back"


class Proxy:
    """Carries bytes both ways; after one cut it works as before."""

    def __init__(self, server: Path, folder: Path) -> None:
        """The folder of the server's socket, and the one for its own."""
        self.cut = Cut.NEVER
        self.spared = 0  # so many commits go through before the one that is cut
        self.cuts = 0
        self._server = server / _SOCKET
        self._own = folder / _SOCKET
        self._mute = False
        self._lines: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen for as long as the context lasts."""
        listening = await asyncio.start_unix_server(self._serve, self._own)
        try:
            yield
        finally:
            listening.close()
            for line in self._lines:
                line.cancel()
            await asyncio.gather(*self._lines, return_exceptions=True)
            await listening.wait_closed()

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_unix_connection(self._server)
        up = asyncio.create_task(self._up(near, forth))
        down = asyncio.create_task(self._down(far, back, up))
        self._lines |= {up, down}
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        if not down.done() and self._mute:
            # The server ends a session whose client is gone once it has carried out what was sent.
            forth.write_eof()
            await down
            self._mute = False
        forth.close()
        back.close()
        for task in (up, down):
            task.cancel()

    async def _up(self, near: asyncio.StreamReader, forth: asyncio.StreamWriter) -> None:
        while data := await near.read(65536):
            commit = b"COMMIT\0" in data and self.cut is not Cut.NEVER
            if commit and self.spared:
                self.spared -= 1
            elif commit:
                when, self.cut = self.cut, Cut.NEVER
                self.cuts += 1
                if when is Cut.BEFORE_COMMIT:
                    return
                self._mute = True
                forth.write(data)
                return
            forth.write(data)

    async def _down(
        self, far: asyncio.StreamReader, back: asyncio.StreamWriter, up: asyncio.Task[None]
    ) -> None:
        while data := await far.read(65536):
            if not (self._mute and up.done()):
                back.write(data)
