"""Events that fail everywhere are set aside, and may be given back until their unit is written.

A unit with such events is parked when all its others are settled: its blob is written with the last
units of the production, so that a person has until then to look and to have them tried again.
"""

from __future__ import annotations

import logging

from server.db import set_aside, units
from server.db.base import Tx
from server.db.productions import Production
from server.db.set_aside import Aside, Witness
from server.db.units import Unit
from server.domain.errors import NotFound, Refusal
from server.domain.intervals import Intervals
from server.domain.poison import Held, Poison, is_heard, poisoned
from server.domain.split import unit_range, units_total
from server.domain.workunit import UnitState
from server.services import quotas
from server.services.cards import ProductionCard
from server.services.close import Picture, unchanged
from server.services.deps import Deps
from server.services.waiting import withdraw

log = logging.getLogger("windfall.aside")


class AlreadyWritten(Refusal):
    """Event {event} of {name} lies in a unit that is written; make a production for it."""

    code = "already-written"


async def _poisoned(tx: Tx, deps: Deps, card: ProductionCard, picture: Picture) -> list[Poison]:
    """What of a unit has failed with enough accounts and is not set aside yet."""
    policy, number = card.definition.policy, picture.unit.number
    told = [
        one
        for one, witness in await set_aside.told(tx, card.id, number)
        if _is_heard(deps, card, witness)
    ]
    past = Intervals(
        [
            *((a, b) for a, b, _ in picture.settled),
            *((part.first, part.last) for part in picture.aside),
        ]
    )
    left = policy.most_set_aside - await set_aside.count(tx, card.id)
    return poisoned(
        told,
        [Held(row.first, row.last, row.account) for row in picture.frames],
        past,
        unit_range(number, card.unit, card.events),
        card.definition.payload.granule,
        policy.set_aside_after,
        left,
    )


def _is_heard(deps: Deps, card: ProductionCard, who: Witness) -> bool:
    needed, now = card.definition.policy.trust_events, deps.clock()
    standing = deps.registry.book.standing(who.host, card.bundle, needed, now)
    return is_heard(who.active, who.agreed, who.rejected, standing)


async def put_aside(deps: Deps, card: ProductionCard, picture: Picture) -> bool:
    """Set aside what fails everywhere; True if anything was, and the unit is to be judged anew.

    What waits of the unit is withdrawn, as it may hold such an event; its hosts are forgiven.
    """
    if not picture.failures or card.definition.policy.set_aside_after <= 0:
        return False
    number, now = picture.unit.number, deps.clock()

    async def write(tx: Tx) -> tuple[list[Poison], set[int]]:
        found = await _poisoned(tx, deps, card, picture)
        hosts: set[int] = set()
        if found:
            await unchanged(tx, picture.unit)
            await withdraw(tx, deps, card.id, number)
            units.mark(tx, card.id, number)
        for one in found:
            text = await set_aside.log_of(tx, card.id, number, one.first, one.last)
            hosts.update(await set_aside.hosts_of(tx, card.id, number, one.first, one.last))
            for host, leases in await set_aside.failed_of(tx, card.id, number, one.first, one.last):
                await quotas.forgive(tx, deps, host, card.id, leases)
            await set_aside.add(tx, card.id, number, one, text, now)
        return found, hosts

    found, hosts = await deps.store.write(write)
    if not found:
        return False
    for host in hosts & deps.registry.hosts.keys():
        deps.registry.hosts[host].delivered()
    deps.line(card.id).forgive(now, number)
    deps.mark(card.id, number)
    events = [(one.first, one.last) for one in found]
    log.warning(
        "events set aside",
        extra={"action": "set-aside", "production": card.name, "unit": number, "events": events},
    )
    return True


async def parks(deps: Deps, card: ProductionCard, unit: Unit) -> bool:
    """Whether a unit of which only events set aside are left waits for the others."""
    parked = deps.parked.setdefault(card.id, set())
    parked.add(unit.number)
    if _is_last(deps, card):
        unpark(deps, card)
        parked.discard(unit.number)
        return False
    await deps.store.write(lambda tx: units.clean(tx, card.id, unit.number, unit.dirty))
    return True


def unpark(deps: Deps, card: ProductionCard) -> None:
    """Nothing but parked units may be left: then they are written."""
    parked = deps.parked.get(card.id, set())
    if parked and _is_last(deps, card):
        for number in parked:
            deps.mark(card.id, number)


def _is_last(deps: Deps, card: ProductionCard) -> bool:
    parked = deps.parked.get(card.id, set())
    return card.units_settled + len(parked) >= units_total(card.events, card.unit)


async def known(tx: Tx, production: int, unit: int, failed: tuple[int, int]) -> bool:
    """Whether these events are set aside: that they fail is no news, and nobody's error."""
    aside = await set_aside.of_unit(tx, production, unit)
    return Intervals((part.first, part.last) for part in aside).covers(*failed)


async def of(deps: Deps, production: int) -> list[Aside]:
    """What of a production is set aside, in order."""
    return await deps.store.read(lambda tx: set_aside.of(tx, production))


async def give_back(deps: Deps, row: Production, event: int | None, by: str) -> list[Aside]:
    """Have one event, or all that were set aside and are not written, tried again; which.

    Raises NotFound, AlreadyWritten.
    """
    now = deps.clock()

    async def write(tx: Tx) -> list[Aside]:
        given = []
        for part in await set_aside.of(tx, row.id):
            if event is not None and not part.first <= event < part.last:
                continue
            unit = await units.one(tx, row.id, part.unit)
            if unit is None or unit.state not in (UnitState.OPEN, UnitState.HELD):
                if event is not None:
                    raise AlreadyWritten(event=event, name=row.name)
                continue
            await set_aside.give_back(tx, row.id, part, by, now)
            units.mark(tx, row.id, part.unit)
            given.append(part)
        if event is not None and not given:
            raise NotFound("event set aside", event, "event-unknown")
        return given

    given = await deps.store.write(write)
    for part in given:
        deps.parked.get(row.id, set()).discard(part.unit)
        deps.line(row.id).forgive(now, part.unit)
        deps.mark(row.id, part.unit)
    return given
