"""The background duties for ever: each repeats its round, and survives what a round throws."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from server.services import duties, framelog, pairing, reap, rollups, scan, sessions
from server.services.deps import Deps
from server.services.duties import Judge
from server.services.plotting import Plotter
from server.services.shelf import tidy

log = logging.getLogger("windfall.loops")
AGAIN_S = 2.0  # after a round that failed
REAP_S = 1.0
INDEX_S = 0.2  # frames wait for their rows no longer than this
HASTEN_S = 5.0  # an agent without work asks as often
SWEEP_S = 30.0
FIGURES_S = 10.0  # figures are behind the ledgers by no more
SESSIONS_S = 3600.0  # what is over is deleted to the hour
TIDY_S = 600.0
FORGET_S = 300.0  # wrong tries are looked at for ten minutes
IDLE_S = 30.0  # judge and merge look by themselves at least this often


async def _for_ever(
    name: str, once: Callable[[], Awaitable[object]], pause: Callable[[], Awaitable[object]]
) -> None:
    while True:
        try:
            await once()
            await pause()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("round failed", extra={"action": name})
            await asyncio.sleep(AGAIN_S)


def start(
    deps: Deps, renew_keys: Callable[[], Awaitable[object]], plotter: Plotter
) -> list[asyncio.Task[None]]:
    """Start every duty; cancel the tasks to end them."""
    judge, reader = Judge(deps), scan.Reader()
    signals = deps.signals
    rounds: list[tuple[str, Callable[[], Awaitable[object]], Callable[[], Awaitable[object]]]] = [
        ("judge", judge.once, lambda: duties.pause(deps, signals.judge, IDLE_S)),
        (
            "merge",
            lambda: duties.merge_once(deps),
            lambda: duties.pause(deps, signals.merge, IDLE_S),
        ),
        ("plot", plotter.once, plotter.pause),
        ("scan", lambda: scan.once(deps, reader), deps.scans.some.wait),
        ("reap", lambda: duties.reap_once(deps), lambda: asyncio.sleep(REAP_S)),
        ("hasten", lambda: duties.hasten_once(deps), lambda: asyncio.sleep(HASTEN_S)),
        ("keys", renew_keys, lambda: asyncio.sleep(SWEEP_S)),
        ("index", lambda: deps.frames.empty(deps.store), lambda: asyncio.sleep(INDEX_S)),
        ("close", lambda: framelog.close_segments(deps), lambda: asyncio.sleep(SWEEP_S)),
        ("pairings", lambda: pairing.expire(deps), lambda: asyncio.sleep(REAP_S)),
        ("tries", lambda: pairing.forget(deps), lambda: asyncio.sleep(FORGET_S)),
        ("figures", lambda: rollups.once(deps), lambda: asyncio.sleep(FIGURES_S)),
        ("thin", lambda: rollups.thin(deps), lambda: asyncio.sleep(TIDY_S)),
        ("tidy", lambda: tidy.tidy(deps), lambda: asyncio.sleep(TIDY_S)),
        ("sessions", lambda: sessions.sweep(deps), lambda: asyncio.sleep(SESSIONS_S)),
        ("sweep", lambda: reap.free_segments(deps), lambda: asyncio.sleep(SWEEP_S)),
    ]
    return [
        asyncio.create_task(_for_ever(name, once, pause), name=f"windfall-{name}")
        for name, once, pause in rounds
    ]


async def stop(tasks: list[asyncio.Task[None]]) -> None:
    """End every duty."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
