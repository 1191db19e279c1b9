"""A whole server in this process on a free port, and hosts that speak the wire by hand."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import json
import tarfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from server import keyring, wiring
from server.cli.start import set_up
from server.configure import read
from server.db.base import Tx
from server.domain import definition as definitions
from server.settings import Settings
from vmagent.wire import codec, frames, jws, merkle, statements
from vmagent.wire import messages as m

Make = Callable[[int], bytes]

DEFINITION = """
[production]
name = "{name}"
events = {events}
unit = {unit}
seed = 7
format = "lines"
[payload]
name = "toy"
version = "1"
command = ["{{python}}", "payload.py"]
reference = {reference}
block = {block}
[limits]
event_bytes = 100000
[policy]
quorum = {quorum}
lease_s = {lease_s}
most_copies = {most_copies}
most_errors = {most_errors}
"""


def honest(event: int) -> bytes:
    """What every honest host makes of an event."""
    return f"event {event} of seed 7\n".encode()


def bundle(body: bytes = b"print('toy')\n") -> bytes:
    """A payload bundle with one small file."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        info = tarfile.TarInfo("payload.py")
        info.size = len(body)
        tar.addfile(info, io.BytesIO(body))
    return out.getvalue()


def frame(first: int, last: int, make: Make = honest) -> bytes:
    """A frame of these events, one record each."""
    return frames.encode(first, last, [make(event) for event in range(first, last)])


def content_digest(body: bytes) -> str:
    """The Content-Digest of a body."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def frame_path(production: int, first: int, last: int) -> str:
    """Where a frame of these events is sent to."""
    return f"/api/v1/productions/{production}/frames/{first}-{last}"


async def nothing(tx: Tx) -> None:
    """A transaction for its beginning alone: rows that wait are written."""


@dataclass(frozen=True)
class Answer:
    """An answer with its headers; ``body`` is JSON if it says so, else bytes."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The word for programs of a problem."""
        return str(self.body["code"])


@dataclass(eq=False)
class Hand:
    """A host that does what a test tells it."""

    house: House
    name: str
    id: int = 0
    token: str = ""
    classes: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request with the host's token."""
        raw = None if body is None else codec.encode(body)
        return await self.house.call(method, path, raw, self.token)

    async def ask(
        self, most: int = 1, ask: str | None = None, slots: int = 1, left: float | None = None
    ) -> m.AskReply:
        """Ask for leases, with so many seconds left; the proof is checked."""
        message = m.AskRequest(ask or uuid.uuid4().hex, slots, 8000, 8000, left, self.classes, most)
        status, found = await self.call("POST", "/api/v1/work", message)
        assert status == 200, found
        reply = codec.build(found, m.AskReply)
        if reply.leases:
            self.house.check_proof(reply)
        return reply

    async def leases(self, most: int = 1) -> list[m.Lease]:
        """Leases, after the probe that the server may want first."""
        reply = await self.ask(most)
        for manifest in reply.probes:
            self.classes[manifest] = "c" * 64
            status, found = await self.call(
                "POST", "/api/v1/classes", m.ClassReport(manifest, "c" * 64, 0.001)
            )
            assert status == 204, found
        if reply.probes:
            reply = await self.ask(most)
        return [codec.decode(text, m.Lease) for text in reply.leases]

    async def send(
        self, lease: m.Lease, first: int, last: int, make: Make = honest, **changes: Any
    ) -> tuple[int, Any]:
        """Send a frame of these events."""
        body = changes.get("body") or frame(first, last, make)
        path = frame_path(changes.get("production") or lease.production, first, last)
        headers = {"Content-Digest": changes.get("digest") or content_digest(body)}
        return await self.house.call("PUT", path, body, self.token, headers)

    async def report(
        self, lease: m.Lease, outcome: str = "delivered", **more: Any
    ) -> tuple[int, Any]:
        """Report the end of a task."""
        message = m.ReportRequest(outcome, **more)
        return await self.call("POST", f"/api/v1/tasks/{lease.task}/report", message)

    async def work(self, lease: m.Lease, make: Make = honest, step: int = 50) -> None:
        """Compute a whole lease, frame by frame, and report it."""
        for first in range(lease.first, lease.last, step):
            status, found = await self.send(lease, first, min(lease.last, first + step), make)
            assert status == 200, found
        status, found = await self.report(lease)
        assert status == 200, found


@dataclass(eq=False)
class House:
    """A server, its keys, and a client of its administrator."""

    settings: Settings
    running: wiring.Running
    session: aiohttp.ClientSession
    release: Path
    admin: str

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.running.url

    @property
    def port(self) -> int:
        """Its port on the loopback address."""
        return int(self.url.rsplit(":", 1)[1])

    @property
    def deps(self) -> Any:
        """The hands of its use cases."""
        return self.running.deps

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | None,
        token: str,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """One request; its status and its JSON or bytes."""
        found = await self.answer(method, path, body, token, headers)
        return found.status, found.body

    async def answer(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request; without a token it carries no Authorization."""
        own = {} if token is None else {"Authorization": f"Bearer {token}"}
        sent = {**own, **(headers or {})}
        async with self.session.request(method, self.url + path, data=body, headers=sent) as reply:
            raw = await reply.read()
            said = json.loads(raw) if "json" in reply.content_type and raw else raw
            return Answer(reply.status, reply.headers.copy(), said)

    async def rows(self, sql: str, *args: Any) -> list[Any]:
        """What the database has, with the rows of all frames that were acknowledged."""
        await self.deps.store.write(nothing)  # after those that are under way
        return list(await self.deps.store.read(lambda tx: tx.all(sql, *args)))

    async def until(self, true: Callable[[], Awaitable[Any]], seconds: float = 60.0) -> Any:
        """Ask again until something comes about that nobody announces; what it is."""
        async with asyncio.timeout(seconds):
            while not (found := await true()):  # noqa: ASYNC110  # there is no event to wait for
                await asyncio.sleep(0.01)
        return found

    async def manage(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request of the administrator."""
        raw = None if body is None else json.dumps(body).encode()
        return await self.call(method, f"/api/v1{path}", raw, self.admin)

    async def told(self, path: str) -> Any:
        """What the administrator is told at this address of the API."""
        status, found = await self.manage("GET", path)
        assert status == 200, found
        return found

    def sign(self, kind: str, value: Any) -> str:
        """A statement signed with the release key."""
        return jws.sign(kind, codec.plain(value), keyring.read_private(self.release))

    def definition(self, name: str = "toy-run", **changes: Any) -> str:
        """A production file."""
        facts: dict[str, Any] = {
            "name": name, "events": 1000, "unit": 200, "quorum": 2, "lease_s": 60.0,
            "reference": 5, "block": 1, "most_copies": 8, "most_errors": 12,
        }  # fmt: skip
        return DEFINITION.format(**(facts | changes))

    async def put_payload(
        self, body: bytes, said: Any = None, kind: str = statements.PAYLOAD
    ) -> Answer:
        """Send a bundle, with an honest statement or this one."""
        digest = hashlib.sha256(body).hexdigest()
        honest_one = statements.PayloadStatement("toy", "1", digest, len(body))
        headers = {"Windfall-Statement": self.sign(kind, said or honest_one)}
        return await self.answer("PUT", f"/api/v1/payloads/{digest}", body, self.admin, headers)

    async def create(self, text: str, manifest: str) -> tuple[int, Any]:
        """Create a production of this file and this signed manifest."""
        return await self.manage("POST", "/productions", {"definition": text, "manifest": manifest})

    async def produce(self, text: str, script: bytes = b"print('toy')\n") -> dict[str, Any]:
        """Add the toy payload (or this one), then create the production; its view."""
        body = bundle(script)
        answer = await self.put_payload(body)
        assert answer.status == 201, answer
        manifest = definitions.parse(text).manifest(hashlib.sha256(body).hexdigest(), 1.0)
        status, found = await self.create(text, self.sign(statements.MANIFEST, manifest))
        assert status == 201, found
        return dict(found)

    async def join(self, name: str, account: str | None = None) -> Hand:
        """A host of an account (made if it is new)."""
        made = await self.token(account or name)
        status, found = await self.enrol(made["token"], name)
        assert status == 201, found
        return Hand(self, name, found["host"], found["token"])

    async def token(self, account: str, **facts: Any) -> dict[str, Any]:
        """A token of an account (made if it is new), an enrolment token if nothing else is said."""
        role = {"role": facts.pop("role")} if "role" in facts else {}
        await self.manage("POST", "/accounts", {"name": account, **role})
        wanted = {"kind": "enrol", **facts}
        status, made = await self.manage("POST", f"/accounts/{account}/tokens", wanted)
        assert status == 201, made
        return dict(made)

    async def enrol(self, token: str, name: str, request: str | None = None) -> tuple[int, Any]:
        """Ask to join with a token."""
        facts = m.HostFacts(4, 8000, 8000, "x86_64")
        message = m.EnrolRequest(request or uuid.uuid4().hex, token, name, facts)
        return await self.call("POST", "/api/v1/hosts", codec.encode(message), "")

    async def show(self, name: str = "toy-run") -> dict[str, Any]:
        """A production as the administrator sees it."""
        return dict(await self.told(f"/productions/{name}"))

    def check_proof(self, reply: m.AskReply) -> None:
        """Every lease is proved by the work key that agents pin."""
        assert reply.proof is not None
        publics = {}
        for text in keyring.load(self.settings.keys_folder, 2e9).statements:
            value = jws.peek(text)[1]
            publics[value["kid"]] = value["public"]
        for k, text in enumerate(reply.leases):
            root = merkle.root_from(
                text.encode(),
                reply.proof.index + k,
                reply.proof.size,
                jws.unb64(reply.proof.paths[k]),
            )
            jws.public_key(publics[reply.proof.key]).verify(
                jws.unb64(reply.proof.signature), merkle.CONTEXT + root
            )


@asynccontextmanager
async def house(folder: Path, **options: str) -> AsyncIterator[House]:
    """A server on the data in ``folder``, which may be that of an earlier one."""
    settings = read({"server.data": str(folder / "data"), "server.port": "0", **options})
    release = folder / "release.key"
    set_up(settings, release)
    async with wiring.running(settings) as running, aiohttp.ClientSession() as session:
        admin = settings.admin_token.read_text().strip()
        yield House(settings, running, session, release, admin)


async def finish(found: House, hands: Sequence[Hand], name: str = "toy-run") -> dict[str, Any]:
    """Let these hosts work in turn until the production is done."""
    for _ in range(2000):
        view = await found.show(name)
        if view["state"] == "done":
            return view
        for hand in hands:
            for lease in await hand.leases():
                await hand.work(lease, getattr(hand, "make", honest))
        await asyncio.sleep(0.01)
    raise AssertionError(f"not done: {await found.show(name)}")
