"""The agent as one file, with its signed statement, for machines that have none yet."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from server.domain.errors import NotFound
from server.handlers import digests
from server.handlers.access import Public
from server.handlers.routes import BYTES, JOSE, Route

FILE = "windfall-agent.pyz"
STATEMENT = "windfall-agent.jws"


@dataclass(frozen=True)
class AgentFile:
    """Serves the two files of a folder."""

    folder: Path

    async def file(self, request: web.Request) -> web.Response:
        """The agent."""
        body = await self._read(FILE)
        field = digests.make(hashlib.sha256(body).digest())
        return web.Response(body=body, content_type=BYTES, headers={digests.HEADER: field})

    async def statement(self, request: web.Request) -> web.Response:
        """Its statement."""
        return web.Response(body=await self._read(STATEMENT), content_type=JOSE)

    async def _read(self, name: str) -> bytes:
        path = self.folder / name
        try:
            return await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise NotFound("agent-file", name) from None

    def routes(self) -> list[Route]:
        """Both routes, for anybody."""
        return [
            Route("GET", f"/agent/{FILE}", self.file, Public(), "The agent as one file.",
                  media=BYTES, codes=("agent-file-unknown",)),
            Route("GET", "/agent/statement", self.statement, Public(),
                  "The agent's signed statement.", media=JOSE, codes=("agent-file-unknown",)),
        ]  # fmt: skip
