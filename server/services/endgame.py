"""Hastens the end of productions: a duty marks what holds them up, the judge carries it out.

The judge is where new work is made of what is missing, and it stays the only place: here leases
are only marked as to be trimmed, or as late, and their units as to be judged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from server.db import tasks
from server.db.base import Tx
from server.domain import endgame
from server.domain.agreement import Copy
from server.domain.endgame import Hand, Running
from server.domain.intervals import Intervals
from server.domain.line import Line
from server.domain.production import ProductionState
from server.domain.quorum import Pending, Shortage, judge
from server.domain.split import unit_range
from server.domain.task import TaskState
from server.domain.trust import Standing
from server.services.cards import HERE_S, HostCard, ProductionCard, TaskCard
from server.services.close import Picture
from server.services.deps import Deps
from server.services.hands import is_swift, standing

log = logging.getLogger("windfall.endgame")
BEATS = 3.0  # signs of life that a host gives within the time of a lease


class Cut(NamedTuple):
    """A lease that is to end at ``last``, and why."""

    card: TaskCard
    last: int
    cause: str


def hasten(deps: Deps) -> None:
    """Look at every production that runs, and mark what holds its end up."""
    now, leases = deps.clock(), _leases(deps)
    for production in deps.registry.productions.values():
        line = deps.lines.get(production.id)
        if production.state is not ProductionState.ACTIVE or line is None:
            continue
        open_ones = leases.get(production.id, [])
        flush_s = production.definition.policy.lease_s / BEATS
        line.forget_rush(now - endgame.AGAIN * endgame.FLUSHES * flush_s)
        if not open_ones or not _ends(deps, production, line, open_ones, flush_s, now):
            continue
        running = [_running(deps, card, line, flush_s, now) for card in open_ones]
        hands = _hands(deps, production, len(line.rush), now)
        found = endgame.plan(running, hands, flush_s, production.definition.payload.block)
        _mark(deps, production, open_ones, found)


def _leases(deps: Deps) -> dict[int, list[TaskCard]]:
    """The leases that are not covered, by production."""
    found: dict[int, list[TaskCard]] = {}
    for card in deps.registry.tasks.values():
        if not card.covered:
            found.setdefault(card.row.production, []).append(card)
    return found


def _ends(
    deps: Deps,
    production: ProductionCard,
    line: Line,
    open_ones: list[TaskCard],
    flush_s: float,
    now: float,
) -> bool:
    """Whether a production is at its end; remembered, so that it does not waver."""
    unrolled = production.next_unit * production.unit >= production.events
    waiting = line.events if unrolled else production.events
    rate = 0.0
    if unrolled and waiting:
        rate = sum(_rate(deps, card, flush_s, now) for card in open_ones)
    line.ending = unrolled and endgame.ending(line.ending, waiting, rate, flush_s)
    return line.ending


def _rate(deps: Deps, card: TaskCard, flush_s: float, now: float) -> float:
    begun, host = card.row.leased_at or now, deps.registry.hosts.get(card.row.host or 0)
    seconds = host.speeds.get(card.row.production) if host is not None else None
    known = 1.0 / seconds if seconds else None
    grown_s = now - max(card.grown_at, begun)
    return endgame.rate_of(_progress(card), now - begun, grown_s, known, flush_s)


def _progress(card: TaskCard) -> int:
    return max(card.held.events, card.done)


def _at(card: TaskCard) -> int:
    """From which event on nothing is known to be computed; what is not sent yet counts as well."""
    row = card.row
    return min(row.last, max([row.first + card.done, *(last for _, last in card.held)]))


def _running(deps: Deps, card: TaskCard, line: Line, flush_s: float, now: float) -> Running:
    row, at = card.row, _at(card)
    rest = max(1, min(row.last - at, row.last - row.first - card.held.events))
    heard = max(card.heard_at, row.leased_at or 0.0)
    held = line.holdings.get(row.unit, ())
    taken = frozenset(h.account for h in held if h.first < row.last and h.last > at)
    doubles = sum(
        1
        for waiting in (line.back if line.rush else ())
        if waiting.id in line.rush
        and waiting.unit == row.unit
        and waiting.first < row.last
        and waiting.last > at
    )
    return Running(
        row.id,
        row.account or 0,
        line.classes.get(row.unit, ""),
        at,
        row.last,
        rest,
        _rate(deps, card, flush_s, now),
        now - heard > endgame.FLUSHES * flush_s,
        card.late,
        row.unit,
        taken,
        doubles,
    )


def _hands(deps: Deps, production: ProductionCard, waiting: int, now: float) -> list[Hand]:
    """The swift hosts that are here and have nothing to do, but for what waits for them already."""
    found = [
        _hand(deps, card, production)
        for card in deps.registry.hosts.values()
        if now - card.seen_at < HERE_S
        and card.rests_until <= now
        and is_swift(deps, card, production)
        and card.running < _slots(card)
    ]
    while waiting and found:
        hand = found.pop(0)
        if hand.slots > waiting:
            found.insert(0, replace(hand, slots=hand.slots - waiting))
        waiting -= min(waiting, hand.slots)
    return found


def _slots(card: HostCard) -> int:
    return card.slots or card.facts.cores


def _hand(deps: Deps, card: HostCard, production: ProductionCard) -> Hand:
    reference = production.definition.payload.reference
    klass = card.classes.get(production.digest, "?") if reference else ""
    rate = 1.0 / card.speeds[production.id] if card.speeds[production.id] > 0 else 0.0
    trusted = standing(deps, card, production) is Standing.TRUSTED
    return Hand(card.account, klass, rate, _slots(card) - card.running, trusted)


def _mark(
    deps: Deps, production: ProductionCard, open_ones: list[TaskCard], found: endgame.Plan
) -> None:
    trims = {trim.task: trim.keep for trim in found.trims}
    for card in open_ones:
        row, late = card.row, card.row.id in found.late
        card.cut = 0
        if row.id in trims:
            at = _at(card)
            cut = production.cut(at, row.last, trims[row.id]) if at < row.last else row.last
            card.cut = cut if cut < row.last else 0
        if card.cut or (late and not card.late):
            log.info(
                "hastened",
                extra={"action": "trim" if card.cut else "late", "task": row.id, "host": row.host},
            )
            deps.mark(production.id, row.unit)
        card.late = late


def cuts_of(deps: Deps, picture: Picture) -> list[Cut]:
    """The trims that are to be carried out with the next verdict on a unit."""
    cards = deps.registry.tasks
    return [
        Cut(cards[task.id], cards[task.id].cut, f"trimmed to {cards[task.id].cut}, it is slow")
        for task in picture.tasks
        if task.id in cards and task.first < cards[task.id].cut < task.last
    ]


def trimmed(picture: Picture, cuts: Iterable[Cut]) -> Picture:
    """The unit as it will be when these leases are cut."""
    lasts = {cut.card.row.id: cut.last for cut in cuts}
    cut = [task._replace(last=lasts.get(task.id, task.last)) for task in picture.tasks]
    return replace(picture, tasks=cut) if lasts else picture


def settled_away(
    deps: Deps, picture: Picture, settled: Intervals
) -> tuple[list[Cut], list[TaskCard]]:
    """Leases whose tail is settled without them, and those that have nothing left to do."""
    cuts, idle = [], []
    for task in picture.tasks:
        card = deps.registry.tasks.get(task.id)
        missing = Intervals() if card is None else card.held.missing(task.first, task.last)
        if card is None or not missing:
            continue
        left = missing.minus(settled)
        if not left:
            idle.append(card)
        elif (end := left.pairs[-1][1]) < task.last:
            cuts.append(Cut(card, end, f"trimmed to {end}, the rest is settled"))
    return cuts, idle


def shortest(cuts: Iterable[Cut]) -> list[Cut]:
    """One cut for each lease, the earliest."""
    found: dict[int, Cut] = {}
    for cut in sorted(cuts, key=lambda cut: -cut.last):
        found[cut.card.row.id] = cut
    return list(found.values())


def not_wanted(picture: Picture, settled: Intervals) -> list[int]:
    """Ranges that wait although all of their events are settled."""
    return [
        task.id
        for task in picture.tasks
        if task.state is TaskState.READY and settled.covers(task.first, task.last)
    ]


def late_of(deps: Deps, picture: Picture) -> frozenset[int]:
    """The leases of a unit that are not counted on any more."""
    found = deps.registry.tasks
    return frozenset(t.id for t in picture.tasks if t.id in found and found[t.id].late)


class Bench(NamedTuple):
    """What a unit is judged by: what is settled of it, what was made, where nobody is trusted."""

    card: ProductionCard
    picture: Picture
    settled: Intervals
    made: Sequence[Copy]
    spots: Intervals | None


def copies(
    bench: Bench, pending: Sequence[Pending], sure: Sequence[Pending], wanted: Sequence[Shortage]
) -> list[Shortage]:
    """What is to be made beside ``wanted`` if only what is ``sure`` of ``pending`` comes."""
    card, unit, policy = bench.card, bench.picture.unit, bench.card.definition.policy
    soon = [Pending(None, p.first, p.last) for p in wanted for _ in range(p.copies)]
    most = policy.most_copies * (1 + unit.releases)
    verdict = judge(
        *unit_range(unit.number, card.unit, card.events), card.definition.payload.granule,
        policy.quorum, bench.settled, bench.made, [*sure, *soon], most, spots=bench.spots,
    )  # fmt: skip
    return endgame.spare(verdict.shortage, bench.made, [*pending, *soon], most)


async def write_cuts(tx: Tx, cuts: Iterable[Cut], at: float) -> None:
    """Trim these leases in the table. Raises Overtaken."""
    for cut in cuts:
        await tasks.trim(tx, cut.card.row, cut.last, cut.cause, at)


def note_cuts(deps: Deps, cuts: Iterable[Cut]) -> None:
    """These leases are trimmed: their hosts hear of it with the next answer."""
    for cut in cuts:
        card, row = cut.card, cut.card.row
        if deps.registry.tasks.get(row.id) is not card or row.last <= cut.last:
            continue  # it ended meanwhile, and what its account holds was noted then
        beyond = card.held.clip(cut.last, row.last)
        line = deps.line(row.production)
        kept = [(row.first, cut.last), *beyond]
        # A unit that was learnt within the transaction was learnt with the lease as it is now.
        if line.holds(row.unit, row.account or 0, row.first, row.last):
            line.let_go(row.unit, row.account or 0, row.first, row.last, kept)
        card.lent, card.cut = max(card.lent, row.last), 0
        card.row = row._replace(last=cut.last)
