"""Which ranges this host gets: the hot path of the server."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any, NamedTuple, Protocol

from server.db import moves, tasks, units
from server.db.base import Tx
from server.db.tasks import Ready, Task
from server.domain import match, sizing
from server.domain.definition import Definition
from server.domain.intervals import Intervals
from server.domain.line import Line, Taken
from server.domain.quota import at_once, wait_s
from server.domain.task import TaskState
from server.services import idling, quotas
from server.services.cards import Fits, HostCard, ProductionCard, TaskCard
from server.services.deps import Deps, LeaseValue
from server.services.hands import is_swift
from server.services.refill import refill

log = logging.getLogger("windfall.dispatch")

PROBES = 4  # manifests a host is asked to probe at once
NOTHING = 6.0  # times as long to wait if there is no production at all
SPENT_S = 3600.0  # at most so long a host waits that has spoilt what it may of a day
AWAY_S = 30.0  # until a host asks again whose site is offline; to be told to resume takes no ask
STILL_S = 3600.0  # a lease that does not grow for this long ends, or for as long as it may run
STILL_LEASES = 10.0  # times the lease's own time that it may stand still
_INSIDE = Intervals()


class Asked(Protocol):
    """What a host asks for."""

    @property
    def ask(self) -> str:
        """The id of this question, the host's own."""
        ...

    @property
    def slots(self) -> int:
        """How many tasks it runs at a time."""
        ...

    @property
    def most_leases(self) -> int:
        """How many leases it takes."""
        ...

    @property
    def seconds_left(self) -> float | None:
        """How long it will be there, on its own word."""
        ...

    @property
    def memory_mb(self) -> int:
        """What it has to spare."""
        ...

    @property
    def disk_mb(self) -> int:
        """What it has to spare."""
        ...


class Offer(NamedTuple):
    """What it gets: sealed leases, manifests to probe first, or when to ask again."""

    sealed: Any = None
    leases: tuple[LeaseValue, ...] = ()
    probes: tuple[str, ...] = ()
    retry_after: float = 0.0


class _Round:
    """One ask while it is answered."""

    __slots__ = (
        "asked",
        "card",
        "cards",
        "deps",
        "dry",
        "leases",
        "most",
        "now",
        "probes",
        "spent",
    )

    def __init__(self, deps: Deps, card: HostCard, asked: Asked, now: float, most: int) -> None:
        self.deps, self.card, self.asked, self.now, self.most = deps, card, asked, now, most
        self.leases: list[LeaseValue] = []
        self.cards: list[TaskCard] = []
        self.dry: list[ProductionCard] = []
        self.probes: list[str] = []
        self.spent = False


async def lease(deps: Deps, card: HostCard, asked: Asked) -> Offer:
    """Lease ranges to a host. The same ask twice is answered with the same leases.

    Raises TooMany if the host asks more often than it may.
    """
    now = deps.clock()
    idling.asks(deps, card)
    card.asks.take(now, deps.limits.work_per_minute)
    if card.away:  # its farm takes data: the command rides on this answer
        return Offer(retry_after=AWAY_S)
    if asked.ask == card.last_ask:
        return await _again(deps, card, asked)
    most = min(asked.most_leases, _room(deps, card, asked))
    if most <= 0 or card.rests_until > now:
        return Offer(retry_after=max(deps.limits.retry_s, card.rests_until - now))
    # Asks that come at once do not share the same room.
    card.promised += most
    try:
        return await _lease(_Round(deps, card, asked, now, most))
    finally:
        card.promised -= most


def _room(deps: Deps, card: HostCard, asked: Asked) -> int:
    """How many leases more a host may have: it could keep all there is from the others else."""
    card.slots = max(1, min(asked.slots, card.facts.cores, deps.limits.slots_per_host))
    return at_once(card.slots, card.failures) - len(card.tasks) - card.promised


async def _lease(this: _Round) -> Offer:
    deps, card, asked = this.deps, this.card, this.asked
    offer = await deps.store.write(partial(_attempt, this))
    if this.dry and not this.leases and await _fill(deps, this.dry):
        this.dry.clear()
        this.probes.clear()
        offer = await deps.store.write(partial(_attempt, this))
    for production in this.dry:
        _ = _filling(deps, production)
    for task in this.cards:
        deps.registry.add_task(task)
    card.last_ask = asked.ask
    return offer


async def _attempt(this: _Round, tx: Tx) -> Offer:
    """Take ranges and write the leases; may run again from the start."""
    this.leases.clear()
    this.cards.clear()
    this.dry.clear()
    this.probes.clear()
    this.spent = False
    unable = this.deps.registry.unable
    for production in _fitting(this):
        if unable and this.deps.registry.is_unable(this.card.id, production.digest, this.now):
            continue
        most_leases = _most_of(this, production)
        if most_leases <= len(this.leases) or not _in_time(this, production):
            continue
        klass = _class_of(this, production)
        if klass is None:
            this.probes.append(production.digest)
            continue
        line = this.deps.line(production.id)
        while len(this.leases) < most_leases:
            most = _how_many(this, production, line)
            swift = not line.rush or is_swift(this.deps, this.card, production)
            memory_mb = this.asked.memory_mb
            taken = line.take(this.card.account, klass, most, production.cut, memory_mb, swift)
            if taken is None:
                break
            tx.on_abort(partial(line.put_back, taken))
            if taken.split is not None:
                tail = Ready(taken.waiting.id, taken.split.unit, taken.first, taken.waiting.last)
                await tasks.split(tx, production.id, taken.split.id, tail)
            _write(this, tx, production, taken, klass)
        if len(line) * 2 < this.deps.limits.window and not line.ended:
            this.dry.append(production)
    if this.leases:
        sealed = this.deps.seal(this.leases)
        return Offer(sealed=sealed, leases=tuple(this.leases))
    if this.probes:
        return Offer(probes=tuple(this.probes[:PROBES]))
    wait = this.deps.limits.retry_s
    if this.spent:
        return Offer(retry_after=min(SPENT_S, max(wait, wait_s(this.now))))
    least = wait if this.deps.registry.productions else NOTHING * wait
    return Offer(retry_after=this.deps.idling.pause(this.card.id, this.now, least, this.deps))


def _most_of(this: _Round, production: ProductionCard) -> int:
    """With how many leases a production may leave a host; fewer today, if it spoilt some."""
    if not this.card.quotas:
        return this.most
    left = quotas.left(this.deps, this.card, production, this.now)
    this.spent = this.spent or left == 0
    return min(this.most, len(this.leases) + left)


def _fitting(this: _Round) -> list[ProductionCard]:
    """The productions whose requirements the host meets, found once while nothing changes."""
    registry, card = this.deps.registry, this.card
    if card.fits.version != registry.version:
        fits = [p for p in registry.active() if not match.unmet(p.requirements, card.facts)]
        card.fits = Fits(
            registry.version,
            fits,
            max((p.requirements.memory_mb for p in fits), default=0),
            max((p.requirements.disk_mb for p in fits), default=0),
        )
    memory_mb, disk_mb = this.asked.memory_mb, this.asked.disk_mb
    if card.fits.memory_mb <= memory_mb and card.fits.disk_mb <= disk_mb:
        return card.fits.productions
    return [
        production
        for production in card.fits.productions
        if production.requirements.memory_mb <= memory_mb
        and production.requirements.disk_mb <= disk_mb
    ]


def _class_of(this: _Round, production: ProductionCard) -> str | None:
    if not production.definition.payload.reference:
        return ""
    return this.card.classes.get(production.digest)


def _in_time(this: _Round, production: ProductionCard) -> bool:
    speed, left = this.card.speeds.get(production.id), this.asked.seconds_left
    return left is None or sizing.in_time(speed, left, production.definition.payload.block)


def _how_many(this: _Round, production: ProductionCard, line: Line) -> int:
    waiting = line.events + (
        (production.events - production.next_unit * production.unit)
        * production.definition.policy.first_copies
        if production.next_unit * production.unit < production.events
        else 0
    )
    speed = this.card.speeds.get(production.id)
    registry = this.deps.registry
    # After a break everybody comes back at once, and the first must not take it all.
    others = max(len(registry.tasks), registry.here - 1)
    return sizing.lease_events(
        speed,
        this.asked.seconds_left,
        sizing.share_events(waiting, others),
        production.definition.policy.longest_s,
        sizing.least_events(speed, production.definition.payload.block),
    )


def _write(this: _Round, tx: Tx, production: ProductionCard, taken: Taken, klass: str) -> None:
    policy, card, now = production.definition.policy, this.card, this.now
    until, deadline = now + policy.lease_s, now + policy.deadline_s
    task_id = taken.waiting.id if taken.rest is None else this.deps.registry.next_task()
    row = Task(
        task_id, production.id, taken.waiting.unit, taken.first, taken.last, TaskState.LEASED,
        card.id, card.account, this.asked.ask, now, until, deadline,
    )  # fmt: skip
    if taken.rest is None:
        tasks.lease_whole(tx, row)
    else:
        tasks.lease_head(tx, row, taken.rest)
    if taken.pinned and klass:
        units.pin(tx, production.id, row.unit, klass)
    moves.log(tx, production.id, "task", task_id, "ready", "leased", card.lease_cause, now)
    needs = this.deps.line(production.id).needs
    memory_mb = needs.get(row.unit, 0) if needs else 0
    this.cards.append(TaskCard(row, until, _INSIDE, memory_mb=memory_mb))
    this.leases.append(
        LeaseValue(
            task_id, production.id, production.digest, card.id, row.first, row.last,
            now, deadline, this.asked.ask, memory_mb,
        )
    )  # fmt: skip


async def _again(deps: Deps, card: HostCard, asked: Asked) -> Offer:
    """The answer to an ask that was answered before: what of it is still leased."""
    leases = [
        LeaseValue(
            row.id, row.production, deps.registry.productions[row.production].digest, card.id,
            row.first, row.last, row.leased_at or 0.0, row.deadline or 0.0, asked.ask,
            task.memory_mb,
        )
        for task in card.tasks.values()
        for row in (task.row,)
        if row.ask == asked.ask and row.production in deps.registry.productions
    ]  # fmt: skip
    if not leases:
        return Offer(retry_after=deps.limits.retry_s)

    async def seal(tx: Tx) -> Any:
        return deps.seal(leases)

    return Offer(sealed=await deps.store.write(seal), leases=tuple(leases))


async def _fill(deps: Deps, dry: list[ProductionCard]) -> bool:
    """Wait until there is more in memory, together with all who wait; False if there is no more."""
    return any([await asyncio.shield(_filling(deps, production)) for production in dry])


def _filling(deps: Deps, production: ProductionCard) -> asyncio.Task[bool]:
    """What brings more of a production into memory; started, if it does not run."""
    task = deps.filling.get(production.id)
    if task is None:
        task = asyncio.get_running_loop().create_task(refill(deps, production))
        deps.filling[production.id] = task
        task.add_done_callback(partial(_filled, deps, production.id))
    return task


def _filled(deps: Deps, production: int, task: asyncio.Task[bool]) -> None:
    deps.filling.pop(production, None)
    if not task.cancelled() and task.exception() is not None:
        log.error("no more work read", extra={"action": "refill"}, exc_info=task.exception())


def renew(deps: Deps, task: TaskCard, now: float) -> None:
    """A sign of life: the lease slides forward, up to its absolute deadline.

    It slides no more if for long nothing came of it and its host told of no progress either.
    """
    task.heard_at = now
    production = deps.registry.productions.get(task.row.production)
    lease_s = production.definition.policy.lease_s if production else 60.0
    if task.bytes + task.done > task.grown:
        task.grown, task.grown_at = task.bytes + task.done, now
    elif production and now - task.grown_at > _still(production.definition):
        return
    until, deadline = now + lease_s, task.row.deadline
    task.until = until if not deadline or until < deadline else deadline


def _still(definition: Definition) -> float:
    """For how long a lease may stand still, in s: a program may tell nothing before its end."""
    policy = definition.policy
    told = max(2 * policy.longest_s, definition.limits.silence_s)
    return max(STILL_S, STILL_LEASES * policy.lease_s, told)
