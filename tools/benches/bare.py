"""The other side of every ratio: aiohttp with a router on uvloop, and nothing of the house."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import sys

import uvloop
from aiohttp import web

BODY_MOST = 64 * 1024 * 1024


async def echo(request: web.Request) -> web.Response:
    """The body again."""
    return web.Response(body=await request.read(), content_type="application/json")


async def discard(request: web.Request) -> web.Response:
    """Read a body piece by piece and drop it."""
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
    return web.Response(body=b'{"size":%d}' % size, content_type="application/json")


async def digest(request: web.Request) -> web.Response:
    """Read a body piece by piece, digest it and drop it."""
    size, sha = 0, hashlib.sha256()
    async for piece in request.content.iter_any():
        size += len(piece)
        sha.update(piece)
    sha.digest()
    return web.Response(body=b'{"size":%d}' % size, content_type="application/json")


async def run() -> None:
    """Answer on a free port until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = web.Application(client_max_size=BODY_MOST)
    app.router.add_post("/echo", echo)
    app.router.add_put("/discard/{interval}", discard)
    app.router.add_put("/digest/{interval}", digest)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    sys.stdout.write(f"bare aiohttp answers at http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(run())
