"""The files that BOINC's statistics sites fetch, and whether one is seen in them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from server.domain.roles import Caller
from server.handlers.access import Public, Role
from server.handlers.errors import NothingHere
from server.handlers.routes import BYTES, Body, Route
from server.services import boincstats
from server.services.boincstats import ExportWord
from server.services.deps import Deps
from vmagent.wire.messages import bound

XML, GZIP = "text/xml", "application/gzip"
KEEP_S = 600  # a proxy may answer from what it has


@dataclass(frozen=True)
class ExportRequest:
    """Whether one agrees; ``cross_id`` is the id of another project, empty to keep one's own."""

    agreed: bool
    cross_id: str = field(default="", metadata=bound(most=32))


@dataclass(frozen=True)
class StatsFiles:
    """The handlers."""

    deps: Deps

    async def send(self, request: web.Request) -> web.StreamResponse:
        """One of the files, from the disk: however many fetch them slowly, none is in memory."""
        name, folder = request.match_info["file"], self.deps.exports.folder
        # What was written before they were switched off may name people who agree no more.
        if name not in boincstats.FILES or folder is None or self.deps.exports.every_s <= 0:
            raise NothingHere()
        file = folder / name
        if not await asyncio.to_thread(file.is_file):
            raise NothingHere()
        headers = {
            "Content-Type": XML if name.endswith(".xml") else GZIP,
            "Cache-Control": f"public, max-age={KEEP_S}",
            "X-Content-Type-Options": "nosniff",
        }
        return web.FileResponse(file, headers=headers)

    async def word(self, request: web.Request, caller: Caller) -> ExportWord:
        """Whether one is seen."""
        return await boincstats.word(self.deps, caller.account)

    async def say(self, request: web.Request, caller: Caller, message: ExportRequest) -> ExportWord:
        """Agree, or not any more."""
        return await boincstats.say(
            self.deps, caller.account, caller.name, agreed=message.agreed,
            cross_id=message.cross_id,
        )  # fmt: skip

    def routes(self) -> list[Route]:
        """Every route."""
        me, role = "/api/v1/me/export", Role("volunteer")
        return [
            Route("GET", "/stats/{file:[a-z_]+\\.(?:xml|gz)}", self.send, Public(),
                  "A file for BOINC's statistics sites.", media=BYTES, codes=("not-found",)),
            Route("GET", me, self.word, role, "Whether statistics sites see one.",
                  reply=ExportWord),
            Route("PUT", me, self.say, role, "Let statistics sites see one, or not any more.",
                  Body.JSON, ExportRequest, ExportWord, codes=("bad-input",)),
        ]  # fmt: skip
