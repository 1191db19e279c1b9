"""A real server as its users start it, with a production and many hosts that it believes."""

from __future__ import annotations

import asyncio
import hashlib
import io
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from server.domain import definition as definitions
from tools.benches.process import Served
from vmagent.wire import codec, jws, statements
from vmagent.wire import messages as m

AT_ONCE = 16  # enrolments under way
SLOTS = 4096  # of each host, so that none is refused more leases while a bench runs

DEFINITION = """
[production]
name = "bench"
events = {events}
unit = {unit}
seed = 1
format = "raw"
[payload]
name = "nothing"
version = "1"
command = ["{{python}}", "payload.py"]
reference = 0
block = {block}
[policy]
quorum = {quorum}
lease_s = 86400.0
"""


class SetUpFailed(RuntimeError):
    """The server refused what a bench needs."""


@dataclass(frozen=True)
class Paired:
    """A host that the server believes."""

    host: int
    token: str


@dataclass(eq=False)
class Pool:
    """A server in a folder; ``hosts`` are those that were paired with it."""

    folder: Path
    served: Served | None = None
    hosts: list[Paired] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """The server's data folder."""
        return self.folder / "data"

    @property
    def release(self) -> Path:
        """The release key."""
        return self.folder / "release.key"

    @property
    def running(self) -> Served:
        """The process; `SetUpFailed` if it is not up."""
        if self.served is None:
            raise SetUpFailed("the server is not up")
        return self.served

    def init(self) -> None:
        """Keys and folders, as ``windfall init`` makes them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "server", "init", "--data", str(self.data)]
        command += ["--release-key", str(self.release)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SetUpFailed(done.stderr)

    def start(self) -> None:
        """Start ``windfall serve``: every default but the address and how often a host may ask."""
        command = [sys.executable, "-m", "server", "serve", "--data", str(self.data)]
        command += ["--port", "0"]
        for often in ("work", "beats", "polls", "joins"):
            command += ["--set", f"limits.{often}_per_minute=1000000"]
        command += ["--set", "log.level=warning"]
        self.served = Served("windfall serve", command)

    def stop(self) -> None:
        """Stop it; its data stay."""
        if self.served is not None:
            self.served.stop()
            self.served = None


class Admin:
    """Calls with the administrator's token."""

    def __init__(self, pool: Pool, session: aiohttp.ClientSession) -> None:
        self._base = f"{pool.running.url}/api/v1"
        self._session = session
        self._token = (pool.data / "admin.token").read_text(encoding="ascii").strip()
        self._key = private_key(pool.release)

    async def call(
        self, method: str, path: str, body: bytes | None = None, token: str = "", **more: str
    ) -> dict[str, Any]:
        """One request. `SetUpFailed` if it is refused."""
        headers = {"Authorization": f"Bearer {token or self._token}"} | more
        async with self._session.request(
            method, self._base + path, data=body, headers=headers
        ) as reply:
            if reply.status >= 300:
                raise SetUpFailed(f"{method} {path}: {reply.status} {await reply.text()}")
            return dict(await reply.json()) if reply.status != 204 else {}

    async def produce(self, events: int, unit: int, block: int, quorum: int) -> int:
        """A production; its id."""
        text = DEFINITION.format(events=events, unit=unit, block=block, quorum=quorum)
        return int((await offer(self.call, self._key, text, b"pass\n"))["id"])

    async def leased(self) -> int:
        """How many tasks are leased now."""
        return int((await self.call("GET", "/status"))["leased_tasks"])

    async def pair(self, accounts: int, hosts: int) -> list[Paired]:
        """So many hosts, evenly over so many accounts."""
        tokens = [
            await self._account(f"volunteer-{n}", -(-hosts // accounts)) for n in range(accounts)
        ]
        gate = asyncio.Semaphore(AT_ONCE)

        async def join(number: int) -> Paired:
            message = m.EnrolRequest(
                uuid.uuid4().hex, tokens[number % accounts], f"host-{number}",
                m.HostFacts(SLOTS, 8000, 100_000, "x86_64"),
            )  # fmt: skip
            async with gate:
                found = await self.call("POST", "/hosts", codec.encode(message))
            return Paired(found["host"], found["token"])

        return list(await asyncio.gather(*(join(number) for number in range(hosts))))

    async def _account(self, name: str, hosts: int) -> str:
        await self.call("POST", "/accounts", codec.encode({"name": name}))
        asked = codec.encode({"kind": "enrol", "uses": hosts})
        return str((await self.call("POST", f"/accounts/{name}/tokens", asked))["token"])

    async def ask(self, host: Paired, most: int) -> list[m.Lease]:
        """Leases of a host."""
        message = m.AskRequest(uuid.uuid4().hex, SLOTS, 8000, 100_000, most_leases=most)
        found = await self.call("POST", "/work", codec.encode(message), host.token)
        reply = codec.build(found, m.AskReply)
        return [codec.decode(text, m.Lease) for text in reply.leases]


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key in a PEM file. `SetUpFailed` if it is no Ed25519 key."""
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise SetUpFailed(f"{path} is not an Ed25519 key")
    return key


async def offer(
    call: Callable[..., Awaitable[Any]], key: Ed25519PrivateKey, text: str, script: bytes
) -> Any:
    """Make a production of a definition, whose payload is this one script; what is answered."""
    definition, body = definitions.parse(text), _bundle(script)
    digest = hashlib.sha256(body).hexdigest()
    said = statements.PayloadStatement(definition.payload.name, "1", digest, len(body))
    statement = jws.sign(statements.PAYLOAD, codec.plain(said), key)
    await call("PUT", f"/payloads/{digest}", body, **{"Windfall-Statement": statement})
    manifest = jws.sign(statements.MANIFEST, definition.manifest(digest, 1.0), key)
    return await call(
        "POST", "/productions", codec.encode({"definition": text, "manifest": manifest})
    )


def _bundle(body: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        member = tarfile.TarInfo("payload.py")
        member.size = len(body)
        tar.addfile(member, io.BytesIO(body))
    return out.getvalue()


def write_lines(path: Path, lines: Sequence[str]) -> str:
    """Lines for a script of the load generator; the file's name."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    return str(path)
