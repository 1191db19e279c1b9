"""What a machine does in HS06 and HEPscore23: said by operators, or told by the machine itself.

A machine's word comes from its site (Machine/Job Features) and proves nothing: it counts in the
hours of a site alone, bounded and marked, and never in credit or trust. An operator's counts first.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.db import hosts, powers
from server.db.base import Tx
from server.db.powers import Said, Told
from server.domain.errors import BadInput, NotFound
from server.domain.giving import BENCHMARKS, Power, of_a_core
from server.services import audit
from server.services.cards import HostCard
from server.services.deps import Deps

POWER_MOST = 1e6


@dataclass(frozen=True)
class PowerView:
    """A benchmark of a machine; ``core`` is that of one core, ``whole`` of all that it has.

    ``origin`` is operator or machine; ``by`` names the operator. One that is passed over in favour
    of an operator's does not count.
    """

    name: str
    core: float
    whole: float
    origin: str
    by: str
    at: float | None
    counts: bool


async def say(deps: Deps, host: int, name: str, value: float, by: str) -> None:
    """Keep what a benchmark found of a whole machine. Raises NotFound, BadInput."""
    if name not in BENCHMARKS:
        raise BadInput([f"name: {name[:40]!r} is none; there are {', '.join(BENCHMARKS)}"])
    if not 0 < value < POWER_MOST:
        raise BadInput(
            [f"value: more than 0 and less than {POWER_MOST:,.0f}, of the whole machine"]
        )
    now = deps.clock()

    async def write(tx: Tx) -> None:
        if await hosts.one(tx, host) is None:
            raise NotFound("host", host)
        await powers.say(tx, host, Said(name, value, by, now))
        audit.note(tx, by, "host.benchmark", str(host), f"{name} {value:g}", at=now)

    await deps.store.write(write)


async def heard(deps: Deps, card: HostCard, power: Power) -> None:
    """A machine says something else of itself than before; kept for a server that starts."""
    if power == card.power:
        return
    card.power, now = power, deps.clock()

    async def write(tx: Tx) -> None:
        powers.tell(tx, card.id, power, now)

    await deps.store.write(write)


async def load(deps: Deps) -> None:
    """Bring what machines said of themselves into memory."""
    for host, power in (await deps.store.read(powers.told)).items():
        if (card := deps.registry.hosts.get(host)) is not None:
            card.power = power


def views(said: list[Said], told: Told, cores: int) -> list[PowerView]:
    """What is known of a machine with so many cores, what counts before what does not."""
    found = [
        PowerView(
            one.name,
            of_a_core(one.value, cores),
            one.value,
            "operator",
            one.by,
            one.at,
            counts=True,
        )
        for one in said
    ]
    taken = {one.name for one in said}
    found += [
        PowerView(name, core, core * cores, "machine", "", told.at, name not in taken)
        for name in BENCHMARKS
        if (core := told.power.of(name))
    ]
    return sorted(found, key=lambda one: (BENCHMARKS.index(one.name), not one.counts))
