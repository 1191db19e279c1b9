"""Routes really served on a loopback port, for tests that speak HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from server.domain.errors import TokenRevoked, TokenUnknown
from server.domain.roles import Caller
from server.handlers.access import Bearer
from server.handlers.mount import RUNNER, mount
from server.handlers.routes import Route


@dataclass(frozen=True)
class SomeCaller:
    """An account behind an API token."""

    account: int
    name: str
    role: str
    scopes: str = "*"


class SomeGate:
    """Knows the host token ``host`` and API tokens named like the roles of their accounts."""

    def host(self, token: str) -> object:
        """The word ``card``, if this is the token."""
        if token == "revoked":
            raise TokenRevoked()
        if token != "host":
            raise TokenUnknown()
        return "card"

    async def caller(self, token: str) -> Bearer:
        """An account of this role, if it is one."""
        if token not in ("volunteer", "manager", "admin", "emperor"):
            raise TokenUnknown()
        return SomeCaller(1, "anna", token)

    async def person(self, session: str, address: str, agent: str) -> Caller | None:
        """Anna, if the secret is her role often enough to be one: `session_of` makes it."""
        role = session.rpartition("-")[2]
        return SomeCaller(1, "anna", role) if session == session_of(role) else None


def session_of(role: str) -> str:
    """The secret of Anna's session if she has this role."""
    return f"wfs-session-of-somebody-who-is-{role}"


@asynccontextmanager
async def serving(app: web.Application, **settings: Any) -> AsyncIterator[tuple[str, int]]:
    """Serve an application; its host and port."""
    runner = web.AppRunner(app, access_log=None, **{**RUNNER, **settings})
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield str(host), int(port)
    finally:
        await runner.cleanup()


def application(routes: Sequence[Route]) -> web.Application:
    """An application of these routes behind `SomeGate`."""
    app = web.Application()
    mount(app, routes, SomeGate())
    return app


async def raw(place: tuple[str, int], *pieces: bytes, seconds: float = 90.0) -> bytes:
    """Send these bytes, and read until the other side closes."""
    reader, writer = await asyncio.open_connection(*place)
    try:
        async with asyncio.timeout(seconds):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
    finally:
        writer.close()


async def until(true: Callable[[], bool], seconds: float = 90.0) -> None:
    """Wait for something that nobody announces; TimeoutError if it does not come about."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # there is no event to wait for from outside
            await asyncio.sleep(0.005)


async def deaf(place: tuple[str, int], request: bytes) -> socket.socket:
    """A connection that sends this and never reads an answer; its window is as small as it gets."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(found, place)
    await loop.sock_sendall(found, request)
    return found
