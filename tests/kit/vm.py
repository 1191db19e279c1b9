"""A machine that is to be paired, and an owner's browser, both by hand over HTTP."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.kit.house import Answer, Hand, House
from vmagent.wire import codec, jws, pairing
from vmagent.wire import messages as m

FACTS = m.HostFacts(4, 8000, 8000, "x86_64")


@dataclass(eq=False)
class Vm:
    """A machine without an owner; ``known`` is the random that only it has."""

    house: House
    name: str = "vm-1"
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    known: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    poll: str = ""
    words: str = ""
    code: str = ""

    def said(self, pin: str = "") -> bytes:
        """What it says of itself."""
        return codec.encode(
            pairing.PairRequest(
                self.uuid, self.nonce, hashlib.sha256(self.known).hexdigest(), "x86_64", 4, 8000,
                pin, pairing.Image("CernVM", "4.5"), self.name, "1.0.0",
            )
        )  # fmt: skip

    async def present(self, pin: str) -> Answer:
        """Say a PIN."""
        return self._kept(await self.house.answer("POST", "/api/v1/pair", self.said(pin)))

    async def show_code(self) -> Answer:
        """Ask for a code."""
        found = self._kept(await self.house.answer("POST", "/api/v1/pair/device", self.said()))
        self.code = found.body.get("user_code", "")
        return found

    def _kept(self, found: Answer) -> Answer:
        self.poll = found.body.get("poll_token", "")
        self.words = found.body.get("words", "")
        return found

    async def status(self) -> str:
        """How it stands."""
        found = await self.house.answer("GET", "/api/v1/pair/status", token=self.poll)
        assert found.status == 200, found
        return str(found.body["state"])

    async def collect(self, request: str = "collect-0001", known: bytes | None = None) -> Answer:
        """Take what the owner agreed to."""
        preimage = jws.b64(self.known if known is None else known)
        message = pairing.CollectRequest(preimage, request, self.name, FACTS)
        raw = codec.encode(message)
        return await self.house.answer("POST", "/api/v1/pair/collect", raw, self.poll)

    async def in_hand(self) -> Hand:
        """Collect, and go on as a host."""
        found = await self.collect()
        assert found.status == 200, found
        return Hand(self.house, self.name, found.body["host"], found.body["token"])


@dataclass(eq=False)
class Owner:
    """An account with an API token."""

    house: House
    name: str
    token: str

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """One request of the API."""
        raw = None if body is None else json.dumps(body).encode()
        return await self.house.answer(method, f"/api/v1{path}", raw, self.token)

    async def begin(self, **facts: Any) -> dict[str, Any]:
        """A PIN."""
        found = await self.ask("POST", "/pairings", facts)
        assert found.status == 201, found
        return dict(found.body)

    async def look(self, handle: str, query: str = "") -> dict[str, Any]:
        """A pairing."""
        found = await self.ask("GET", f"/pairings/{handle}{query}")
        assert found.status == 200, found
        return dict(found.body)

    async def confirm(self, handle: str, words: str) -> Answer:
        """Confirm the machine that shows these words."""
        seen = {one["words"]: one["id"] for one in (await self.look(handle))["machines"]}
        return await self.ask("POST", f"/pairings/{handle}/confirm", {"machine": seen[words]})

    async def pair(self, vm: Vm, **facts: Any) -> Hand:
        """The whole story, by PIN."""
        await self.agree(vm, **facts)
        return await vm.in_hand()

    async def agree(self, vm: Vm, **facts: Any) -> dict[str, Any]:
        """A PIN that was typed and is confirmed; the machine has still to collect."""
        made = await self.begin(**facts)
        assert (await vm.present(made["pin"])).status == 202
        assert (await self.confirm(made["id"], vm.words)).status == 200
        return made


async def owner(house: House, name: str, role: str = "volunteer") -> Owner:
    """An account, made if it is new."""
    made = await house.token(name, role=role, kind="api")
    return Owner(house, name, made["token"])
