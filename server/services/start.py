"""Brings what is in the table back into memory when a server starts."""

from __future__ import annotations

from server.db import frames, set_aside, tasks, units
from server.db.base import Tx
from server.db.tasks import Task
from server.domain.intervals import Intervals
from server.services import agentbans, bans, gauges, powers, quotas, rollups, scan, trusting
from server.services.cards import TaskCard
from server.services.deps import Deps
from server.services.enrol import load_hosts
from server.services.produce import load_productions
from server.services.recover import recover
from server.services.upkeep import alerts

Place = tuple[int, int]
Found = tuple[int, list[Task], list[tuple[int, int, int]], list[Place], dict[int, int], set[int]]


async def load(deps: Deps) -> None:
    """Hosts, productions, leased tasks with what is in hand of them, units to be judged.

    Every lease gets its full time anew: while the server was away nobody could renew one.
    """
    await load_hosts(deps)
    await trusting.load(deps)
    await quotas.load(deps)
    await bans.load(deps)
    await agentbans.load(deps)
    await powers.load(deps)
    await load_productions(deps)
    await recover(deps)
    deps.store.lead(deps.frames.lead)
    await rollups.begin(deps)
    await gauges.begin(deps)
    highest, leased, held, dirty, lent, needless = await deps.store.read(_read)
    deps.registry.task_id = deps.registry.found = highest
    coverage: dict[int, list[tuple[int, int]]] = {}
    for task, first, last in held:
        coverage.setdefault(task, []).append((first, last))
    now = deps.clock()
    for row in leased:
        production = deps.registry.productions.get(row.production)
        lease_s = production.definition.policy.lease_s if production else 0.0
        card = TaskCard(row, now + lease_s, Intervals(coverage.get(row.id, ())))
        card.heard_at, card.lent = now, lent.get(row.id, 0)
        deps.registry.add_task(card)
        if row.id in needless:  # its frames went with its unit, and it is told to drop what it has
            card.held = card.held.add(row.first, row.last)
            deps.surplus.append(card)
        host = deps.registry.hosts.get(row.host or 0)
        if host is not None:
            host.last_ask = row.ask
    if deps.surplus:
        deps.signals.judge.set()
    for number, unit in dirty:
        deps.mark(number, unit)
    await scan.load(deps)
    await alerts.load(deps)
    deps.signals.merge.set()


async def _read(tx: Tx) -> Found:
    return (
        await tasks.highest(tx),
        await tasks.leased(tx),
        await frames.held_by_leased(tx),
        [*await units.dirty(tx), *await set_aside.unwritten(tx)],
        await tasks.lent(tx),
        await tasks.needless(tx),
    )
