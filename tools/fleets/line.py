"""One agent's way to the server: requests that are sent again until they are answered."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp
import msgspec

from tools.fleets.tally import Tally

PASSING = (408, 425, 429, 500, 502, 503, 504, 507)
PAUSE_MOST_S = 10.0


class Said(NamedTuple):
    """An answer: its status, and its JSON (None without a body)."""

    status: int
    body: Any


@dataclass(eq=False)
class Line:
    """Requests with a token; what the network or a busy server refuses is sent again."""

    session: aiohttp.ClientSession
    base: str
    chance: random.Random
    tally: Tally
    token: str = ""

    async def call(self, method: str, path: str, body: bytes | None = None, **more: str) -> Said:
        """One request, until there is an answer that stays."""
        failures = 0
        headers = {"Authorization": f"Bearer {self.token}", **more}
        while True:
            wait = 0.0
            try:
                async with self.session.request(
                    method, self.base + path, data=body, headers=headers
                ) as reply:
                    raw = await reply.read()
                    if reply.status not in PASSING:
                        return Said(reply.status, msgspec.json.decode(raw) if raw else None)
                    wait = float(reply.headers.get("Retry-After", "0"))
            except (aiohttp.ClientError, ConnectionError, TimeoutError):
                pass
            failures += 1
            self.tally.retries += 1
            pause = min(PAUSE_MOST_S, 0.05 * 2.0 ** min(failures, 10))
            await asyncio.sleep(wait + pause * self.chance.random())
