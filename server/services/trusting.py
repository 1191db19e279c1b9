"""Books what verdicts say of hosts, and chooses who checks whom."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from functools import partial

from server.db import credit, moves, units
from server.db import trust as rows
from server.db.base import Tx
from server.db.tasks import Ready, Task
from server.domain import trust
from server.domain.faith import Faith, Findings
from server.domain.intervals import Intervals
from server.domain.quorum import Verdict
from server.domain.split import unit_range
from server.domain.trust import History
from server.services.book import KEPT_S
from server.services.cards import HERE_S, ProductionCard
from server.services.deps import Deps


async def load(deps: Deps) -> None:
    """Bring the histories into memory; a new database gets its key."""
    fresh = secrets.token_hex(32)

    async def read(tx: Tx) -> tuple[str, list[tuple[int, str, History]], list[rows.Word]]:
        return await rows.key(tx, fresh), await rows.everything(tx), await rows.words(tx)

    key, histories, words = await deps.store.write(read)
    book = deps.registry.book
    book.key = bytes.fromhex(key)
    for host, payload, found in histories:
        book.put(host, payload, found)
    for word in words:
        book.say(word.host, word)


def faith(deps: Deps, card: ProductionCard, number: int, tasks: Iterable[Task]) -> Faith:
    """How far those are believed who had tasks of a unit, as of now."""
    book, needed, now = deps.registry.book, card.definition.policy.trust_events, deps.clock()
    hosts = {task.host for task in tasks if task.host is not None}
    standings = {host: book.standing(host, card.bundle, needed, now) for host in hosts}
    if not card.definition.policy.adaptive:
        return Faith(standings, None)
    return Faith(standings, _spots(deps, card, number))


def _spots(deps: Deps, card: ProductionCard, number: int) -> Intervals:
    payload, policy = card.definition.payload, card.definition.policy
    bounds = unit_range(number, card.unit, card.events)
    step = trust.grain(payload.granule, payload.block)
    key = deps.registry.book.key
    return trust.spots(key, card.id, number, bounds, step, policy.spot_checks)


async def book(
    tx: Tx, deps: Deps, card: ProductionCard, unit: int, found: dict[int, Findings]
) -> list[tuple[int, int]]:
    """Book what a verdict says of hosts; the other units that are to be judged again for it."""
    again: list[tuple[int, int]] = []
    for host, said in found.items():
        if said.against:
            again += await _catch(tx, deps, card, host, unit, said.against)
        else:
            _praise(tx, deps, card, host, said)
    again = [place for place in again if place != (card.id, unit)]
    mark(tx, again)
    return again


def _praise(tx: Tx, deps: Deps, card: ProductionCard, host: int, said: Findings) -> None:
    keeper, now = deps.registry.book, deps.clock()
    needed = card.definition.policy.trust_events
    before = keeper.histories.get(card.bundle, {}).get(host)
    found = trust.agreed(before or History(), said.agreed, said.by, now)
    if found == before or not said.by:
        return
    was = keeper.standing(host, card.bundle, needed, now)
    tx.on_abort(partial(keeper.put, host, card.bundle, before))
    keeper.put(host, card.bundle, found)
    rows.save(tx, host, card.bundle, found)
    stands = keeper.standing(host, card.bundle, needed, now)
    if stands is not was:
        cause = f"{found.agreed} events of {card.name} and others were agreed with"
        moves.log(tx, card.id, "trust", host, str(was), str(stands), cause, now)


async def _catch(
    tx: Tx, deps: Deps, card: ProductionCard, host: int, unit: int, events: int
) -> list[tuple[int, int]]:
    """A host was caught: its trust is gone, what stands on it is judged again or doubtful."""
    keeper, now = deps.registry.book, deps.clock()
    needed = card.definition.policy.trust_events
    was = keeper.standing(host, card.bundle, needed, now)
    before = keeper.histories.get(card.bundle, {}).get(host)
    found = trust.caught(before or History(), now)
    tx.on_abort(partial(keeper.put, host, card.bundle, before))
    keeper.put(host, card.bundle, found)
    rows.save(tx, host, card.bundle, found)
    word = keeper.words.get(host)
    if word is not None and trust.spent(word.word) is None:
        tx.on_abort(partial(keeper.say, host, word))
        keeper.say(host, None)
        await rows.unsay(tx, host)
    stands = keeper.standing(host, card.bundle, needed, now)
    cause = f"{events} events of unit {unit} were settled against it"
    if stands is not was:
        moves.log(tx, card.id, "trust", host, str(was), str(stands), cause, now)
    return await disbelieve(tx, deps, host, card.bundle, f"{cause} in {card.name}")


async def disbelieve(
    tx: Tx, deps: Deps, host: int, payload: str | None, cause: str
) -> list[tuple[int, int]]:
    """What is written on a host's word is doubtful, and its credit goes back to the productions.

    Returns the open units to be judged again.
    """
    now = deps.clock()
    await credit.take_back(tx, host, payload, cause, now)
    await rows.doubt(tx, host, payload, now)
    again = []
    for production, unit in await rows.units_with(tx, host):
        card = deps.registry.productions.get(production)
        if card is not None and card.definition.policy.adaptive:
            again.append((production, unit))
    return again


async def believe(tx: Tx, deps: Deps, host: int, cause: str) -> None:
    """What is written on a host's word is doubtful no longer, and its credit is given back."""
    await credit.give_back(tx, host, cause, deps.clock())
    await rows.clear(tx, host)


def mark(tx: Tx, again: Iterable[tuple[int, int]]) -> None:
    """These units, by production and number, want to be judged again."""
    for production, unit in again:
        units.mark(tx, production, unit)


def take(
    tx: Tx, card: ProductionCard, unit: int, faith: Faith, verdict: Verdict,
    owners: dict[int, Task], now: float,
) -> None:  # fmt: skip
    """Note on whose word events are taken."""
    for part in verdict.trusted:
        hosts = [owners[task].host or 0 for task in part.agreeing]
        host = next(host for host in hosts if faith.flags(host)[0])
        rows.take(tx, card.id, unit, part.first, part.last, host, now)


def count_checks(
    tx: Tx, card: ProductionCard, faith: Faith, verdict: Verdict, owners: dict[int, Task]
) -> None:
    """Count the events of trusted hosts that others were asked for, and settled."""
    checked = 0
    for part in verdict.settled if faith.spots is not None else ():
        if any(faith.flags(owners[task].host)[0] for task in part.agreeing):
            missing = (faith.spots or Intervals()).missing(part.first, part.last)
            checked += part.last - part.first - missing.events
    if checked:
        rows.check(tx, card.id, checked)


def guards(
    deps: Deps, card: ProductionCard, ready: Iterable[Ready], held: Intervals
) -> dict[int, Callable[[int], bool]]:
    """Who may have which of these ranges, by task: second copies go to partners by chance."""
    if not card.definition.policy.adaptive:
        return {}
    return {
        row.id: _guard(deps, card, row.unit) for row in ready if held.overlaps(row.first, row.last)
    }


def _guard(deps: Deps, card: ProductionCard, unit: int) -> Callable[[int], bool]:
    known, others = _here(deps, card)
    key, since, clock = deps.registry.book.key, deps.clock(), deps.clock

    def may(account: int) -> bool:
        waited = trust.reach(len(known), others, clock() - since)
        return trust.place(key, card.id, unit, account, account in known) < waited

    return may


def _here(deps: Deps, card: ProductionCard) -> tuple[set[int], int]:
    """The accounts that are here with a trusted host, and how many others are."""
    now, needed = deps.clock(), card.definition.policy.trust_events
    if card.here is None or not 0 <= now - card.here[0] < KEPT_S:
        hosts = [h for h in deps.registry.hosts.values() if now - h.seen_at < HERE_S]
        known = deps.registry.book.trusted_accounts(
            (host.id for host in hosts), card.bundle, needed, now
        )
        card.here = now, known, len({host.account for host in hosts} - known)
    return card.here[1], card.here[2]
