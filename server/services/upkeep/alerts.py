"""Alerts: raised and ended as they are seen, shown, acknowledged and muted by people."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from server.db import alerts as rows
from server.db.base import Tx
from server.db.moves import Move
from server.domain.alert import BACK_WITHIN_S, Alert, AlertState, Sign, reconcile
from server.domain.errors import NotFound
from server.domain.telling import Said
from server.services import audit
from server.services.deps import Deps

log = logging.getLogger("windfall.upkeep")
SAVE_S = 600.0  # that an alert still stands is written down so often
STEPS = 50
NEWEST = 2**62


@dataclass(frozen=True)
class AlertView:
    """An alert as people see it; times in s since 1970.

    ``first_at`` is when it was seen first, ``since`` when it came last, ``count`` how often it
    came. ``level`` is note, warn or bad, ``state`` open, acknowledged or over.
    """

    id: int
    kind: str
    subject: str
    level: str
    state: str
    cause: str
    cure: str
    href: str
    first_at: float
    since: float
    last_at: float
    count: int
    over_at: float | None
    acked_by: str
    acked_at: float | None
    muted_until: float | None
    muted_by: str


def view_of(alert: Alert, now: float) -> AlertView:
    """An alert as people see it; a mute that is over is none."""
    sign, muted = alert.sign, alert.is_muted(now)
    return AlertView(
        alert.id, sign.kind, sign.subject, str(sign.level), str(alert.state), sign.cause, sign.cure,
        sign.href, alert.first_at, alert.since, alert.last_at, alert.count, alert.over_at,
        alert.acked_by, alert.acked_at, alert.muted_until if muted else None,
        alert.muted_by if muted else "",
    )  # fmt: skip


async def load(deps: Deps) -> None:
    """Bring what stood when the last server ended, and what was said of it, into memory."""
    desk, now = deps.upkeep, deps.clock()
    desk.started_at = now
    names = [channel.name for channel in desk.channels]

    async def read(tx: Tx) -> tuple[list[Alert], dict[str, dict[int, Said]]]:
        found = await rows.recent(tx, now - BACK_WITHIN_S)
        numbers = [alert.id for alert in found]
        return found, {name: await rows.said(tx, name, numbers) for name in names}

    found, desk.said = await deps.store.read(read)
    for alert in found:
        desk.alerts[alert.sign.key] = desk.saved[alert.id] = alert


async def look(deps: Deps, signs: Iterable[Sign], now: float) -> None:
    """Keep what was seen: in memory always, in the database if it answers."""
    desk = deps.upkeep
    async with desk.lock:
        after = reconcile(desk.alerts, signs, now)
        for alert in after:
            desk.alerts[alert.sign.key] = alert
        for key, alert in list(desk.alerts.items()):
            if not alert.stands and not 0 <= now - alert.last_at <= BACK_WITHIN_S:
                del desk.alerts[key]
                desk.saved.pop(alert.id, None)
        news = [alert for alert in desk.alerts.values() if _is_new(desk.saved, alert)]
        await _save(deps, news, now)


def _is_new(saved: Mapping[int, Alert], alert: Alert) -> bool:
    """Whether the database does not know it as it is."""
    before = saved.get(alert.id)
    if before is None or alert.last_at - before.last_at >= SAVE_S:
        return True
    return alert != replace(before, last_at=alert.last_at)


async def _save(deps: Deps, changed: Sequence[Alert], now: float) -> None:
    if not changed:
        return
    desk = deps.upkeep

    async def write(tx: Tx) -> list[int]:
        numbers = []
        for alert in changed:
            before = desk.saved.get(alert.id)
            if before is None:
                numbers.append(await rows.add(tx, alert))
                continue
            numbers.append(alert.id)
            await rows.save(tx, alert)
            if before.state is not alert.state:
                rows.moved(tx, before, alert, _cause(alert), now)
        return numbers

    try:
        numbers = await deps.store.write(write)
    except Exception:
        # What is wrong may be the database itself; people are told all the same.
        log.exception("alerts not saved", extra={"action": "watch", "alerts": len(changed)})
        _number(deps, changed)
        return
    for alert, number in zip(changed, numbers, strict=True):
        _known(deps, alert, number)
        before = desk.saved.get(number)
        desk.saved[number] = replace(alert, id=number)
        if before is None or before.state is not alert.state:
            facts = {"action": "alert", "alert": number, "kind": alert.sign.kind,
                     "subject": alert.sign.subject, "state": str(alert.state)}  # fmt: skip
            log.warning(alert.sign.cause, extra=facts)


def _number(deps: Deps, changed: Sequence[Alert]) -> None:
    """Numbers below zero for those that could not be saved, until they can."""
    lowest = min([0, *(alert.id for alert in deps.upkeep.alerts.values())])
    for alert in changed:
        if not alert.id:
            lowest -= 1
            _known(deps, alert, lowest)


def _known(deps: Deps, alert: Alert, number: int) -> None:
    """An alert has this number from now on, and so has what was said of it."""
    desk = deps.upkeep
    desk.alerts[alert.sign.key] = replace(desk.alerts[alert.sign.key], id=number)
    for said in desk.said.values():
        if alert.id < 0 and alert.id in said:
            said[number] = said.pop(alert.id)


def _cause(alert: Alert) -> str:
    return "not seen any more" if alert.state is AlertState.OVER else alert.sign.cause


def standing(deps: Deps) -> list[Alert]:
    """The alerts that stand, what bothers first, then the gravest, then the newest."""
    now = deps.clock()
    found = [alert for alert in deps.upkeep.alerts.values() if alert.stands]
    return sorted(found, key=lambda a: (not a.bothers(now), -a.sign.level.rank, -a.since, a.id))


async def listed(deps: Deps, over: bool, before: int, most: int) -> list[AlertView]:
    """The alerts that stand, or those that are over, newest first, of numbers below ``before``."""
    now = deps.clock()
    if not over:
        return [view_of(alert, now) for alert in standing(deps)[:most]]
    found = await deps.store.read(lambda tx: rows.past(tx, before or NEWEST, most))
    return [view_of(alert, now) for alert in found]


async def show(deps: Deps, number: int) -> tuple[AlertView, list[Move]]:
    """One alert with its steps, newest first. Raises NotFound."""
    alert = await _find(deps, number)
    steps = await deps.store.read(lambda tx: rows.steps(tx, number, STEPS))
    return view_of(alert, deps.clock()), steps


async def acknowledge(deps: Deps, number: int, by: str) -> AlertView:
    """Somebody takes an alert on; twice is as good as once. Raises NotFound, IllegalMove."""
    async with deps.upkeep.lock:
        alert, now = await _find(deps, number), deps.clock()
        if alert.state is AlertState.ACKNOWLEDGED:
            return view_of(alert, now)
        return await _change(deps, alert, alert.acknowledged(by, now), "alert.ack", by)


async def mute(deps: Deps, number: int, seconds: float, by: str) -> AlertView:
    """Nobody is told of an alert for so long; 0 ends that. Raises NotFound, BadInput."""
    async with deps.upkeep.lock:
        alert, now = await _find(deps, number), deps.clock()
        return await _change(deps, alert, alert.muted(seconds, by, now), "alert.mute", by)


async def _change(deps: Deps, before: Alert, after: Alert, what: str, by: str) -> AlertView:
    desk, now = deps.upkeep, deps.clock()
    until = after.muted_until
    details = after.sign.cause if until is None else f"until {until:.0f}: {after.sign.cause}"

    async def write(tx: Tx) -> None:
        await rows.save(tx, after)
        if before.state is not after.state:
            rows.moved(tx, before, after, f"by {by}", now)
        audit.note(tx, by, what, str(after.id), details, at=now)

    await deps.store.write(write)
    if desk.alerts.get(after.sign.key, after).id == after.id:
        desk.alerts[after.sign.key] = desk.saved[after.id] = after
    return view_of(after, now)


async def _find(deps: Deps, number: int) -> Alert:
    for found in deps.upkeep.alerts.values():
        if found.id == number:
            return found
    row = await deps.store.read(lambda tx: rows.one(tx, number))
    if row is None:
        raise NotFound("alert", number)
    return row


async def forget(deps: Deps, before: float) -> None:
    """Delete those that were over before a time."""
    await deps.store.write(lambda tx: rows.forget(tx, before))
