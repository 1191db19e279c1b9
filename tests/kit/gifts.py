"""Figures as the roll-ups would have written them, for tests of what people gave."""

from __future__ import annotations

from collections.abc import Mapping

from server.db import figures
from server.domain.rollup import DAY, EVER, Kind, Measure, floor, steps_of
from server.services import certificates, teams
from server.services.enrol import Bearer
from tests.kit.house import House

HOUR_MS = 3_600_000


def amount(events: int, hours: float, **more: int) -> dict[Measure, int]:
    """So many events in so many hours of CPU, and twice the wall time."""
    cpu = round(hours * HOUR_MS)
    return {
        Measure.EVENTS_VALIDATED: events, Measure.CPU_MS: cpu, Measure.WALL_MS: 2 * cpu,
        Measure.CREDIT_MICROS: cpu * 1000, Measure.TASKS_LEASED: 1,
        **{Measure(name): value for name, value in more.items()},
    }  # fmt: skip


async def gave(found: House, kind: Kind, key: str, at: int, facts: Mapping[Measure, int]) -> None:
    """Somebody gave this on the day that begins at a time."""
    steps = [(DAY, at), (EVER, 0)] if DAY in steps_of(kind) else [(EVER, 0)]
    rows = {(kind, key, step, place): facts for step, place in steps}
    await found.deps.store.write(lambda tx: figures.add(tx, rows))


async def give(found: House, account: str, host: int, site: str) -> dict[str, str]:
    """An account with a machine gave something lately; it has a certificate, and is in a team."""
    [[number]] = await found.rows("SELECT id FROM accounts WHERE name = $1", account)
    today = floor(found.deps.clock(), DAY)
    for at, events in ((today, 1_200), (today - 40 * DAY, 11_000)):
        facts = amount(events, events / 50)
        await gave(found, Kind.ACCOUNT, str(number), at, facts)
        await gave(found, Kind.HOST, str(host), at, facts)
        await gave(found, Kind.SITE, site, at, facts)
        await gave(found, Kind.CONTRIBUTION, f"{number}/1", at, facts)
    made = await certificates.make(found.deps, number, account)
    person = Bearer(number, account, "volunteer")
    team = await teams.make(found.deps, person, "Night owls", "We compute while you sleep.")
    return {"certificate": certificates.spelled(made.code), "team": str(team)}
