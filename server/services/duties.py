"""The background duties, each as one round: judge, merge, reap, sweep."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from server.domain.errors import Later, Overtaken
from server.services import endgame, idling, merge, reap, report, switching
from server.services.cards import ProductionCard
from server.services.deps import Deps
from server.services.settle import Memory, settle_unit

log = logging.getLogger("windfall.duties")


@dataclass(eq=False)
class Judge:
    """Judges the units whose leases ended, as they come."""

    deps: Deps
    memory: Memory = field(default_factory=Memory)

    async def once(self) -> None:
        """Judge every unit that waits; one that cannot be judged now does not stop the others.

        Raises Later if the database takes nothing.
        """
        deps = self.deps
        deps.signals.judge.clear()
        for key in deps.troubles.due(deps.clock()):
            deps.dirty[key] = None
        while deps.dirty:
            await hush(deps)
            (production, unit), _ = deps.dirty.popitem()
            card = deps.registry.productions.get(production)
            if card is None:
                self.memory.forget(production, unit)
                deps.troubles.forget_all(production)
            elif not deps.troubles.waits(production, unit, deps.clock()):
                await self._judge(card, unit)
        await reap.relieve(deps)

    async def _judge(self, card: ProductionCard, unit: int) -> None:
        deps = self.deps
        try:
            await settle_unit(deps, self.memory, card, unit)
            deps.troubles.forget(card.id, unit)
        except Overtaken:
            deps.mark(card.id, unit)
        except Later:
            deps.mark(card.id, unit)
            raise
        except Exception as error:
            self.memory.forget(card.id, unit)
            _trouble(deps, card, unit, error)
        except BaseException:
            deps.mark(card.id, unit)
            raise


def _trouble(deps: Deps, card: ProductionCard, unit: int | None, error: Exception) -> None:
    """Keep why something failed; it is tried again after a pause that grows."""
    why = str(error) or type(error).__name__
    kept = deps.troubles.note(card.id, unit, why, deps.clock())
    log.error(
        "failed, to be tried again",
        extra={
            "action": "judge" if unit is not None else "merge", "production": card.name,
            "unit": unit, "tries": kept.tries,
        },
        exc_info=error,
    )  # fmt: skip


async def hush(deps: Deps) -> None:
    """Wait while a farm is being emptied: judging can wait, and leaving in seconds cannot."""
    left = deps.registry.quiet_until - deps.clock()
    if 0 < left <= switching.QUIET_S:  # else the clock was set back
        await asyncio.sleep(left)


async def merge_once(deps: Deps) -> None:
    """Merge every production whose units are all settled. Raises Later as `Judge.once` does."""
    deps.signals.merge.clear()
    for card in list(deps.registry.productions.values()):
        if deps.troubles.waits(card.id, None, deps.clock()):
            continue
        try:
            await merge.advance(deps, card)
            deps.troubles.forget(card.id, None)
        except Later:
            raise
        except Overtaken:
            deps.signals.merge.set()
        except Exception as error:
            _trouble(deps, card, None, error)


async def reap_once(deps: Deps) -> None:
    """Expire leases, let those try again who failed long ago, and write down who was here."""
    deps.registry.count_here(deps.clock())
    idling.wake(deps)
    await reap.reap(deps)
    report.forgive(deps)
    await reap.save_seen(deps)


async def hasten_once(deps: Deps) -> None:
    """Mark what holds up the end of productions; frames without a row would be doubled."""
    await deps.frames.empty(deps.store)
    endgame.hasten(deps)


async def pause(deps: Deps, event: asyncio.Event, most: float) -> None:
    """Until the event, or until something is to be tried again, or this long."""
    try:
        async with asyncio.timeout(deps.troubles.soon(deps.clock(), most)):
            await event.wait()
    except TimeoutError:
        pass
