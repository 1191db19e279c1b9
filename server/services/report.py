"""What hosts say of their tasks: progress, ends, classes; and what they are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from server.db import event_failures, frames, hosts, tasks, units
from server.db.base import Tx
from server.db.event_failures import EventFailure
from server.db.tasks import Task
from server.domain import sizing
from server.domain.errors import NotFound, NotYours, Refusal
from server.domain.intervals import Intervals
from server.domain.task import MOVES, TaskState
from server.services import aside, quotas
from server.services.cards import HERE_S, HostCard, ProductionCard, TaskCard, Unable
from server.services.deps import Deps
from server.services.dispatch import renew
from server.services.scans import End
from server.services.taskview import TaskView, view_card

SHUN_S = 600.0  # for so long only others may have what failed with an account
LOGS = 3  # logs of failed tasks that are kept of a host and a unit
LOG_KEPT = 4096  # last characters of a failed probe's log
GONE_MOST = 64  # or as many as a host has slots: tasks of a sign of life that it is told are gone
UNABLE_S = 600.0  # for so long a host whose reference events failed is offered nothing of them


class Undelivered(Refusal):
    """Task {task} is not delivered: events {missing} are not in hand; send them, then report."""

    code = "undelivered"


@dataclass(frozen=True)
class Report:
    """The end of a task as its host saw it."""

    outcome: str
    reason: str
    cpu_s: float
    wall_s: float
    log: str
    failures: tuple[tuple[int, int, str], ...] = ()


CAUSES = {"delivered": "deliver", "returned": "give-back", "failed": "fail"}


async def task_state(deps: Deps, host: HostCard, task: int) -> TaskView:
    """A task of this host, over or not. Raises NotFound, NotYours."""
    card = deps.registry.tasks.get(task)
    if card is not None:
        if card.row.host != host.id:
            raise NotYours("task", task)
        return view_card(card)

    async def read(tx: Tx) -> tuple[Task, list[tuple[int, int]]]:
        row = await tasks.one(tx, task)
        if row is None:
            raise NotFound("task", task)
        if row.host != host.id:
            raise NotYours("task", task)
        if await _settled(tx, row):
            return row, [(row.first, row.last)]
        return row, await frames.of_task(tx, row.production, row.unit, task)

    # Through the writer: an end that is being committed this moment is over then.
    row, held = await deps.store.write(read)
    production = deps.registry.productions.get(row.production)
    whole = held if production is not None else [(row.first, row.last)]
    return TaskView(task, str(row.state), row.first, row.last, list(Intervals(whole)), 0.0)


async def _settled(tx: Tx, row: Task) -> bool:
    """Whether nothing more of this unit is wanted, so that a host may drop what it holds."""
    unit = await units.one(tx, row.production, row.unit)
    return unit is not None and str(unit.state) in ("settled", "aborted")


async def report(deps: Deps, host: HostCard, task: int, said: Report) -> TaskView:
    """End a task as its host says; a task that is over answers with its state.

    Raises NotFound, NotYours, Undelivered (events are missing; nothing changed).
    """
    card = deps.registry.tasks.get(task)
    if card is None:
        return await task_state(deps, host, task)
    if card.row.host != host.id:
        raise NotYours("task", task)
    if said.outcome == "delivered" and not card.covered:
        missing = list(card.held.missing(card.row.first, card.row.last))
        raise Undelivered(task=task, missing=missing)
    cause = "deliver" if card.covered else CAUSES[said.outcome]
    _measure(deps, host, card)
    state = await end(deps, card, cause, said)
    return TaskView(task, str(state), card.row.first, card.row.last, list(card.held), 0.0)


def _measure(deps: Deps, host: HostCard, card: TaskCard) -> None:
    done = card.held.events
    took = deps.clock() - (card.row.leased_at or 0.0)
    if done and took > 0 and not card.rested:
        old = host.speeds.get(card.row.production)
        host.speeds[card.row.production] = sizing.measured(old, took / done)


async def end(deps: Deps, card: TaskCard, cause: str, said: Report | None = None) -> TaskState:
    """End a leased task by this cause, and have its unit judged.

    A task that failed, or of which events failed, is an error of its unit.
    """
    row, now = card.row, deps.clock()
    target = MOVES.after(TaskState.LEASED, cause)
    reason = cause if said is None or not said.reason else f"{cause}: {said.reason}"
    failed, counted = _failed(row, cause, said), False

    async def write(tx: Tx) -> None:
        nonlocal counted
        held = min(card.held.events, row.last - row.first)  # more, where it was trimmed too late
        await tasks.end(tx, row, target, reason, held, card.done, now)
        if said is not None:
            await _note(tx, row, target, said)
            _keep_failures(tx, row, said, now)
        counted = failed is not None and await _is_error(deps, tx, row, _named(row, said), now)
        if counted:
            await units.fail(tx, row.production, row.unit)
        await quotas.note(tx, deps, row, target)
        units.mark(tx, row.production, row.unit)

    deps.registry.drop_task(row.id)
    try:
        await deps.store.write(write)
    except BaseException:
        deps.registry.add_task(card)
        raise
    if target is not TaskState.DELIVERED:
        line = deps.line(row.production)
        line.let_go(row.unit, row.account or 0, row.first, row.last, card.held)
    _answer_for(deps, row, target, failed, now)
    deps.mark(row.production, row.unit)
    if said is not None and (target is TaskState.FAILED or said.log):
        text = said.reason if target is TaskState.FAILED else ""
        deps.scans.add(End(row, str(target), text, said.log, counted, card.memory_mb))
    return target


def _keep_failures(tx: Tx, row: Task, said: Report, now: float) -> None:
    """What the host says of events of its lease; of others it has nothing to say."""
    for first, last, word in said.failures:
        low, high = max(first, row.first), min(last, row.last)
        if low < high:
            failure = EventFailure(low, high, word, row.host or 0)
            event_failures.add(tx, row.production, row.unit, row.id, failure, now)


async def _note(tx: Tx, row: Task, target: TaskState, said: Report) -> None:
    """Keep what the host says of the end; of many failures only the first logs."""
    log = said.log if target is TaskState.FAILED or said.outcome == "failed" else ""
    if log and target is TaskState.FAILED:
        kept = await tasks.logs_kept(tx, row.production, row.unit, row.host or 0)
        log = log if kept < LOGS else ""
    await tasks.note_end(tx, row.id, said.cpu_s, log)


def _failed(row: Task, cause: str, said: Report | None) -> tuple[int, int] | None:
    """The events that others shall try, from the first to the last of them."""
    return (row.first, row.last) if cause == "fail" else _named(row, said)


def _named(row: Task, said: Report | None) -> tuple[int, int] | None:
    """From the first to the last event that the host names."""
    parts = [(max(a, row.first), min(b, row.last)) for a, b, _ in said.failures] if said else []
    parts = [(a, b) for a, b in parts if a < b]
    return (min(a for a, _ in parts), max(b for _, b in parts)) if parts else None


async def _is_error(
    deps: Deps, tx: Tx, row: Task, named: tuple[int, int] | None, now: float
) -> bool:
    """Whether a failure counts: an account's first in the unit, or there is nobody else to try.

    That events set aside fail, ``named`` from the first to the last, is known and does not count.
    """
    if named is not None and await aside.known(tx, row.production, row.unit, named):
        return False
    before = await tasks.accounts_failed(tx, row.production, row.unit, row.id)
    return row.account not in before or not _others(deps, row, now)


def _others(deps: Deps, row: Task, now: float) -> bool:
    """Whether a host of another account, who is here, may have these events."""
    line, card = deps.line(row.production), deps.registry.productions.get(row.production)
    if card is None:
        return False
    taken = {row.account or 0} | {
        held.account
        for held in line.holdings.get(row.unit, ())
        if held.first < row.last and held.last > row.first
    }
    klass = line.classes.get(row.unit)
    return any(
        host.account not in taken
        and now - host.seen_at < HERE_S
        and (not klass or host.classes.get(card.digest) == klass)
        for host in deps.registry.hosts.values()
    )


def _answer_for(
    deps: Deps, row: Task, target: TaskState, failed: tuple[int, int] | None, now: float
) -> None:
    """What fails is given to others if there are any; who fails again and again rests."""
    host = deps.registry.hosts.get(row.host or 0)
    if host is not None and target is TaskState.DELIVERED:
        host.delivered()
    elif host is not None and target is TaskState.FAILED:
        host.failed(now)
    elif host is not None and target is TaskState.EXPIRED:
        host.lost += 1
    if failed is None:
        return
    line = deps.line(row.production)
    if _others(deps, row, now):
        line.shun(row.unit, row.account or 0, *failed, now + SHUN_S)
    else:
        line.forgive(now, row.unit)


def forgive(deps: Deps) -> None:
    """Who failed events long ago may try them again."""
    now = deps.clock()
    for line in deps.lines.values():
        if line.shunned:
            line.forgive(now)


def heartbeat(deps: Deps, host: HostCard, running: Iterable[tuple[int, int]]) -> list[TaskView]:
    """A sign of life: (task, events done) of each that runs; their leases slide forward.

    A task counts once, and of tasks that are not leased to the host only so many are answered.
    """
    now = deps.clock()
    host.seen_at = now
    views, gone = [], max(GONE_MOST, host.slots)
    for task, done in dict(running).items():
        card = host.tasks.get(task)
        if card is None:
            gone -= 1
            if gone < 0:
                continue
            views.append(TaskView(task, "gone", 0, 0, [], 0.0))
            continue
        card.done = max(card.done, done)
        card.rested = card.rested or host.doing == "suspended"
        renew(deps, card, now)
        views.append(view_card(card))
    return views


def cannot(deps: Deps, host: HostCard, manifest: str, word: str, log: str) -> None:
    """The reference events of a manifest fail on this host. Raises NotFound as `classify` does."""
    _running(deps, manifest)
    unable = deps.registry.unable
    for gone in set(unable) - {p.digest for p in deps.registry.productions.values()}:
        del unable[gone]
    made = Unable(word, log[-LOG_KEPT:], deps.clock() + UNABLE_S)
    unable.setdefault(manifest, {})[host.id] = made


def _running(deps: Deps, manifest: str) -> list[ProductionCard]:
    known = [p for p in deps.registry.productions.values() if p.digest == manifest]
    if not known:
        raise NotFound("manifest", manifest)
    return known


async def classify(
    deps: Deps, host: HostCard, manifest: str, digest: str, seconds_per_event: float
) -> None:
    """Keep the class of a host for a manifest. Raises NotFound for a manifest nobody runs."""
    known = _running(deps, manifest)
    now = deps.clock()
    await deps.store.write(
        lambda tx: hosts.set_class(tx, host.id, manifest, digest, seconds_per_event, now)
    )
    host.classes[manifest] = digest
    deps.registry.unable.get(manifest, {}).pop(host.id, None)
    for production in known:
        if seconds_per_event > 0:
            host.speeds.setdefault(production.id, seconds_per_event)
