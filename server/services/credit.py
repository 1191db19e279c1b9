"""Credit: what events are worth, booked when they settle, shown, and re-derived."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.db import credit as rows
from server.db.base import Tx
from server.db.credit import Entry
from server.db.tasks import Task
from server.domain.credit import MICROS, credits, worth
from server.domain.intervals import Intervals
from server.services.cards import ProductionCard
from server.services.deps import Deps

KEPT_S = 60.0  # for so long sums are shown again: each reads all bookings


@dataclass(frozen=True)
class CreditLine:
    """Who or what has how much credit; of a production what an event is worth, and why."""

    kind: str
    name: str
    credit: float
    per_event: float | None = None
    source: str = ""


@dataclass(frozen=True)
class CreditView:
    """Everybody's credit: what productions gave is what hosts, and their accounts, have."""

    lines: list[CreditLine] = field(default_factory=list)


@dataclass(frozen=True)
class CreditCheck:
    """What re-deriving the books has found; ``sum_micros`` over both sides has to be zero."""

    ok: bool
    sum_micros: int
    faults: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Sums:
    """Credit of hosts and productions by id, as of a moment."""

    at: float
    hosts: dict[int, float]
    productions: dict[int, float]


async def book(
    tx: Tx,
    deps: Deps,
    card: ProductionCard,
    unit: int,
    parts: list[tuple[Task, int, int]],
    now: float,
) -> None:
    """Book agreed events of tasks. What had credit before, because it was lost since, has none."""
    if not parts:
        return
    micros = await _worth(tx, deps, card, now)
    had: dict[int, Intervals] = {}
    for account, first, last in await rows.booked(tx, card.id, unit):
        had[account] = had.get(account, Intervals()).add(first, last)
    for row, first, last in parts:
        host, account = row.host or 0, row.account or 0
        for a, b in had.get(account, Intervals()).missing(first, last):
            amount = credits(b - a, micros)
            rows.book(tx, Entry(row.id, a, b, host, account, card.id, amount), now)


async def _worth(tx: Tx, deps: Deps, card: ProductionCard, now: float) -> int:
    """The millionths of an event: found when the first events of a production settle, and kept."""
    known = await rows.worth(tx, card.id)
    if known is not None:
        return known.micros
    told = await rows.measured(tx, card.digest)
    hosts = deps.registry.hosts
    seen = {host: c.speeds[card.id] for host, c in hosts.items() if card.id in c.speeds}
    reference = deps.limits.reference_host
    seconds = [s for host, s in {**seen, **told}.items() if host in hosts]
    measured = told.get(reference) or seen.get(reference)
    found = worth(measured, seconds, card.definition.payload.cores)
    await rows.keep_worth(tx, card.id, found, now)
    return found.micros


async def sums(deps: Deps) -> Sums:
    """Credit of hosts and productions, at most a minute old."""
    now, kept = deps.clock(), deps.credit_sums
    if isinstance(kept, Sums) and 0 <= now - kept.at < KEPT_S:
        return kept

    async def read(tx: Tx) -> tuple[dict[int, int], dict[int, int]]:
        return await rows.balances(tx, "host"), await rows.balances(tx, "production")

    hosts, productions = await deps.store.read(read)
    made = Sums(
        now,
        {number: micros / MICROS for number, micros in hosts.items()},
        {number: -micros / MICROS for number, micros in productions.items()},
    )
    deps.credit_sums = made
    return made


async def show(deps: Deps) -> CreditView:
    """Everybody's credit, as of now."""
    names = deps.registry.names

    async def read(tx: Tx) -> list[CreditLine]:
        known = await rows.worths(tx)
        titles = await rows.titles(tx)
        found = [
            CreditLine("account", name, micros / MICROS)
            for name, micros in (await rows.of_accounts(tx)).items()
        ]
        for host, micros in sorted((await rows.balances(tx, "host")).items()):
            found.append(CreditLine("host", names.get(host, f"host {host}"), micros / MICROS))
        for number, micros in sorted((await rows.balances(tx, "production")).items()):
            worth_of = known.get(number)
            per_event = None if worth_of is None else worth_of.micros / MICROS
            source = "" if worth_of is None else worth_of.source
            title = str(titles.get(number, number))
            found.append(CreditLine("production", title, micros / MICROS, per_event, source))
        return found

    return CreditView(await deps.store.read(read))


async def check(deps: Deps) -> CreditCheck:
    """Derive the books anew from the agreed events, and compare."""

    async def read(tx: Tx) -> tuple[int, dict[str, int]]:
        given = sum((await rows.balances(tx, "host")).values())
        taken = sum((await rows.balances(tx, "production")).values())
        return given + taken, await rows.faults(tx)

    total, faults = await deps.store.read(read)
    said = [f"{count} {what}" for what, count in faults.items()]
    return CreditCheck(not said and total == 0, total, said)
