"""The background duties for ever: each repeats its round, and survives what a round throws."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from server.services import (
    boincstats,
    bulk,
    duties,
    framelog,
    gauges,
    pairing,
    reap,
    retoken,
    rollups,
    scan,
    sessions,
)
from server.services.deps import Deps
from server.services.duties import Judge
from server.services.plotting import REST_MOST_S, Plotter
from server.services.shelf import tidy
from server.services.upkeep import backups, telling, watch
from server.services.upkeep.rounds import SLOW_S, Rounds

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
LONG_S = 6 * 3600.0  # a large output, or a large database, takes its time
SAMPLE_S = 60.0
IDLE_S = 30.0  # judge and merge look by themselves at least this often


Work = Callable[[], Awaitable[object]]
Span = Callable[[str], AbstractContextManager[object]]
_NO_SPAN = nullcontext()


def untraced(name: str) -> AbstractContextManager[object]:
    """No span."""
    return _NO_SPAN


@dataclass(frozen=True)
class Duty:
    """A duty: one round of it, its pause, how long that is at most, what a round may take; s."""

    name: str
    once: Work
    pause: Work
    every_s: float
    slow_s: float = SLOW_S


def _every(name: str, once: Work, seconds: float, slow_s: float = SLOW_S) -> Duty:
    """A duty that rests so long between two rounds."""
    return Duty(name, once, lambda: asyncio.sleep(seconds), seconds, slow_s)


async def _for_ever(duty: Duty, rounds: Rounds, span: Span) -> None:
    one = rounds.add(duty.name, duty.every_s, duty.slow_s)
    while True:
        try:
            with rounds.round(one), span(duty.name):
                await duty.once()
            await duty.pause()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("round failed", extra={"action": duty.name})
            await asyncio.sleep(AGAIN_S)


def start(
    deps: Deps, renew_keys: Work, plotter: Plotter, span: Span = untraced
) -> list[asyncio.Task[None]]:
    """Start every duty; cancel the tasks to end them. ``span`` is entered for each round."""
    return [
        asyncio.create_task(_for_ever(duty, deps.upkeep.rounds, span), name=f"windfall-{duty.name}")
        for duty in (*_of_work(deps, plotter), *_of_the_house(deps, renew_keys), *_of_upkeep(deps))
    ]


def _of_work(deps: Deps, plotter: Plotter) -> list[Duty]:
    """What leases, frames and productions need."""
    judge, reader, signals = Judge(deps), scan.Reader(), deps.signals
    return [
        Duty(
            "judge", judge.once, lambda: duties.pause(deps, signals.judge, IDLE_S), IDLE_S, LONG_S
        ),
        Duty(
            "merge",
            lambda: duties.merge_once(deps),
            lambda: duties.pause(deps, signals.merge, IDLE_S),
            IDLE_S,
            LONG_S,
        ),
        Duty("plot", plotter.once, plotter.pause, REST_MOST_S, LONG_S),
        Duty("scan", lambda: scan.once(deps, reader), deps.scans.some.wait, math.inf),
        _every("reap", lambda: duties.reap_once(deps), REAP_S),
        _every("hasten", lambda: duties.hasten_once(deps), HASTEN_S),
        _every("index", lambda: deps.frames.empty(deps.store), INDEX_S),
        _every("close", lambda: framelog.close_segments(deps), SWEEP_S),
        _every("figures", lambda: rollups.once(deps), FIGURES_S),
        Duty("gauges", lambda: gauges.once(deps), lambda: gauges.pause(deps), SAMPLE_S),
        _every("thin", lambda: rollups.thin(deps.store, deps.clock()), TIDY_S),
        _every("sweep", lambda: reap.free_segments(deps), SWEEP_S),
    ]


def _of_the_house(deps: Deps, renew_keys: Work) -> list[Duty]:
    """What people, machines that pair, and keys need."""
    return [
        _every("keys", renew_keys, SWEEP_S),
        _every("pairings", lambda: pairing.expire(deps), REAP_S),
        _every("tries", lambda: pairing.forget(deps), FORGET_S),
        _every("tidy", lambda: tidy.tidy(deps), TIDY_S),
        _every("tokens", lambda: retoken.forget(deps), FORGET_S),
        _every("sessions", lambda: sessions.sweep(deps), SESSIONS_S),
        _every("bulk", lambda: bulk.once(deps), bulk.EVERY_S, LONG_S),
        _every("export", lambda: boincstats.once(deps), boincstats.EVERY_S, LONG_S),
    ]


def _of_upkeep(deps: Deps) -> list[Duty]:
    """What operators need."""
    return [
        _every("watch", lambda: watch.once(deps), watch.EVERY_S),
        _every("tell", lambda: telling.once(deps), telling.EVERY_S),
        _every("backup", lambda: backups.once(deps), backups.EVERY_S, LONG_S),
        _every("forget", lambda: watch.forget(deps), watch.FORGET_S),
    ]


async def stop(tasks: list[asyncio.Task[None]]) -> None:
    """End every duty."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
