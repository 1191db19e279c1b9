"""What is wrong now, as signs with a cause and a cure: duties, disks, papers, parts, routes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from server.domain.alert import Level, Sign
from server.domain.upkeep import DAY_S, Space
from server.services.upkeep.desk import Upkeep
from server.services.upkeep.meter import LEAST, Speed
from server.services.upkeep.rounds import Round

FAILS_BAD = 5  # rounds in a row; fewer may be a moment's trouble
PAGE = "/operations"


def minutes(seconds: float) -> str:
    """A time in words: the largest unit that it fills."""
    for length, word in ((DAY_S, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= length:
            number = math.floor(seconds / length)
            return f"{number} {word}{'' if number == 1 else 's'}"
    return "less than a minute"


def gigabytes(amount: float) -> str:
    """Bytes in words."""
    return f"{amount / 1e9:.1f} GB"


def all_of(desk: Upkeep, now: float) -> Iterator[Sign]:
    """Every sign that is known without asking the database."""
    for one in desk.rounds.known.values():
        yield from of_duty(one, now)
    for space in desk.spaces:
        yield from of_space(desk, space)
    yield from of_papers(desk, now)
    yield from of_probes(desk)
    for speed in desk.meter.lately():
        yield from of_route(desk, speed)
    for name, why in desk.faults.items():
        yield Sign(
            "telling", name, Level.WARN, f"Alerts do not arrive by {name}: {why}",
            "Mend it in the settings under [alerts] or [mail]; it is tried again by itself.", PAGE,
        )  # fmt: skip


def of_duty(one: Round, now: float) -> Iterator[Sign]:
    """A duty that fails, or that does not come round."""
    cure = "The server's log has the lines (action=" + one.name + "); restart it if it hangs."
    if one.failures:
        level = Level.BAD if one.failures >= FAILS_BAD else Level.WARN
        times = f"{one.failures} times in a row" if one.failures > 1 else "once"
        yield Sign("duty", one.name, level, f"{one.name} failed {times}: {one.why}", cure, PAGE)
    elif late := one.late_by(now):
        said = f"{one.name} is late by {minutes(late)}"
        more = ", at work since then" if one.working else ""
        yield Sign("duty", one.name, Level.BAD, said + more, cure, PAGE)


def of_space(desk: Upkeep, space: Space) -> Iterator[Sign]:
    """A disk that gets full, or that cannot be asked."""
    if space.why:
        yield Sign(
            "space", space.path, Level.WARN, f"{space.path} cannot be looked at: {space.why}",
            "Mount it, or take it out of operations.paths.", PAGE,
        )  # fmt: skip
        return
    level = desk.thresholds.space(space.share)
    if level is not None:
        yield Sign(
            "space", space.path, level,
            f"{space.path}: {100 * space.share:.0f} % left, {gigabytes(space.left)}",
            "Make room there, or give it a larger disk.", PAGE,
        )  # fmt: skip


def of_papers(desk: Upkeep, now: float) -> Iterator[Sign]:
    """Certificates and keys that end soon, or have ended."""
    for paper in desk.known_papers:
        left = paper.ends_at - now
        level = desk.thresholds.expiry(left)
        if level is not None:
            when = f"ends in {minutes(left)}" if left > 0 else f"ended {minutes(-left)} ago"
            yield Sign(paper.kind, paper.name, level, f"{paper.name} {when}", paper.cure, PAGE)
        if paper.refused:
            yield Sign(
                f"{paper.kind}-refused", paper.name, Level.WARN,
                f"{paper.name}: what lies there now is not taken: {paper.refused}",
                "The old one is answered with. Put a pair that goes together there, or the old one"
                " back; kill -HUP has it looked at once.", PAGE,
            )  # fmt: skip


_CURES = {
    "database": "See that it runs, that its disk has room, and what the server's log says.",
    "blobs": "See that the back-end of blobs.url answers and has room; what waits is tried again.",
}


def of_probes(desk: Upkeep) -> Iterator[Sign]:
    """Parts that did not answer."""
    for name, probe in desk.probes.items():
        if probe.why:
            cause = f"The {name} does not answer: {probe.why}"
            yield Sign("part", name, Level.BAD, cause, _CURES.get(name, ""), PAGE)


def of_route(desk: Upkeep, speed: Speed) -> Iterator[Sign]:
    """A route that is slow for one in twenty, or fails as often."""
    name = f"{speed.method} {speed.path}"
    if speed.timed >= LEAST and speed.slowest_s > desk.thresholds.slow_s:
        yield Sign(
            "route", name, Level.WARN,
            f"{name} is slow: one in twenty took {_bound(speed.slowest_s)}",
            "See whether the machine or the database is loaded; operations.slow_s is the bound.",
            PAGE,
        )  # fmt: skip
    if speed.count >= LEAST and speed.failed * 20 > speed.count:
        yield Sign(
            "route-failing", name, Level.WARN,
            f"{name} fails: {speed.failed} of {speed.count} answers in a quarter of an hour",
            "The server's log says why, under action=failed.", PAGE,
        )  # fmt: skip


def _bound(seconds: float) -> str:
    return "more than 10 s" if math.isinf(seconds) else f"up to {seconds:g} s or more"
