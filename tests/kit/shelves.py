"""People with contexts, over the API of a whole server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.kit.house import House
from vmagent.wire import codec

BASE = "/api/v1/contexts"
HASH = "$6$saltsalt$" + "a" * 86
WORKER = {
    "cernvm": {"version": "4", "branch": "cernvm-prod.cern.ch"},
    "users": {"users": [{"name": "worker", "group": "users", "password": HASH}]},
}
"""A document with a secret in a row."""


@dataclass
class Somebody:
    """An account with an API token."""

    house: House
    name: str
    token: str

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request below /api/v1/contexts, or to a whole path."""
        where = path if path.startswith("/api") else BASE + path
        raw = None if body is None else codec.encode(body)
        if raw is None and method in ("PUT", "POST"):
            raw = b"{}"
        return await self.house.call(method, where, raw, self.token)

    async def made(self, name: str = "Worker", **more: Any) -> dict[str, Any]:
        """A new context of his."""
        body = {"name": name, "document": WORKER, **more}
        status, found = await self.call("POST", "", body)
        assert status == 201, found
        return dict(found)

    async def edited(self, made: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Another revision of a context of his."""
        id, number = made["context"]["id"], made["context"]["revision"]
        body = {"started_from": number, "name": made["name"], "document": made["document"], **more}
        status, found = await self.call("PUT", f"/{id}", body)
        assert status == 200, found
        return dict(found)


async def somebody(house: House, name: str, role: str = "volunteer") -> Somebody:
    """An account of a role."""
    found = await house.token(name, role=role, kind="api")
    return Somebody(house, name, found["token"])
