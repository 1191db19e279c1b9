"""The background duties, each as one round: judge, merge, reap, sweep."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from server.services import merge, reap
from server.services.deps import Deps
from server.services.settle import Memory, settle_unit

log = logging.getLogger("windfall.duties")


@dataclass(eq=False)
class Judge:
    """Judges the units whose leases ended, as they come."""

    deps: Deps
    memory: Memory = field(default_factory=Memory)

    async def once(self) -> None:
        """Judge every unit that waits."""
        self.deps.signals.judge.clear()
        while self.deps.dirty:
            (production, unit), _ = self.deps.dirty.popitem()
            card = self.deps.registry.productions.get(production)
            if card is None:
                self.memory.forget(production, unit)
                continue
            try:
                await settle_unit(self.deps, self.memory, card, unit)
            except BaseException:
                self.deps.dirty[production, unit] = None
                raise
        await reap.relieve(self.deps)


async def merge_once(deps: Deps) -> None:
    """Merge every production whose units are all settled."""
    deps.signals.merge.clear()
    for card in list(deps.registry.productions.values()):
        await merge.advance(deps, card)


async def reap_once(deps: Deps) -> None:
    """Expire leases, and write down who was here."""
    await reap.reap(deps)
    await reap.save_seen(deps)


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event, or this long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
