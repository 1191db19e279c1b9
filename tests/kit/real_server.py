"""A server as a process of its own, which is really killed, and a client that outlives it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from server.cli.start import set_up
from server.configure import read
from server.settings import Settings
from tests.kit.house import Answer, House

ROOT = Path(__file__).resolve().parents[2]


@dataclass(eq=False)
class RealServer:
    """`python -m server serve` on a folder."""

    folder: Path
    port: int
    options: dict[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return read(
            {"server.data": str(self.folder / "data"), "server.port": str(self.port)} | self.options
        )

    @property
    def command(self) -> list[str]:
        """What starts it."""
        sets = [part for key, value in self.options.items() for part in ("--set", f"{key}={value}")]
        folder = str(self.folder / "data")
        serve = [sys.executable, "-m", "server", "serve", "--data", folder]
        return [*serve, "--port", str(self.port), *sets]

    def prepare(self) -> None:
        """Make its keys, if it has none."""
        set_up(self.settings, self.folder / "release.key")

    async def start(self) -> asyncio.subprocess.Process:
        """Start it, and wait until it answers or has ended."""
        self.prepare()
        environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                cwd=ROOT,
                env=environ,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        await self.process.stdout.readline()
        return self.process

    async def kill(self) -> None:
        """End it at once, whatever it does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        """End it as an operator does; its exit status."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
        return await self.process.wait()


@dataclass(eq=False)
class FarHouse(House):
    """The client side of a server in another process; asks again while nobody answers."""

    server: RealServer | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.port}"

    async def answer(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request, sent again until it is answered, as an agent does."""
        async with asyncio.timeout(60):
            while True:
                try:
                    found = await super().answer(method, path, body, token, headers)
                except (aiohttp.ClientError, ConnectionError):
                    await asyncio.sleep(0.02)
                    continue
                if found.status != 503:
                    return found
                await asyncio.sleep(0.02)


def far_house(server: RealServer, session: aiohttp.ClientSession) -> FarHouse:
    """The client side of a server that has started once."""
    settings = server.settings
    admin = settings.admin_token.read_text().strip()
    nobody: Any = None
    return FarHouse(settings, nobody, session, server.folder / "release.key", admin, server)
