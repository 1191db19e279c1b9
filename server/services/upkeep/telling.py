"""The duty that tells people of alerts, by every way there is, within its bounds."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from server.db import alerts as rows
from server.db.base import Tx
from server.domain.alert import Level, Sign, raised
from server.domain.errors import Refusal, TooMany
from server.domain.telling import Flow, Line, Said, Word, message
from server.services import audit
from server.services.deps import Deps
from server.services.upkeep.channel import Channel, Message, NotTold

log = logging.getLogger("windfall.upkeep")
EVERY_S = 5.0


@dataclass(frozen=True)
class Tried:
    """A way to tell people that was tried; ``why`` is empty if the message arrived."""

    way: str
    why: str = ""


class NobodyTold(Refusal):
    """Nobody is told of alerts; set alerts.mail_to or alerts.webhook, then restart the server."""

    code = "nobody-told"


async def once(deps: Deps) -> None:
    """One message by each way that has something to say and may."""
    await asyncio.gather(*(_by(deps, channel) for channel in deps.upkeep.channels))


async def _by(deps: Deps, channel: Channel) -> None:
    desk, now, name = deps.upkeep, deps.clock(), channel.name
    manners, flow = desk.thresholds.manners, desk.flows.get(name, Flow())
    if not flow.may(now, manners):
        return
    said = desk.said.setdefault(name, {})
    lines = message([a for a in desk.alerts.values() if a.id], said, now, manners)
    if not lines:
        return
    try:
        await channel.send(Message(lines, now, f"{deps.desk.url}/operations"))
    except NotTold as error:
        desk.flows[name], desk.faults[name] = flow.failed(now), str(error)
        log.warning("not told", extra={"action": "tell", "way": name, "why": str(error)})
        return
    desk.flows[name] = flow.arrived(now)
    desk.faults.pop(name, None)
    told = [(line.alert.id, Said(line.word, line.alert.sign.level, now)) for line in lines]
    said.update(told)
    log.info("told", extra={"action": "tell", "way": name, "alerts": len(told)})
    kept = [(number, one) for number, one in told if number > 0]
    await deps.store.write(partial(rows.say, channel=name, told=kept))


async def try_out(deps: Deps, by: str) -> list[Tried]:
    """Send a message that nothing is wrong by every way; it counts as one of the hour.

    Raises NobodyTold, TooMany.
    """
    desk, now = deps.upkeep, deps.clock()
    if not desk.channels:
        raise NobodyTold()
    manners = desk.thresholds.manners
    flows = {one.name: desk.flows.get(one.name, Flow()) for one in desk.channels}
    lately = {name: Flow(flow.sent) for name, flow in flows.items()}
    if not all(flow.may(now, manners) for flow in lately.values()):
        raise TooMany(60.0)
    sign = Sign("test", by, Level.NOTE, f"A test by {by}: nothing is wrong")
    text = Message((Line(raised(sign, now), Word.RAISED),), now, f"{deps.desk.url}/operations")

    async def send(channel: Channel) -> Tried:
        desk.flows[channel.name] = flows[channel.name].arrived(now)
        try:
            await channel.send(text)
        except NotTold as error:
            return Tried(channel.name, str(error))
        return Tried(channel.name)

    tried = list(await asyncio.gather(*(send(channel) for channel in desk.channels)))

    async def write(tx: Tx) -> None:
        details = {one.way: one.why or "arrived" for one in tried}
        audit.note(tx, by, "alert.test", "", details, at=now)

    await deps.store.write(write)
    return tried
