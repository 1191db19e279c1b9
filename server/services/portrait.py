"""One host, looked at closely: what it is, how far it is believed, what is held against it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from server.db import bans, hosts, moves, payloads, powers, views
from server.db.bans import Past
from server.db.base import Tx
from server.db.hosts import Host
from server.db.moves import Move
from server.db.powers import Said, Told
from server.db.views import HostTask
from server.domain import quota
from server.domain.errors import NotFound
from server.services import credit, quotas, words
from server.services.cards import HostCard
from server.services.deps import Deps
from server.services.factsheet import from_text
from server.services.hostview import HostView, believed, revoked
from server.services.powers import PowerView
from server.services.powers import views as power_views
from server.services.words import HostTrust

TASKS = 50  # latest tasks that are shown
MOVES = 50


@dataclass(frozen=True)
class QuotaView:
    """What is held against a host for one payload: bad leases of those that it may have a day."""

    payload: str
    bad: int
    allowed: int
    most: int
    left: int


@dataclass(frozen=True)
class BanView:
    """A ban, of a host or of another kind; ``host`` and ``name`` are 0 and empty if of no host.

    It stands unless ``ended_at`` is said; ``ended_by`` is empty if it ended by itself.
    """

    id: int
    kind: str
    subject: str
    host: int
    name: str
    reason: str
    by: str
    at: float
    until: float | None
    ended_at: float | None
    ended_by: str


@dataclass(frozen=True)
class SpeedView:
    """How fast a host computes the events of a production."""

    production: str
    seconds_per_event: float


@dataclass(frozen=True)
class TaskView:
    """A lease of a host, of whichever production; ``held`` are the events in hand of it."""

    id: int
    production: str
    first: int
    last: int
    state: str
    held: int
    leased_at: float
    ended_at: float | None
    cause: str


@dataclass(frozen=True)
class StepView:
    """A step of a host or of its trust."""

    at: float
    machine: str
    source: str
    target: str
    cause: str


@dataclass(frozen=True)
class Portrait:
    """Everything that people are shown of one host; memory and disk in MB.

    ``rests_until`` is when it may ask again after failures, ``failures`` how many in a row.
    ``tasks`` are the latest, at most 50. ``benchmarks`` are those of operators, and its own word.
    """

    host: HostView
    now: float
    enrolled_at: float
    memory_mb: int
    disk_mb: int
    paths: list[str]
    network: bool
    failures: int
    rests_until: float
    proven: int
    lost: int
    trust: HostTrust
    speeds: list[SpeedView] = field(default_factory=list)
    quotas: list[QuotaView] = field(default_factory=list)
    bans: list[BanView] = field(default_factory=list)
    tasks: list[TaskView] = field(default_factory=list)
    moves: list[StepView] = field(default_factory=list)
    benchmarks: list[PowerView] = field(default_factory=list)


@dataclass(frozen=True)
class _Read:
    row: Host
    bans: list[Past]
    tasks: list[HostTask]
    moves: list[Move]
    names: dict[str, str]
    said: list[Said]
    told: Told


async def show(deps: Deps, host: int) -> Portrait:
    """Everything of one host, believed or not. Raises NotFound."""

    async def read(tx: Tx) -> _Read:
        row = await hosts.one(tx, host)
        if row is None:
            raise NotFound("host", host)
        return _Read(
            row,
            await bans.of_host(tx, host, MOVES),
            await views.tasks_of_host(tx, host, TASKS),
            await moves.of_host(tx, host, MOVES),
            {one.digest: f"{one.name} {one.version}" for one in await payloads.everyone(tx)},
            await powers.of_host(tx, host),
            await powers.told_by(tx, host),
        )

    found, now = await deps.store.read(read), deps.clock()
    trust, card = await words.show(deps, host), deps.registry.hosts.get(host)
    sheet = from_text(found.row.facts)
    facts = sheet.facts if card is None else card.facts
    return Portrait(
        await _view(deps, found.row, card, now), now, found.row.enrolled_at,
        facts.memory_mb, facts.disk_mb, list(facts.paths), facts.network,
        0 if card is None else card.failures,
        0.0 if card is None else card.rests_until,
        0 if card is None else card.proven,
        0 if card is None else card.lost,
        trust, [] if card is None else _speeds(deps, card),
        [] if card is None else _quotas(deps, card, found.names, now),
        [view_of(deps, past, now) for past in found.bans],
        [_task(deps, one) for one in found.tasks],
        _steps(found.moves, trust), power_views(found.said, found.told, facts.cores),
    )  # fmt: skip


async def all_bans(deps: Deps, most: int) -> list[BanView]:
    """The latest bans, those that stand first."""
    now = deps.clock()
    found = await deps.store.read(lambda tx: bans.latest(tx, most))
    made = [view_of(deps, past, now) for past in found]
    return sorted(made, key=lambda ban: (ban.ended_at is not None, -ban.id))


def view_of(deps: Deps, past: Past, now: float) -> BanView:
    """A ban as people see it."""
    host = int(past.subject) if past.kind == "host" else 0
    ended = past.lifted_at
    if ended is None and past.until is not None and past.until <= now:
        ended = past.until
    name = deps.registry.names.get(host, f"host {host}") if host else ""
    return BanView(
        past.id, past.kind, past.subject, host, name, past.reason, past.by, past.at, past.until,
        ended, past.lifted_by,
    )  # fmt: skip


async def _view(deps: Deps, row: Host, card: HostCard | None, now: float) -> HostView:
    if card is None:
        return revoked(row)
    tally = {card.id: (row.agreed_events, row.rejected_events)}
    return replace(
        believed(card, tally, now, deps.registry.site_name(card.site)),
        trust=str(words.summary(deps, card.id)),
        credit=(await credit.sums(deps)).hosts.get(card.id, 0.0),
    )


def _speeds(deps: Deps, card: HostCard) -> list[SpeedView]:
    known = deps.registry.productions
    return [
        SpeedView(known[number].name, seconds)
        for number, seconds in sorted(card.speeds.items())
        if number in known
    ]


def _quotas(deps: Deps, card: HostCard, names: dict[str, str], now: float) -> list[QuotaView]:
    most, today = quotas.most_of(deps, card), int(now // quota.DAY_S)
    return [
        QuotaView(
            names.get(payload, payload[:16]), held.bad if held.day == today else 0,
            min(held.allowed, most), most, quota.left(held, most, 0, now),
        )
        for payload, held in sorted(card.quotas.items())
    ]  # fmt: skip


def _steps(own: list[Move], trust: HostTrust) -> list[StepView]:
    steps = [StepView(m.at, m.machine, m.source, m.target, m.cause) for m in own]
    steps += [StepView(m.at, "trust", m.source, m.target, m.cause) for m in trust.moves]
    return sorted(steps, key=lambda step: -step.at)[:MOVES]


def _task(deps: Deps, one: HostTask) -> TaskView:
    card = deps.registry.tasks.get(one.id)
    held = one.held if card is None else card.held.events
    return TaskView(
        one.id, one.production, one.first, one.last, one.state, held, one.leased_at, one.ended_at,
        one.cause,
    )  # fmt: skip
