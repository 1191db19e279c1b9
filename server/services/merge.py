"""Writes the output of a production: its units in order between header and footer, one file."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from server.blobs.seekable import Part, assemble, compress_unit, part_of
from server.db import productions, units
from server.db.base import Tx
from server.db.productions import Production
from server.domain import definition as definitions
from server.domain.production import MOVES, ProductionState
from server.domain.split import units_total
from server.services import formats, produce
from server.services.cards import ProductionCard
from server.services.close import unit_key
from server.services.deps import Deps
from server.services.trouble import readable

log = logging.getLogger("windfall.merge")
SUFFIXES = {"hepmc3": "hepmc3", "lines": "txt", "records": "rec", "raw": "dat"}


async def advance(deps: Deps, card: ProductionCard) -> bool:
    """Merge a production whose units are all settled; True if it is done now."""
    if card.units_settled < units_total(card.events, card.unit):
        return False
    row = await produce.find(deps, str(card.id))
    if row.state in (ProductionState.ACTIVE, ProductionState.PAUSED, ProductionState.HELD):
        row = await _move(deps, card, row, "settled")
    if row.state is not ProductionState.MERGING:
        return False
    stored = await deps.blobs.put(output_key(card.id), _pieces(deps, row))
    now = deps.clock()

    async def write(tx: Tx) -> None:
        await productions.finish(tx, card.id, stored.size, stored.sha256, now)
        target = MOVES.after(ProductionState.MERGING, "merged")
        await productions.move(tx, card.id, row.state, target, "merged", "", now)

    await deps.store.write(write)
    deps.registry.productions.pop(card.id, None)
    deps.lines.pop(card.id, None)
    deps.parked.pop(card.id, None)
    deps.registry.changed()
    log.info("production done", extra={"action": "merge", "production": card.name})
    return True


async def _move(deps: Deps, card: ProductionCard, row: Production, cause: str) -> Production:
    now, target = deps.clock(), MOVES.after(row.state, cause)
    await deps.store.write(
        lambda tx: productions.move(tx, row.id, row.state, target, cause, "", now)
    )
    card.state = target
    deps.registry.changed()
    return await produce.find(deps, str(row.id))


async def _pieces(deps: Deps, row: Production) -> AsyncIterator[bytes]:
    async for piece in assemble(_parts(deps, row)):
        yield piece


async def _parts(deps: Deps, row: Production) -> AsyncIterator[Part]:
    form = formats.find(definitions.parse(row.definition).format)
    if form.header:
        yield compress_unit(form.header)
    for unit in await deps.store.read(lambda tx: units.of(tx, row.id)):
        data = await deps.blobs.get(unit_key(row.id, unit.number))
        yield part_of(data)
    if form.footer:
        yield compress_unit(form.footer)


def stream(deps: Deps, row: Production, offset: int, count: int) -> AsyncIterator[bytes]:
    """The bytes of a merged output from ``offset`` on. Raises Unavailable."""
    return readable(deps.blobs.stream(output_key(row.id), offset, count))


def output_key(production: int) -> str:
    """The blob of a merged output."""
    return f"productions/{production}/output.zst"


def file_name(row: Production) -> str:
    """What a downloaded output is called."""
    form = definitions.parse(row.definition).format
    return f"{row.name}.{SUFFIXES.get(form, 'dat')}.zst"
