"""The duty that looks whether all is well, and keeps what is not as alerts."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from server.blobs.base import BlobMissing
from server.db.base import Tx
from server.domain.upkeep import Space
from server.services.deps import Deps
from server.services.upkeep import alerts, poolsigns, signs
from server.services.upkeep.desk import Probe

log = logging.getLogger("windfall.upkeep")
EVERY_S = 20.0
PATIENCE_S = 10.0  # for a part to answer
MARK_S = 60.0  # what is slow lately is told to the minute
PROBE_KEY = "upkeep/probe"  # a blob that is not there: that it is missing is an answer
FORGET_S = 86_400.0


async def once(deps: Deps) -> None:
    """Look at everything, and keep what was seen. Raises what looking at the pool throws."""
    desk = deps.upkeep
    desk.spaces = tuple(
        await asyncio.gather(*(asyncio.to_thread(space_of, path) for path in desk.paths))
    )
    desk.known_papers = tuple(await asyncio.to_thread(desk.papers))
    now = deps.clock()
    for name, ask, every_s in PARTS:
        before = desk.probes.get(name)
        if before is None or before.why or not 0 <= now - before.at < every_s:
            desk.probes[name] = await probe(deps, ask)
    now = deps.clock()
    found = list(signs.all_of(desk, now))
    if not desk.probes["database"].why:
        found += await poolsigns.all_of(deps, now)
    if not 0 <= now - desk.marked_at < MARK_S:
        desk.meter.mark(now)
        desk.marked_at = now
    await alerts.look(deps, found, now)
    desk.looked_at = now


async def forget(deps: Deps) -> None:
    """Delete alerts that were over long ago."""
    await alerts.forget(deps, deps.clock() - deps.upkeep.thresholds.keep_s)


def space_of(path: Path) -> Space:
    """How much is left on the disk of a folder, for who is not root."""
    try:
        found = os.statvfs(path)
    except OSError as error:
        return Space(str(path), 0, 0, error.strerror or str(error))
    return Space(str(path), found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


async def probe(deps: Deps, ask: Callable[[Deps], Awaitable[object]]) -> Probe:
    """Ask a part; what it throws is why it does not answer."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ask(deps)
    except TimeoutError:
        return Probe(deps.clock(), why=f"nothing for {PATIENCE_S:g} s")
    except Exception as error:
        log.warning("part does not answer", extra={"action": "watch", "why": repr(error)})
        return Probe(deps.clock(), why=(str(error) or type(error).__name__)[:200])
    return Probe(deps.clock(), time.perf_counter() - began)


async def ask_database(deps: Deps) -> None:
    """Read, and commit a transaction with nothing in it of our own."""
    await deps.store.read(lambda tx: tx.one("SELECT 1"))
    await deps.store.write(_nothing)


async def _nothing(tx: Tx) -> None:
    return None


async def ask_blobs(deps: Deps) -> None:
    """Ask for a blob that is not there."""
    try:
        await deps.blobs.stat(PROBE_KEY)
    except BlobMissing:
        return


PARTS = (("database", ask_database, 0.0), ("blobs", ask_blobs, 60.0))
"""What is asked, and how often at most while it answers: some back-ends count requests."""
