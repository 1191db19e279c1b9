"""The life of a machine lately: when it had leases, what failed, what it was told."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.db import hosts, moves, views
from server.db.base import Tx
from server.db.moves import Move
from server.db.views import LeaseTime, Told
from server.domain.errors import NotFound
from server.services.deps import Deps

LATELY_S = 14 * 86_400.0
GAP_S = 120.0  # between two leases: a machine that asks for the next one does not rest
LEASES = 5_000  # the latest that are looked at
MARKS = 200


@dataclass(frozen=True)
class Stretch:
    """A time in which a machine had leases without a gap, and how many."""

    start: float
    end: float
    leases: int


@dataclass(frozen=True)
class Moment:
    """Something that happened to a machine."""

    at: float
    said: str


@dataclass(frozen=True)
class Life:
    """The last 14 days of a machine, or since it was paired; the latest 5,000 leases count."""

    start: float
    end: float
    worked: list[Stretch] = field(default_factory=list)
    failed: list[Moment] = field(default_factory=list)
    commands: list[Moment] = field(default_factory=list)
    moves: list[Moment] = field(default_factory=list)


async def of_host(deps: Deps, host: int) -> Life:
    """The life of a host lately. Raises NotFound."""
    now = deps.clock()

    async def read(tx: Tx) -> tuple[float, list[LeaseTime], list[Told], list[Move]]:
        row = await hosts.one(tx, host)
        if row is None:
            raise NotFound("host", host)
        since = max(now - LATELY_S, row.enrolled_at)
        return (
            since, await views.lease_times(tx, host, since, LEASES),
            await views.told(tx, host, since, MARKS), await moves.of_host(tx, host, MARKS),
        )  # fmt: skip

    since, leases, told, steps = await deps.store.read(read)
    spans = [(max(since, one.start), min(now, one.end or now)) for one in leases]
    return Life(
        since, now, stretches(spans),
        [Moment(one.end or now, f"task {one.task}: {one.cause}") for one in leases
         if one.state == "failed"][:MARKS],
        [Moment(one.at, f"{one.name} by {one.by}") for one in told],
        [Moment(one.at, f"{one.source or 'new'} to {one.target}: {one.cause}")
         for one in steps if one.at >= since],
    )  # fmt: skip


def stretches(spans: list[tuple[float, float]], gap_s: float = GAP_S) -> list[Stretch]:
    """Spans that touch, or nearly so, put together; oldest first."""
    found: list[Stretch] = []
    for start, end in sorted(spans):
        last = found[-1] if found else None
        if last is not None and start - last.end <= gap_s:
            found[-1] = Stretch(last.start, max(last.end, end), last.leases + 1)
        elif end > start:
            found.append(Stretch(start, end, 1))
    return found
