"""A crowd of hosts, some of whom cheat, on the real use cases, database and segments."""

from __future__ import annotations

import io
import itertools
import random
from dataclasses import dataclass, field
from typing import Any

import zstandard

from server.domain.trust import Standing
from server.services.cards import TaskCard
from server.services.close import unit_key
from tests.kit.backroom import Backroom
from tests.kit.house import Make, honest

NEEDED = 300  # agreed events for trust: few, so that tests are short
ROUND_S = 5.0


def content(blob: bytes) -> bytes:
    """What a unit's blob holds."""
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(blob), read_across_frames=True)
    return bytes(reader.read())


def adaptive(share: float = 0.1, needed: int = NEEDED) -> str:
    """Lines of [policy]."""
    return f"adaptive = true\nspot_checks = {share}\ntrust_events = {needed}\n"


@dataclass
class Member:
    """A host, and what it makes of events."""

    host: int
    account: str
    make: Make = honest


@dataclass
class Crowd:
    """Hosts that ask, send and finish in turn, in an order drawn by a seed."""

    room: Backroom
    seed: int = 1
    members: list[Member] = field(default_factory=list)

    async def join(self, *accounts: str, make: Make = honest) -> list[Member]:
        """A host more for each of these accounts."""
        made = [
            Member(await self.room.join(f"{account}-{len(self.members)}", account), account, make)
            for account in accounts
        ]
        self.members += made
        return made

    async def turn(self, production: int) -> None:
        """Everybody asks, sends what was asked for, and is judged."""
        random.Random(self.seed).shuffle(self.members)
        self.seed += 1
        leased = []
        for member in self.members:
            self.room.host(member.host).seen_at = self.room.now
            leased += [(member, task) for task in await self.room.ask(member.host)]
        for member, task in leased:
            await self.finish(member, task)
        self.room.now += ROUND_S
        await self.room.judge()

    async def finish(self, member: Member, task: TaskCard) -> None:
        """Send a whole lease and end it."""
        await self.room.send(task, task.row.first, task.row.last, member.make)
        await self.room.end(task, "deliver")

    async def finished(self, production: int, units: int, turns: int = 400) -> None:
        """Turns until every unit is settled."""
        for _ in range(turns):
            card = self.room.deps.registry.productions[production]
            if card.units_settled == units:
                return
            await self.turn(production)
        raise AssertionError(f"seed {self.seed}: {await self.room.rows('SELECT * FROM units')}")

    async def wrong(self, production: int, units: int, events: int) -> set[int]:
        """The events of the settled units that are not what honest hosts make of them."""
        lines = b"".join(
            [
                content(await self.room.blobs.get(unit_key(production, number)))
                for number in range(units)
            ]
        ).splitlines(keepends=True)
        assert len(lines) == events
        pairs = zip(itertools.count(), lines, strict=False)
        return {event for event, line in pairs if line != honest(event)}

    async def doubtful(self, production: int) -> set[int]:
        """The events that were taken on the word of a host that was caught later."""
        rows = await self.room.rows(
            "SELECT first, last FROM taken_on_trust"
            " WHERE production = $1 AND doubtful_at IS NOT NULL",
            production,
        )
        return {event for first, last in rows for event in range(first, last)}

    def standing(self, member: Member) -> Standing:
        """How far a host is believed."""
        return self.room.deps.registry.book.standing(member.host, "", NEEDED, self.room.now)

    async def sums(self, production: int) -> dict[str, Any]:
        """How many events were taken on trust, and how many copies were sent."""
        (trusted,) = await self.room.rows(
            "SELECT coalesce(sum(last - first), 0) FROM taken_on_trust WHERE production = $1",
            production,
        )
        (copies,) = await self.room.rows(
            "SELECT coalesce(sum(held), 0) FROM tasks WHERE production = $1", production
        )
        return {"trusted": int(trusted[0]), "copies": int(copies[0])}
