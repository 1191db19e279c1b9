"""Made-up history of a pool, for looking at pages: ledgers first, and figures counted from them.

Nobody computed any of it: productions have no outputs, and hosts no secrets that anybody knows.
What is written are the rows that work leaves behind, so `windfall stats check` holds on them.
"""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from server.db import (
    accounts,
    credit,
    figures,
    findings,
    frames,
    hosts,
    imagined,
    moves,
    productions,
    set_aside,
    sites,
    tasks,
)
from server.db.base import Store, Tx
from server.db.credit import Entry
from server.db.findings import Found
from server.db.imagined import Ended
from server.domain.credit import Worth
from server.domain.match import Facts
from server.domain.poison import Poison
from server.domain.production import ProductionState
from server.domain.rollup import DAY, MachineKind
from server.services import rollups
from server.services.factsheet import Sheet, to_text
from server.services.imagine_gauges import COUNTRIES, SITES, Past, addresses, samples
from server.services.safe import Safe

TASKS_MOST = 100_000  # leases in all: more would take minutes
PER_DAY = 1.1  # leases of a host, if that is fewer
EVENTS = 500  # of a lease, which is one copy of a unit
EVENT_BYTES = 900
PRODUCTIONS = 6
ASIDE_EVERY, ASIDE = 25, 2  # of each so many units, the last has so many events set aside
WRONG = 0.05  # share of the leases that ended early of which something was wrong
HERE = 0.4  # share of the hosts that were heard of at last
LATEST_S = 1600.0  # before now the last leases begin: what a usual host takes for one
BATCH = 5000  # leases written in one transaction
ROWS = 20_000  # of a ledger that are counted at a time: nobody else waits here

_SYSTEMS = ("CernVM 5.2-3", "CernVM 5.2-1", "CernVM 4.7", "AlmaLinux 9.4", "Debian 13")
_AGENTS = ("0.9.2", "0.9.1", "0.9.0", "0.8.4")
_ENDS = (
    ("delivered", 0.86), ("returned", 0.065), ("expired", 0.04), ("failed", 0.03),
    ("aborted", 0.005),
)  # fmt: skip
_KINDS = ("memory", "software", "input", "network", "unknown")
_TITLES = (
    "p + p at 158 GeV/c",
    "p + C at 31 GeV/c for neutrino beams",
    "Xe + La at 150A GeV/c",
    "Pb + Pb at 30A GeV/c",
    "pi+ + Be at 60 GeV/c",
    "Ar + Sc at 75A GeV/c",
)
_TEXT = """
[production]
name = "{name}"
description = "{title}, made up for looking at pages"
events = {events}
unit = {unit}
seed = 1
format = "raw"
[payload]
name = "made-up"
version = "1"
command = ["{{python}}", "payload.py"]
reference = 0
[policy]
quorum = 1
"""


@dataclass(frozen=True)
class Machine:
    """A host that is imagined."""

    id: int
    account: int
    kind: MachineKind
    joined: float
    speed: float


@dataclass(eq=False)
class Imagination:
    """What is made up: so many hosts and days, the same for the same seed."""

    store: Store
    machines: int
    days: int
    now: float
    chance: random.Random
    pool: list[Machine] = field(default_factory=list)

    @property
    def begin(self) -> float:
        """When the pool was opened."""
        return self.now - self.days * DAY

    @property
    def units(self) -> int:
        """The units of a production that are settled; as many are left of the last one."""
        leases = min(TASKS_MOST, int(self.machines * self.days * PER_DAY)) // PRODUCTIONS
        return max(1, int(leases * _ENDS[0][1]))


async def history(
    store: Store, safe: Safe, machines: int, days: int, now: float, seed: int = 1
) -> int:
    """Fill an empty database; how many leases there were. Raises LivedIn."""
    await store.read(imagined.hold_new)
    made = Imagination(store, machines, days, now, random.Random(seed))  # noqa: S311
    await store.write(partial(_people, made))
    leases = 0
    for number in range(PRODUCTIONS):
        leases += await _production(made, number)
    await rollups.count_all(store, now, ROWS)
    await rollups.thin(store, now)
    joined = [machine.joined for machine in made.pool]
    past = Past(joined, made.begin, now, made.units * EVENTS, made.chance)
    rows = list(samples(past))
    for first in range(0, len(rows), ROWS):
        await store.write(partial(figures.sample, rows=rows[first : first + ROWS]))
    await addresses(store, safe, now)
    return leases


async def _people(made: Imagination, tx: Tx) -> None:
    """Accounts, sites and hosts."""
    chance = made.chance
    owners: dict[str, tuple[int, int]] = {}
    for name, (kind, _, _) in SITES.items():
        site = await sites.ensure(tx, name, made.begin)
        await sites.set_kind(tx, site.id, str(kind))
        role = "institute" if kind is MachineKind.CLUSTER else "operator"
        number = await accounts.create(tx, f"{name}-grid", role, made.begin)
        token = await _token(tx, number or 0, made.begin)
        await sites.bind_token(tx, token, site.id)
        owners[name] = number or 0, token
    volunteers = []
    for number in range(max(3, made.machines // 4)):
        account = await accounts.create(tx, f"volunteer-{number + 1}", "volunteer", made.begin)
        volunteers.append((account or 0, await _token(tx, account or 0, made.begin)))
    for number in range(made.machines):
        joined = made.begin + chance.random() ** 2 * made.days * DAY * 0.8
        where = _where(chance)
        kind, country, _ = SITES.get(where, (MachineKind.VOLUNTEER, "", 0.0))
        account, token = owners[where] if where else chance.choice(volunteers)
        host = await _host(made, tx, f"{where or 'home'}-{number + 1}", account, token, joined)
        await sites.place(tx, host, token)
        hosts.in_country(tx, host, country or _skewed(chance, COUNTRIES))
        away = 0.0 if chance.random() < HERE else chance.random() ** 4 * min(30, made.days) * DAY
        hosts.saw(tx, host, made.now - away)
        made.pool.append(Machine(host, account, kind, joined, chance.uniform(0.5, 2.0)))


async def _token(tx: Tx, account: int, at: float) -> int:
    """An enrolment token that nobody knows."""
    digest = secrets.token_bytes(32)
    return await accounts.add_token(tx, account, "enrol", digest, 0, at, at, "made up")


async def _host(
    made: Imagination, tx: Tx, name: str, account: int, token: int, joined: float
) -> int:
    chance = made.chance
    cores = chance.choice((2, 4, 4, 8, 8, 16, 32))
    facts = Facts(cores, cores * 2000, cores * 10_000, "x86_64", ())
    sheet = Sheet(facts, _skewed(chance, _AGENTS), _skewed(chance, _SYSTEMS), "glibc 2.39", "3.12")
    digest, request = secrets.token_bytes(32), secrets.token_hex(16)
    return await hosts.add(tx, account, token, request, name, digest, to_text(sheet), joined)


def _where(chance: random.Random) -> str:
    """The site of a host; empty at home."""
    left = chance.random()
    for name, (_, _, share) in SITES.items():
        left -= share
        if left < 0:
            return name
    return ""


def _skewed(chance: random.Random, words: Sequence[str]) -> str:
    """One of these, the first more often than the last."""
    return words[int(len(words) * chance.random() ** 2)]


async def _production(made: Imagination, number: int) -> int:
    """A production of the past; the last one goes on still. How many leases it had."""
    begin = made.begin + number * made.days * DAY / PRODUCTIONS
    end = min(made.now - LATEST_S, begin + 1.3 * made.days * DAY / PRODUCTIONS)
    units = made.units
    last = number == PRODUCTIONS - 1
    name, events = f"made-up-{number + 1}", units * EVENTS * (2 if last else 1)

    async def open_it(tx: Tx) -> int:
        title = _TITLES[number % len(_TITLES)]
        text = _TEXT.format(name=name, title=title, events=events, unit=EVENTS)
        digest = f"{number:064x}"
        made_id = await productions.add(
            tx, name, text, "", digest, digest, events, EVENTS, 0, begin
        )
        await credit.keep_worth(tx, made_id or 0, Worth(2_500_000, "median", 9), begin)
        return made_id or 0

    production = await made.store.write(open_it)
    unit, done = 0, 0
    while unit < units:
        rows = list(_leases(made, production, (begin, end), unit, min(units, unit + BATCH), units))
        stop = min(units, unit + BATCH)
        await made.store.write(partial(_write, made, production, rows, range(unit, stop)))
        unit, done = stop, done + len(rows)

    async def close(tx: Tx) -> None:
        await frames.drop_production(tx, production)
        settled = units * EVENTS - units // ASIDE_EVERY * ASIDE
        await productions.add_settled(tx, production, units, settled)
        if not last:
            for source, target in ((S.ACTIVE, S.MERGING), (S.MERGING, S.DONE)):
                await productions.move(tx, production, source, target, "made up", "", end)
            await imagined.finished(tx, production, end)

    await made.store.write(close)
    return done


S = ProductionState


def _leases(
    made: Imagination,
    production: int,
    span: tuple[float, float],
    first: int,
    stop: int,
    units: int,
) -> Iterator[Ended]:
    """Leases of these units until each is delivered, in the order of time."""
    chance = made.chance
    for unit in range(first, stop):
        at = span[0] + (unit + chance.random()) / units * (span[1] - span[0])
        state = ""
        while state != "delivered":
            machine = _machine(made, at)
            state = _end(chance, machine)
            share = 1.0 if state == "delivered" else chance.random() * 0.9
            held = int(EVENTS * share) if state != "failed" else 0
            lost = 0 if state == "delivered" else int(chance.random() * 20)
            took = max(30.0, EVENTS * share * 4.0 / machine.speed)
            yield Ended(
                0, production, unit, unit * EVENTS, (unit + 1) * EVENTS,
                state, machine.id, machine.account, at, at + 3600, at + 86_400,
                min(made.now, at + took), state, held, held + lost, took * 0.93,
            )  # fmt: skip
            at = min(made.now, at + took)


def _machine(made: Imagination, at: float) -> Machine:
    """One that had joined by then, and is in the mood: nights are longer for some."""
    for _ in range(8):
        found = made.chance.choice(made.pool)
        busy = 0.6 + 0.4 * math.sin(at / DAY * 2 * math.pi)
        if found.joined <= at and (
            found.kind is not MachineKind.VOLUNTEER or made.chance.random() < busy
        ):
            return found
    return min(made.pool[:50], key=lambda one: one.joined)


def _end(chance: random.Random, machine: Machine) -> str:
    left = chance.random()
    if machine.kind is MachineKind.CLOUD and left < 0.15:
        return "expired"
    for state, share in _ENDS:
        left -= share
        if left < 0:
            return state
    return "delivered"


async def _write(
    made: Imagination, production: int, rows: list[Ended], units: range, tx: Tx
) -> None:
    """Everything that leases leave behind."""
    highest = await tasks.highest(tx)
    rows = [row._replace(id=highest + n) for n, row in enumerate(rows, 1)]
    await imagined.tasks(tx, rows)
    await imagined.units(tx, production, units, EVENTS * EVENT_BYTES)
    await imagined.frames(tx, rows, EVENT_BYTES)
    for row in rows:
        cause = f"leased to host {row.host}"
        moves.log(tx, production, "task", row.id, "ready", "leased", cause, row.leased_at)
        moves.log(tx, production, "task", row.id, "leased", row.state, row.cause, row.ended_at)
        if row.state == "delivered":
            await _agreed(tx, row)
        elif row.state == "failed":
            await findings.add(tx, _found(made.chance, row))
        elif made.chance.random() < WRONG:
            low, high = row.first, row.first + 10
            frames.reject(tx, production, row.unit, row.id, row.host, low, high, row.ended_at)


async def _agreed(tx: Tx, row: Ended) -> None:
    """Its events were agreed with, and paid; its unit is settled, perhaps but for the last ones."""
    at, last = row.ended_at, row.last
    if row.unit % ASIDE_EVERY == ASIDE_EVERY - 1:
        last -= ASIDE
        found = Poison(last, row.last, 3, "crashed")
        await set_aside.add(tx, row.production, row.unit, found, "made up", at)
    moves.log(tx, row.production, "unit", row.unit, "open", "settled", "settle", at)
    micros = (last - row.first) * 2_500_000
    credit.book(
        tx, Entry(row.id, row.first, last, row.host, row.account, row.production, micros), at
    )
    hosts.tally(tx, row.host, last - row.first, 0)


def _found(chance: random.Random, row: Ended) -> Found:
    return Found(
        row.id, row.production, row.unit, row.host, row.account, "failed", "crashed", "",
        _skewed(chance, _KINDS), "retry-elsewhere", True, "made up", "made up", row.ended_at,
    )  # fmt: skip
