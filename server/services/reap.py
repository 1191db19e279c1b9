"""Ends leases that ran out, leases nobody needs, and what is left of units that are settled."""

from __future__ import annotations

import logging

from server.db import frames, hosts
from server.db.base import Tx
from server.domain.errors import NotFound, Overtaken
from server.services import enrol
from server.services.cards import TaskCard
from server.services.deps import Deps
from server.services.report import end

log = logging.getLogger("windfall.reap")
SAVE_S = 60.0  # how often "last seen" is written: the memory knows it better


async def reap(deps: Deps) -> int:
    """Expire the leases whose time is over; how many."""
    now = deps.clock()
    late = [card for card in deps.registry.tasks.values() if card.until < now]
    for card in late:
        cause = "deliver" if card.covered else "expire"
        await _end(deps, card, cause)
        log.info("lease over", extra={"action": cause, "task": card.row.id, "host": card.row.host})
    return len(late)


async def relieve(deps: Deps) -> None:
    """Take leases back whose unit is settled already, and tell their hosts."""
    surplus, deps.surplus = deps.surplus, []
    for card in surplus:
        await _end(deps, card, "deliver" if card.covered else "abort")
        if card.row.host in deps.registry.hosts:
            try:
                await enrol.order(
                    deps, card.row.host or 0, "abort", {"task": str(card.row.id)}, "server"
                )
            except NotFound:
                continue


async def _end(deps: Deps, card: TaskCard, cause: str) -> None:
    try:
        await end(deps, card, cause)
    except Overtaken:
        deps.registry.drop_task(card.row.id)


async def free_segments(deps: Deps) -> list[int]:
    """Delete the segments of which no frame is needed any more; which.

    A segment has to be found idle twice: the row of a frame may have been committed after the look.
    """
    used = await deps.store.read(frames.segments)
    idle = set(deps.segments.numbers()) - set(used)
    freed = [number for number in idle & deps.idle if deps.segments.release(number)]
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

    await deps.store.write(write)
    for card in cards:
        card.saved_at = card.seen_at
