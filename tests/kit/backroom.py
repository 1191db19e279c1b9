"""The use cases on a real database and real segments, without doors; the clock is set by hand."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.blobs.base import Blobs
from server.blobs.memory import MemoryBlobs
from server.blobs.segments import Segments
from server.db import frames as frame_rows
from server.db import productions
from server.db import trust as trust_rows
from server.db.base import Store, Tx
from server.db.choose import open_store
from server.domain.match import Facts
from server.domain.throttle import Minute
from server.services import dispatch, duties, enrol, ingest, produce, reap, report, start
from server.services.cards import HostCard, TaskCard
from server.services.census import Census
from server.services.deps import Deps, LeaseValue, Limits
from server.services.factsheet import Sheet
from server.services.safe import Safe
from tests.kit.house import DEFINITION, Make, frame, honest
from vmagent.wire.messages import AskRequest

MANIFEST = "a" * 64


class SpoiltBatch(Exception):
    """Thrown into a batch on purpose."""


def _seal(leases: Sequence[LeaseValue]) -> list[LeaseValue]:
    """Nobody checks these."""
    return list(leases)


async def nothing(tx: Tx) -> None:
    """A transaction for its beginning alone: rows that wait are written."""


@dataclass(eq=False)
class Backroom:
    """A server without doors. `stop` and `open` again is a restart."""

    folder: Path
    now: float = 1_000_000.0
    blobs: Blobs = field(default_factory=MemoryBlobs)
    limits: Limits = field(default_factory=Limits)
    url: str = ""
    key: str = "5e" * 32  # of spot checks, the same in every run: what fails, fails again
    safe: Safe = field(default_factory=Safe)
    census: Callable[[], Census] = Census
    _deps: Deps | None = None
    _judge: duties.Judge | None = None

    @property
    def deps(self) -> Deps:
        """The hands of the use cases."""
        assert self._deps is not None
        return self._deps

    @property
    def store(self) -> Store:
        """The database."""
        return self.deps.store

    async def open(self) -> None:
        """Start on what is in the folder."""
        store = await open_store(self.url or f"sqlite:///{self.folder / 'windfall.db'}")
        await store.write(lambda tx: trust_rows.key(tx, self.key))
        used = await store.read(frame_rows.segments)
        segments = Segments.open(self.folder / "segments", used, 1 << 20)
        limits = self.limits
        self._deps = Deps(store, self.blobs, segments, lambda: self.now, _seal, limits)
        self._deps.safe, self._deps.census = self.safe, self.census()
        self._judge = duties.Judge(self._deps)
        await start.load(self._deps)

    async def stop(self) -> None:
        """Let go of the folder; what is only in memory is lost."""
        await self.deps.store.close()
        await self.deps.segments.close()

    async def __aenter__(self) -> Backroom:
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def produce(self, **facts: Any) -> int:
        """A production of the toy payload, without its signatures; its id."""
        wanted: dict[str, Any] = {
            "name": "toy-run", "events": 900, "unit": 300, "quorum": 2, "lease_s": 60.0,
            "reference": 0, "block": 1, "most_copies": 32, "most_errors": 1000,
            "more": "",
        }  # fmt: skip
        wanted |= facts
        text = DEFINITION.format(**wanted) + wanted["more"]  # keys of [policy]

        async def write(tx: Tx) -> int | None:
            return await productions.add(
                tx, wanted["name"], text, "", MANIFEST, "", wanted["events"], wanted["unit"], 0,
                self.now,
            )  # fmt: skip

        number = await self.store.write(write)
        assert number is not None
        row = await produce.find(self.deps, str(number))
        self.deps.registry.add_production(produce.card_of(row))
        return number

    async def join(self, name: str, account: str, klass: str = "") -> int:
        """A host of an account, which is made if it is new; its id."""
        if account not in [found.name for found in await enrol.list_accounts(self.deps)]:
            await enrol.create_account(self.deps, account, "volunteer")
        _, token = await enrol.create_token(self.deps, account, "enrol", 1, None, "", "kid")
        sheet = Sheet(Facts(4, 8000, 8000, "x86_64", ()))
        joined = await enrol.enrol(self.deps, uuid.uuid4().hex, token, name, sheet)
        if klass:
            card = self.deps.registry.hosts[joined.host]
            await report.classify(self.deps, card, MANIFEST, klass, 0.0)
        return joined.host

    def host(self, number: int) -> HostCard:
        """The card of a host."""
        return self.deps.registry.hosts[number]

    async def ask(self, host: int, most: int = 1) -> list[TaskCard]:
        """Lease to a host; its new tasks."""
        card = self.host(host)
        card.asks = Minute()
        asked = AskRequest(uuid.uuid4().hex, 1, 8000, 8000, None, dict(card.classes), most)
        offer = await dispatch.lease(self.deps, card, asked)
        return [self.deps.registry.tasks[lease.task] for lease in offer.leases]

    async def send(self, task: TaskCard, first: int, last: int, make: Make = honest) -> None:
        """A frame of a task, which may be over."""
        row, body = task.row, frame(first, last, make)
        host = self.host(row.host or 0)
        taking = await ingest.admit(self.deps, host, row.production, first, last, len(body))
        arrival = ingest.Arrival(self.deps, taking, len(body))
        digest = arrival.whole(body)
        if taking.fresh:
            await ingest.keep(self.deps, host, arrival, digest)

    async def end(self, task: TaskCard, cause: str, said: report.Report | None = None) -> None:
        """End a lease, as its host (which says so) or the reaper would."""
        await report.end(self.deps, task, "deliver" if task.covered else cause, said)

    def proven(self, host: int, production: int, seconds: float) -> None:
        """This host has shown that it delivers, at so many seconds per event."""
        card = self.host(host)
        card.speeds[production] = seconds
        card.proven += 1

    async def later(self, seconds: float, *beating: int) -> None:
        """Time goes on; these hosts give signs of life, with what is in hand of their leases."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 10.0)
            for host in beating:
                card = self.host(host)
                tasks = [(n, task.held.events) for n, task in card.tasks.items()]
                report.heartbeat(self.deps, card, tasks)

    async def hasten(self) -> None:
        """The end-game looks, and what it marks is judged."""
        await duties.hasten_once(self.deps)
        await self.judge()

    async def judge(self) -> None:
        """Judge what waits."""
        assert self._judge is not None
        await self._judge.once()

    async def revoke(self, host: int) -> None:
        """Believe a host no longer."""
        await reap.revoke(self.deps, host, "test")

    async def release(self, production: int) -> None:
        """A manager lets the held units of a production go on."""
        await produce.move(self.deps, str(production), "release", "manager")

    async def spoil(self) -> None:
        """An operation whose failure rolls back everything of its batch."""

        async def write(tx: Tx) -> None:
            await tx.run("UPDATE productions SET reason = reason")
            raise SpoiltBatch

        await self.store.write(write)

    async def rows(self, sql: str, *args: Any) -> list[Any]:
        """What the database has, with the rows of all frames that were acknowledged."""
        await self.store.write(nothing)  # after those that are under way
        return list(await self.store.read(lambda tx: tx.all(sql, *args)))

    async def output(self, production: int, units: int) -> str:
        """The SHA-256 of the content of every settled unit, in order."""
        found = await self.rows(
            "SELECT digest FROM units WHERE production = $1 AND state = 'settled' ORDER BY number",
            production,
        )
        assert len(found) == units
        return hashlib.sha256("".join(row[0] for row in found).encode()).hexdigest()
