"""Keeps what is held against hosts: changed by how their leases end, asked before one is given."""

from __future__ import annotations

from functools import partial

from server.db import quotas as rows
from server.db.base import Tx
from server.db.tasks import Task
from server.domain import quota
from server.domain.quota import Quota
from server.domain.task import TaskState
from server.services.cards import HostCard, ProductionCard
from server.services.deps import Deps

BAD = (TaskState.FAILED, TaskState.EXPIRED)


def most_of(deps: Deps, card: HostCard) -> int:
    """The bad leases a day of a host that nothing is held against."""
    return deps.limits.bad_per_day * max(1, card.slots)


async def note(tx: Tx, deps: Deps, row: Task, target: TaskState) -> None:
    """A lease of a host ended so."""
    card = deps.registry.hosts.get(row.host or 0)
    production = deps.registry.productions.get(row.production)
    if card is None or production is None:
        return
    before, most, now = card.quotas.get(production.bundle), most_of(deps, card), deps.clock()
    after: Quota | None
    if target in BAD:
        after = quota.spoilt(before, most, now)
    elif target is TaskState.DELIVERED and before is not None:
        after = quota.delivered(before, most, now)
    else:
        return
    tx.on_abort(partial(_hold, card, production.bundle, before))
    _hold(card, production.bundle, after)
    await rows.keep(tx, card.id, production.bundle, after)


async def forgive(tx: Tx, deps: Deps, host: int, production: int, leases: int) -> None:
    """So many failed leases of a host are put down to the payload after all."""
    card, found = deps.registry.hosts.get(host), deps.registry.productions.get(production)
    if card is None or found is None:
        return
    before = card.quotas.get(found.bundle)
    if before is None:
        return
    after = quota.forgiven(before, leases, most_of(deps, card), deps.clock())
    tx.on_abort(partial(_hold, card, found.bundle, before))
    _hold(card, found.bundle, after)
    await rows.keep(tx, card.id, found.bundle, after)


def _hold(card: HostCard, payload: str, found: Quota | None) -> None:
    if found is None:
        card.quotas.pop(payload, None)
    else:
        card.quotas[payload] = found


def left(deps: Deps, card: HostCard, production: ProductionCard, now: float) -> int:
    """How many leases more of a production a host may have today; only asked of those with any."""
    held = card.quotas.get(production.bundle)
    leases = sum(1 for task in card.tasks.values() if task.row.production == production.id)
    return quota.left(held, most_of(deps, card), leases, now)


async def load(deps: Deps) -> None:
    """Bring what is held against hosts into memory."""
    for host, payload, found in await deps.store.read(rows.everything):
        card = deps.registry.hosts.get(host)
        if card is not None:
            card.quotas[payload] = found
