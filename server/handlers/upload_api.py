"""Bytes in and out: frames from hosts, bundles to them, outputs to people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from server.domain.errors import DigestMismatch
from server.handlers import digests, params
from server.handlers.access import Host
from server.handlers.agent_api import commands_of, state_of
from server.handlers.errors import BodyTooSlow
from server.handlers.mount import said_length
from server.handlers.ranges import send
from server.handlers.routes import BYTES, JOSE, Body, Route
from server.handlers.schema import maker
from server.services import ingest, payloads
from server.services.cards import HostCard
from server.services.deps import Deps
from server.services.ingest import Arrival
from vmagent.wire.messages import FrameReply

SMALL = 32_768  # up to this size a frame is gathered and written once
SLOWEST_S = 120.0  # a frame has to arrive within this time
frame_reply = maker(FrameReply)


@dataclass(frozen=True)
class UploadApi:
    """The handlers of bytes."""

    deps: Deps
    frame_most: int

    async def frame(self, request: web.Request, card: HostCard) -> FrameReply:
        """Take a frame; answered once it is durable, or at once if it is in hand already."""
        stated = digests.demand(request.headers.get(digests.HEADER))
        size = said_length(request, self.frame_most)
        info = request.match_info
        taking = await ingest.admit(
            self.deps, card, int(info["production"]), int(info["first"]), int(info["last"]), size
        )
        arrival = Arrival(self.deps, taking, size)
        if size <= SMALL and request.content.is_eof():
            found = arrival.whole(request.content.read_nowait())
        else:
            found = await self._patiently(request, arrival, size)
        return await self.keep(card, arrival, found, stated)

    async def keep(
        self, card: HostCard, arrival: Arrival, found: bytes, stated: bytes
    ) -> FrameReply:
        """Keep a frame that has come, whose digest was found to be this."""
        if found != stated:
            raise DigestMismatch(stated.hex(), found.hex())
        if arrival.taking.fresh:
            await ingest.keep(self.deps, card, arrival, found)
        return frame_reply(state_of(ingest.view(arrival.taking)), commands_of(card))

    async def _patiently(self, request: web.Request, arrival: Arrival, size: int) -> bytes:
        """The digest of a body that is still coming, unless it takes too long."""
        try:
            async with asyncio.timeout(SLOWEST_S):
                return await self._receive(request, arrival, size)
        except TimeoutError as error:
            raise BodyTooSlow(f"The frame did not arrive within {SLOWEST_S:g} s.") from error

    async def _receive(self, request: web.Request, arrival: Arrival, size: int) -> bytes:
        """Hand the body on as it comes; its digest."""
        content = request.content
        if size <= SMALL:
            body = await content.read(size)
            while len(body) < size and (more := await content.read(size - len(body))):
                body += more
            return arrival.whole(body)
        while piece := await content.readany():
            arrival.piece(piece)
        return arrival.end()

    async def payload(self, request: web.Request, card: HostCard) -> web.StreamResponse:
        """A payload bundle."""
        found = await payloads.find(self.deps, request.match_info["digest"])

        def stream(offset: int, count: int) -> AsyncIterator[bytes]:
            return payloads.stream(self.deps, found, offset, count)

        return await send(request, stream, found.size, found.digest, BYTES)

    async def statement(self, request: web.Request, card: HostCard) -> web.Response:
        """The statement of a payload bundle."""
        found = await payloads.find(self.deps, request.match_info["digest"])
        return web.Response(text=found.statement, content_type=JOSE)

    def routes(self) -> list[Route]:
        """Every route of bytes for hosts."""
        base, digest, number = "/api/v1", r"{digest:[0-9a-f]{64}}", params.ID
        frame = (
            f"{base}/productions/{{production:{number}}}/frames"
            f"/{{first:{number}}}-{{last:{number}}}"
        )
        return [
            Route("PUT", frame, self.frame, Host(),
                  "A frame of finished events; answered once it is durable.",
                  Body.STREAM, reply=FrameReply, most=self.frame_most, slowest=SLOWEST_S,
                  headers=(digests.HEADER,),
                  codes=("bad-frame", "bad-digest-field", "digest-mismatch", "outside-lease",
                         "production-unknown", "production-over", "too-large", "too-many",
                         "disk-full", "agent-banned")),
            Route("GET", f"{base}/payloads/{digest}", self.payload, Host(),
                  "A payload bundle.", media=BYTES, codes=("payload-unknown",)),
            Route("GET", f"{base}/payloads/{digest}/statement", self.statement, Host(),
                  "The signed statement of a bundle.", media=JOSE, codes=("payload-unknown",)),
        ]  # fmt: skip
