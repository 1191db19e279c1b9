"""Productions: planned, created, paused, resumed, aborted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.db import findings, frames, payloads, productions, units
from server.db.base import Tx
from server.db.productions import Production
from server.domain import definition as definitions
from server.domain.definition import Definition, Plan
from server.domain.errors import BadInput, Exists, NotFound
from server.domain.production import MOVES, ProductionState
from server.services import reap
from server.services.cards import ProductionCard
from server.services.deps import Deps
from server.services.waiting import withdraw

OPEN = (
    ProductionState.ACTIVE,
    ProductionState.PAUSED,
    ProductionState.HELD,
    ProductionState.MERGING,
)

_HELD = ProductionState.HELD


@dataclass(frozen=True)
class Signed:
    """A manifest whose signature the door has checked: its text, its digest, what it says."""

    text: str
    digest: str
    value: Mapping[str, Any]


async def check(deps: Deps, text: str, signed: Signed) -> Definition:
    """Read a definition and hold it against its signed manifest.

    Raises Faults, BadInput, Exists.
    """
    found = definitions.parse(text)
    problems = [f"manifest: {word}" for word in found.disagreements(dict(signed.value))]
    digest = str(signed.value.get("payload"))
    known = await deps.store.read(lambda tx: payloads.by_digest(tx, digest))
    if known is None:
        problems.append(
            f"payload {digest[:16]}: not on this server; add it first: windfall payload add"
        )
    elif (known.name, known.version) != (found.payload.name, found.payload.version):
        problems.append(
            f"payload: the manifest names {known.name} {known.version}, the file"
            f" {found.payload.name} {found.payload.version}; sign it again with the right bundle"
        )
    if problems:
        raise BadInput(problems)
    if await deps.store.read(lambda tx: productions.named(tx, found.name)) is not None:
        raise Exists("production", found.name)
    return found


async def plan(
    deps: Deps, text: str, signed: Signed, seconds: float | None, size: float | None
) -> Plan:
    """What a production would do, without doing it. Raises BadInput, Exists."""
    return (await check(deps, text, signed)).plan(seconds, size)


async def create(deps: Deps, text: str, signed: Signed) -> int:
    """A new production, active at once; its id. Raises BadInput, Exists."""
    found, now = await check(deps, text, signed), deps.clock()

    async def write(tx: Tx) -> int | None:
        return await productions.add(
            tx, found.name, text, signed.text, signed.digest, str(signed.value["payload"]),
            found.events, found.unit, found.policy.priority, now,
        )  # fmt: skip

    number = await deps.store.write(write)
    if number is None:
        raise Exists("production", found.name)
    row = await deps.store.read(lambda tx: productions.one(tx, number))
    if row is not None:
        deps.registry.add_production(card_of(row))
    return number


def card_of(row: Production) -> ProductionCard:
    """The card of a row."""
    return ProductionCard(
        row.id, row.name, row.state, row.digest, row.events, row.unit,
        definitions.parse(row.definition), row.next_unit, row.events_settled, row.units_settled,
        row.payload,
    )  # fmt: skip


async def everyone(deps: Deps) -> list[Production]:
    """Every production, newest first."""
    return await deps.store.read(productions.everyone)


async def find(deps: Deps, name: str) -> Production:
    """A production by its name or its id. Raises NotFound."""
    number = int(name) if name.isascii() and name.isdigit() and len(name) < 19 else None
    row = await deps.store.read(
        lambda tx: productions.named(tx, name) if number is None else productions.one(tx, number)
    )
    if row is None:
        raise NotFound("production", name)
    return row


async def move(deps: Deps, name: str, cause: str, by: str) -> Production:
    """Pause, resume, release or abort. Raises NotFound, IllegalMove."""
    row, now = await find(deps, name), deps.clock()
    if cause == "release" and await _release(deps, row, now) and row.state is not _HELD:
        return await find(deps, str(row.id))
    target = MOVES.after(row.state, cause)
    reason = f"{cause} by {by}" if target is not ProductionState.ACTIVE else ""

    async def write(tx: Tx) -> None:
        await productions.move(tx, row.id, row.state, target, f"{cause} by {by}", reason, now)
        if target is ProductionState.ABORTED:
            await withdraw(tx, deps, row.id)
            await units.abort(tx, row.id, now)
            await frames.drop_production(tx, row.id)

    await deps.store.write(write)
    card = deps.registry.productions.get(row.id)
    if card is not None:
        card.state = target
    if target is ProductionState.ABORTED:
        deps.registry.productions.pop(row.id, None)
        await reap.vacate(deps, row.id)
        deps.lines.pop(row.id, None)
        deps.troubles.forget_all(row.id)
    deps.registry.changed()
    return await find(deps, str(row.id))


async def _release(deps: Deps, row: Production, now: float) -> bool:
    """Let the held units of a production that is not over go on; whether there were any."""
    if row.state not in OPEN:
        return False

    async def write(tx: Tx) -> list[int]:
        await findings.forgive(tx, row.id)
        return await units.release(tx, row.id, now)

    released = await deps.store.write(write)
    for number in released:
        deps.line(row.id).forgive(now, number)
        deps.mark(row.id, number)
    return bool(released)


async def load_productions(deps: Deps) -> None:
    """Bring every production that is not over into memory."""
    for row in reversed(await everyone(deps)):
        if row.state in OPEN:
            deps.registry.add_production(card_of(row))
