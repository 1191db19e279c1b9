"""What a site gave, month by month and machine by machine, for institutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, datetime

from server.db import circles, contributions, powers
from server.db.base import Tx
from server.db.contributions import HostSum
from server.domain import spreadsheet
from server.domain.credit import MICROS
from server.domain.errors import BadInput, Forbidden, NotFound
from server.domain.giving import BENCHMARKS, Power, normalised_hours, of_a_core
from server.domain.roles import Caller, reaches
from server.domain.rollup import MONTH, Kind, Measure, end_of, floor
from server.services import stats
from server.services.deps import Deps
from server.services.factsheet import from_text

WATCHERS = "operator"
"""The role from which on somebody sees what every site gave."""


@dataclass(frozen=True)
class Given:
    """What was given in a time; CPU and wall in hours, credit in core-seconds of the reference.

    ``hs06_h`` and ``hepscore23_h`` are CPU-hours times the benchmark for a core, of the machines
    whose benchmark is known: ``hs06_share`` and ``hepscore23_share`` of the CPU-hours. Of them
    ``hs06_told_h`` and ``hepscore23_told_h`` are on the machines' own word. ``unmeasured_h`` are
    CPU-hours of machines without any benchmark.
    """

    events: int = 0
    cpu_h: float = 0.0
    wall_h: float = 0.0
    credit: float = 0.0
    tasks: int = 0
    hs06_h: float = 0.0
    hs06_share: float = 0.0
    hepscore23_h: float = 0.0
    hepscore23_share: float = 0.0
    hs06_told_h: float = 0.0
    hepscore23_told_h: float = 0.0
    unmeasured_h: float = 0.0


@dataclass(frozen=True)
class Giver:
    """A machine, or an account with so many of them, and what it gave."""

    name: str
    account: str
    machines: int
    given: Given


@dataclass(frozen=True)
class MonthGiven:
    """A calendar month (UTC) as 2026-11, and what the site gave in it."""

    month: str
    given: Given


@dataclass(frozen=True)
class SiteGiving:
    """What a site gave: each month in sum, and one month by account and by machine.

    Months are of the machines that stood there then, without benchmarks; accounts and machines are
    those of today, and ``whole`` is their sum.
    """

    site: str
    month: str
    months: list[MonthGiven] = field(default_factory=list)
    accounts: list[Giver] = field(default_factory=list)
    machines: list[Giver] = field(default_factory=list)
    whole: Given = field(default_factory=Given)


async def of_site(deps: Deps, caller: Caller, name: str, month: str = "") -> SiteGiving:
    """What a site gave. Raises NotFound, Forbidden, BadInput."""
    site = next((each.id for each in deps.registry.sites.values() if each.name == name), None)
    if site is None:
        raise NotFound("site", name)
    start = _start(month) if month else floor(deps.clock(), MONTH)

    async def read(tx: Tx) -> tuple[list[HostSum], dict[int, dict[str, float]], dict[int, Power]]:
        if not reaches(caller.role, WATCHERS):
            _, stands, runs = await circles.of(tx, caller.account)
            if name not in runs and (name not in stands or not reaches(caller.role, "institute")):
                raise Forbidden(WATCHERS)
        sums = await contributions.of_site(tx, site, start, end_of(start, MONTH))
        return sums, await powers.of_site(tx, site), await powers.told_at(tx, site)

    sums, said, told = await deps.store.read(read)
    machines = [
        Giver(
            one.name,
            one.account,
            1,
            _given(deps, one, said.get(one.host, {}), told.get(one.host, Power())),
        )
        for one in sums
    ]
    by_account: dict[str, list[Giver]] = {}
    for one in machines:
        by_account.setdefault(one.account, []).append(one)
    accounts = [
        Giver(account, account, len(each), _sum([one.given for one in each]))
        for account, each in sorted(by_account.items())
    ]
    months = [
        MonthGiven(_named(each.start), _plain(each.values))
        for each in await stats.months(deps, Kind.SITE, name)
    ]
    whole = _sum([one.given for one in machines])
    return SiteGiving(name, _named(start), months[::-1], accounts, machines, whole)


def as_csv(giving: SiteGiving) -> str:
    """The machines of the month as CSV, with a line of names."""
    rows: list[Sequence[object]] = [
        ("site", "month", "account", "machine", "events", "cpu_hours", "wall_hours", "credit",
         "tasks", "hs06_hours", "hepscore23_hours", "hs06_from", "hepscore23_from",
         "hours_without_benchmark")
    ]  # fmt: skip
    for one in giving.machines:
        given = one.given
        rows.append(
            (giving.site, giving.month, one.account, one.name, given.events,
             round(given.cpu_h, 3), round(given.wall_h, 3), round(given.credit, 3), given.tasks,
             round(given.hs06_h, 3) if given.hs06_share else "unknown",
             round(given.hepscore23_h, 3) if given.hepscore23_share else "unknown",
             *(_origin(given, benchmark) for benchmark in BENCHMARKS), round(given.unmeasured_h, 3))
        )  # fmt: skip
    return spreadsheet.as_csv(rows)


def _start(month: str) -> int:
    try:
        at = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise BadInput([f"month: {month[:20]!r} is none; write it as 2026-11"]) from None
    return floor(at, MONTH)


def _named(start: int) -> str:
    return datetime.fromtimestamp(start, UTC).strftime("%Y-%m")


def _plain(values: dict[Measure, int]) -> Given:
    return Given(
        values.get(Measure.EVENTS_VALIDATED, 0),
        values.get(Measure.CPU_MS, 0) / 3.6e6,
        values.get(Measure.WALL_MS, 0) / 3.6e6,
        values.get(Measure.CREDIT_MICROS, 0) / MICROS,
        values.get(Measure.TASKS_LEASED, 0),
    )


def _origin(given: Given, name: str) -> str:
    """Whose word a machine's benchmark is."""
    if not getattr(given, f"{name}_share"):
        return ""
    return "machine" if getattr(given, f"{name}_told_h") else "operator"


def _given(deps: Deps, one: HostSum, said: dict[str, float], told: Power) -> Given:
    plain, card = _plain(one.values), deps.registry.hosts.get(one.host)
    cores = card.facts.cores if card is not None else from_text(one.facts).facts.cores
    cpu_ms = one.values[Measure.CPU_MS]
    hours = {
        name: normalised_hours(cpu_ms, of_a_core(power, cores)) for name, power in said.items()
    }
    own = {
        name: normalised_hours(cpu_ms, told.of(name))
        for name in BENCHMARKS
        if name not in said and told.of(name)
    }
    known = hours | own
    return replace(
        plain,
        hs06_h=known.get("hs06", 0.0),
        hs06_share=float("hs06" in known),
        hepscore23_h=known.get("hepscore23", 0.0),
        hepscore23_share=float("hepscore23" in known),
        hs06_told_h=own.get("hs06", 0.0),
        hepscore23_told_h=own.get("hepscore23", 0.0),
        unmeasured_h=0.0 if known else plain.cpu_h,
    )


def _sum(given: list[Given]) -> Given:
    summed = Given(*(sum(values) for values in zip(*map(astuple, given), strict=True)))
    cpu_h = summed.cpu_h

    def share(name: str) -> float:
        known = sum(one.cpu_h for one in given if getattr(one, name))
        return known / cpu_h if cpu_h else 0.0

    return replace(
        summed, hs06_share=share("hs06_share"), hepscore23_share=share("hepscore23_share")
    )
