"""Where a fleet works: a server of its own on a temporary folder, or one that is there already."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tools.benches.pool import offer, private_key
from tools.benches.process import Served
from vmagent.wire import codec

SITE, OTHER = "fleet-farm", "fleet-desk"
USES = 1000  # hosts of one token, as settings have it at first

DEFINITION = """
[production]
name = "{name}"
events = {events}
unit = {unit}
seed = {seed}
format = "raw"
[payload]
name = "{name}"
version = "1"
command = ["{{python}}", "payload.py"]
reference = 0
[policy]
quorum = 1
"""


class GroundTrouble(RuntimeError):
    """The server could not be started, or refused what a fleet needs."""


@dataclass(eq=False)
class Ground:
    """A server, and the calls of its administrator. ``pid`` is None if it is not our process."""

    url: str
    token: str
    key: Ed25519PrivateKey
    session: aiohttp.ClientSession
    pid: int | None = None

    @property
    def base(self) -> str:
        """Where its routes begin."""
        return f"{self.url}/api/v1"

    async def call(self, method: str, path: str, body: bytes | None = None, **more: str) -> Any:
        """One request. Raises GroundTrouble if it is refused."""
        headers = {"Authorization": f"Bearer {self.token}", **more}
        async with self.session.request(
            method, self.base + path, data=body, headers=headers
        ) as reply:
            if reply.status >= 300:
                raise GroundTrouble(f"{method} {path}: {reply.status} {await reply.text()}")
            return await reply.json() if reply.status != 204 else None

    async def produce(self, name: str, events: int, unit: int, seed: int) -> None:
        """A production of this many trivial events, signed as every other."""
        text = DEFINITION.format(name=name, events=events, unit=unit, seed=seed)
        await offer(self.call, self.key, text, b"raise SystemExit('simulated by tools/fleet')\n")

    async def tokens(self, account: str, hosts: int, site: str) -> list[str]:
        """Enrolment tokens for so many hosts of a site."""
        made = []
        for first in range(0, hosts, USES):
            body = {"kind": "enrol", "uses": min(USES, hosts - first), "site": site}
            path = f"/accounts/{account}/tokens"
            made.append(str((await self.call("POST", path, codec.encode(body)))["token"]))
        return made

    async def switch(self, mode: str, how: str, grace_s: float) -> Any:
        """Switch the fleet's site."""
        body = codec.encode({"mode": mode, "how": how, "grace_s": grace_s, "reason": "tools/fleet"})
        return await self.call("PUT", f"/sites/{SITE}/mode", body)

    async def output(self, name: str) -> AsyncIterator[bytes]:
        """The merged output, packed as it is stored."""
        headers = {"Authorization": f"Bearer {self.token}"}
        path = f"{self.base}/productions/{name}/output"
        async with self.session.get(path, headers=headers) as reply:
            if reply.status != 200:
                raise GroundTrouble(f"{path}: {reply.status} {await reply.text()}")
            async for piece in reply.content.iter_chunked(1 << 18):
                yield piece


@asynccontextmanager
async def own(folder: Path, session: aiohttp.ClientSession) -> AsyncIterator[Ground]:
    """A server on a folder of its own, for as long as the block lasts."""
    data, release = folder / "data", folder / "release.key"
    command = [sys.executable, "-m", "server"]
    init = [*command, "init", "--data", str(data), "--release-key", str(release)]
    done = await asyncio.to_thread(subprocess.run, init, capture_output=True, text=True)
    if done.returncode:
        raise GroundTrouble(done.stderr)
    serve = [*command, "serve", "--data", str(data), "--port", "0", "--set", "log.level=warning"]
    serve += ["--set", "limits.joins_per_minute=1000000"]  # they all join from one address
    served = await asyncio.to_thread(Served, "windfall serve", serve, pin=False)
    try:
        token = (data / "admin.token").read_text(encoding="ascii").strip()
        yield Ground(served.url, token, private_key(release), session, served.pid)
    finally:
        told = served.errors()
        await asyncio.to_thread(served.stop)
        if told.strip():
            sys.stderr.write(f"the server wrote:\n{told[-4000:]}\n")


async def imagine(folder: Path, hosts: int, days: int, seed: int) -> str:
    """Fill the database of a new server with made-up history; what was made up."""
    async with aiohttp.ClientSession() as session, own(folder, session):
        pass  # its first start makes keys, database and administrator
    command = [sys.executable, "-m", "server", "db", "imagine", "--data", str(folder / "data")]
    command += ["--hosts", str(hosts), "--days", str(days), "--seed", str(seed)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    if done.returncode:
        raise GroundTrouble(done.stderr.removeprefix("Error: ").strip())
    return done.stdout.strip()
