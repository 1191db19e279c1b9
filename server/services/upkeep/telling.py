"""The duty that tells people of alerts, by every way there is, within its bounds."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from server.db import alerts as rows
from server.domain.telling import Flow, Said, message
from server.services.deps import Deps
from server.services.upkeep.channel import Channel, Message, NotTold

log = logging.getLogger("windfall.upkeep")
EVERY_S = 5.0


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
