"""Ends leases: those that ran out, those nobody needs, those of hosts believed no longer."""

from __future__ import annotations

import contextlib
import logging

from server.db import frames, hosts, segments, sites
from server.db.base import Tx
from server.domain.errors import NotFound, Overtaken
from server.services import enrol
from server.services.cards import TaskCard
from server.services.deps import Deps
from server.services.report import end

log = logging.getLogger("windfall.reap")
KEPT_S = 60.0  # a lease of a suspended host is prolonged by
SAVE_S = 60.0  # how often "last seen" is written: the memory knows it better


async def reap(deps: Deps) -> int:
    """Expire the leases whose time is over; how many.

    Signs of life only move a lease's end away, and a new lease lasts as long as its production
    says: until the earliest end there is, or the shortest lease from now, none can run out.
    """
    now, registry = deps.clock(), deps.registry
    if now < deps.none_over_before.get(registry.version, 0.0):
        return 0
    late = [card for card in registry.tasks.values() if card.until < now]
    late = [card for card in late if not _kept(deps, card, now)]
    shortest = min((p.definition.policy.lease_s for p in registry.productions.values()), default=1)
    soonest = min((card.until for card in registry.tasks.values()), default=now + shortest)
    deps.none_over_before = {registry.version: max(now, min(soonest, now + shortest))}
    for card in late:
        cause = "deliver" if card.covered else "expire"
        await _end(deps, card, cause)
        log.info("lease over", extra={"action": cause, "task": card.row.id, "host": card.row.host})
    return len(late)


def _kept(deps: Deps, card: TaskCard, now: float) -> bool:
    """Whether a lease goes on because its host is suspended by a switch, up to its deadline."""
    host, deadline = deps.registry.hosts.get(card.row.host or 0), card.row.deadline
    if host is None or not (host.away and host.suspended) or (deadline and deadline <= now):
        return False
    card.until = now + KEPT_S
    card.grown_at = now
    return True


async def relieve(deps: Deps) -> None:
    """Take leases back whose unit is settled already, and tell their hosts."""
    while deps.surplus:
        card = deps.surplus[-1]
        await _end(deps, card, "deliver" if card.covered else "abort")
        await tell(deps, card)
        deps.surplus.remove(card)


async def tell(deps: Deps, card: TaskCard) -> None:
    """Command the host of a lease to stop computing it."""
    if card.row.host in deps.registry.hosts:
        with contextlib.suppress(NotFound):
            args = {"task": str(card.row.id)}
            await enrol.order(deps, card.row.host or 0, "abort", args, "server")


async def vacate(deps: Deps, production: int) -> None:
    """Nothing of this production is computed any more: end its leases and tell their hosts."""
    for card in [c for c in deps.registry.tasks.values() if c.row.production == production]:
        await take_back(deps, card)


async def revoke(deps: Deps, host: int, by: str) -> None:
    """Believe a host no longer, and give what it had leased to others. Raises NotFound."""
    await enrol.revoke_host(deps, host, by)
    await release_host(deps, host)


async def release_host(deps: Deps, host: int) -> None:
    """Give what a host has leased to others."""
    for card in [c for c in deps.registry.tasks.values() if c.row.host == host]:
        await _end(deps, card, "abort")


async def take_back(deps: Deps, card: TaskCard) -> None:
    """End a lease that its host need not go on with, and tell it."""
    await _end(deps, card, "abort")
    await tell(deps, card)


async def _end(deps: Deps, card: TaskCard, cause: str) -> None:
    try:
        await end(deps, card, cause)
    except Overtaken:
        deps.registry.drop_task(card.row.id)


async def free_segments(deps: Deps) -> list[int]:
    """Delete the segments of which no frame is needed any more; which.

    A segment has to be found idle twice: the row of a frame may have been committed after the look.
    """
    quiet = deps.segments.quiet()  # before the look: of what is quiet now, it sees every row
    used = await deps.store.read(frames.segments)
    idle = set(deps.segments.numbers()) - set(used)
    over = idle & deps.idle & quiet
    if over:
        # Before the file goes: its number may be given again, and a segment that is wrongly held to
        # be closed is not looked through after a crash.
        await deps.store.write(lambda tx: segments.forget(tx, over))
    freed = [number for number in over if deps.segments.release(number)]
    deps.idle = idle - set(freed)
    return freed


async def save_seen(deps: Deps) -> None:
    """Write down when hosts were last heard of."""
    cards = [c for c in deps.registry.hosts.values() if c.seen_at - c.saved_at > SAVE_S]
    if not cards:
        return

    async def write(tx: Tx) -> None:
        for card in cards:
            hosts.saw(tx, card.id, card.seen_at)
            sites.acknowledged(tx, card.id, card.acked)

    await deps.store.write(write)
    for card in cards:
        card.saved_at = card.seen_at
