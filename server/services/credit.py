"""Credit: what events are worth, booked when they settle, corrected, shown, and re-derived."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from server.db import credit as rows
from server.db.base import Tx
from server.db.credit import Entry
from server.db.tasks import Task
from server.domain.credit import MICROS, credits, worth
from server.domain.errors import NotFound
from server.domain.intervals import Intervals
from server.services.cards import ProductionCard
from server.services.deps import Deps

SHOWN_MOST = 1000  # corrections
KEPT_S = 60.0  # for so long sums are shown again: each reads all bookings


@dataclass(frozen=True)
class CreditLine:
    """Who or what has how much credit; of a production what an event is worth, and why.

    ``taken_back`` is what would be there as well if nothing had turned out to be doubtful.
    """

    kind: str
    name: str
    credit: float
    per_event: float | None = None
    source: str = ""
    taken_back: float = 0.0


@dataclass(frozen=True)
class CorrectionView:
    """Credit of so many events that was taken back from a host (below 0) or given to it again."""

    id: int
    at: float
    host: int
    name: str
    account: str
    production: str
    events: int
    credit: float
    cause: str


@dataclass(frozen=True)
class Corrections:
    """Corrections, the newest first."""

    lines: list[CorrectionView] = field(default_factory=list)


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
        known, titles = await rows.worths(tx), await rows.titles(tx)
        back = {side: await rows.corrected(tx, side) for side in ("account", "host", "production")}

        def line(kind: str, key: int | str, name: str, micros: int) -> CreditLine:
            return CreditLine(
                kind, name, micros / MICROS, taken_back=back[kind].get(key, 0) / MICROS
            )

        accounts = await rows.of_accounts(tx)
        found = [line("account", name, name, micros) for name, micros in accounts.items()]
        for host, micros in sorted((await rows.balances(tx, "host")).items()):
            found.append(line("host", host, names.get(host, f"host {host}"), micros))
        for number, micros in sorted((await rows.balances(tx, "production")).items()):
            made = line("production", number, titles.get(number, str(number)), micros)
            if number in known:
                worth_of = known[number]
                made = replace(made, per_event=worth_of.micros / MICROS, source=worth_of.source)
            found.append(made)
        return found

    return CreditView(await deps.store.read(read))


async def corrections(deps: Deps, host: int | None) -> Corrections:
    """The latest corrections of a host, or of all. Raises NotFound."""
    names = deps.registry.names
    if host is not None and host not in names:
        raise NotFound("host", host)
    found = await deps.store.read(lambda tx: rows.corrections(tx, host, SHOWN_MOST))
    return Corrections(
        [
            CorrectionView(
                one.id, one.at, one.host, names.get(one.host, f"host {one.host}"), one.account,
                one.production, one.events, one.micros / MICROS, one.cause,
            )
            for one in found
        ]
    )  # fmt: skip


async def check(deps: Deps) -> CreditCheck:
    """Derive the books anew from the agreed events, and compare."""

    async def read(tx: Tx) -> tuple[int, dict[str, int]]:
        given = sum((await rows.balances(tx, "host")).values())
        taken = sum((await rows.balances(tx, "production")).values())
        return given + taken, await rows.faults(tx)

    total, faults = await deps.store.read(read)
    said = [f"{count} {what}" for what, count in faults.items()]
    return CreditCheck(not said and total == 0, total, said)
