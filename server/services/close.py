"""Closes a unit whose events are all settled: its blob is written, then its frames forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from server.db import frames, productions, units
from server.db.base import Tx
from server.db.event_failures import EventFailure
from server.db.frames import FrameRow
from server.db.set_aside import Aside
from server.db.tasks import Task
from server.db.units import Unit
from server.domain import workunit
from server.domain.errors import Overtaken
from server.domain.quorum import Rejected
from server.domain.split import unit_range
from server.domain.task import TaskState
from server.services.cards import ProductionCard
from server.services.deps import Deps
from server.services.pack import pack_unit
from server.services.waiting import withdraw


@dataclass(frozen=True)
class Picture:
    """A unit as it stands in the table at one moment."""

    unit: Unit
    tasks: list[Task]
    frames: list[FrameRow]
    settled: list[tuple[int, int, int]]
    rejected: list[Rejected]
    failures: list[EventFailure]
    aside: list[Aside]


async def unchanged(tx: Tx, unit: Unit) -> None:
    """`Overtaken` if a unit is not in the state in which it was read."""
    found = await units.one(tx, unit.production, unit.number)
    if found is None or found.state is not unit.state:
        raise Overtaken("unit", unit.number)


async def close(
    deps: Deps, card: ProductionCard, picture: Picture, chosen: Sequence[tuple[int, int, int]]
) -> None:
    """Write the blob of a unit: of each settled interval (first, last, task) what its task sent.

    Raises BlobTrouble, Unreadable, Overtaken; then the unit is to be judged again.
    """
    unit = picture.unit
    first, last = unit_range(unit.number, card.unit, card.events)
    packed = await asyncio.to_thread(
        pack_unit, deps.segments, card.definition.payload.granule, picture.frames, chosen
    )
    stored = await deps.blobs.put(unit_key(card.id, unit.number), packed.data)
    now = deps.clock()
    settled = last - first - sum(part.last - part.first for part in picture.aside)

    async def write(tx: Tx) -> None:
        await unchanged(tx, unit)
        await units.clean(tx, card.id, unit.number, unit.dirty)
        await units.keep(tx, card.id, unit.number, stored.size, packed.content, stored.sha256)
        await units.move(
            tx, card.id, unit.number, unit.state,
            workunit.MOVES.after(unit.state, "settle"), "settle", "", now,
        )  # fmt: skip
        await productions.add_settled(tx, card.id, 1, settled)
        await withdraw(tx, deps, card.id, unit.number)
        await frames.drop(tx, card.id, unit.number)

    await deps.store.write(write)
    deps.line(card.id).forget_unit(unit.number)
    card.settled += settled
    card.units_settled += 1
    for task in picture.tasks:
        leased = deps.registry.tasks.get(task.id)
        if task.state is TaskState.LEASED and leased is not None:
            deps.surplus.append(leased)
    deps.signals.merge.set()


def unit_key(production: int, number: int) -> str:
    """The blob of a settled unit."""
    return f"productions/{production}/units/{number // 1000:06d}/{number:09d}.zst"
