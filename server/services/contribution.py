"""What one account gave: in sum, by machine and production, its rank, and its badges."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.db import accounts, contributions
from server.db.base import Tx
from server.db.contributions import HostSum, StudySum
from server.domain import definition as definitions
from server.domain.credit import MICROS
from server.domain.errors import NotFound
from server.domain.giving import Badge, Deeds, badges
from server.domain.rollup import Kind, Measure
from server.services import stats
from server.services.deps import Deps

HOUR_MS = 3.6e6
DAY_S = 86_400.0


@dataclass(frozen=True)
class MachineGift:
    """What a machine of one's own gave in all time."""

    host: int
    name: str
    events: int
    cpu_h: float
    credit: float


@dataclass(frozen=True)
class StudyGift:
    """What one gave to a production; ``study`` is what it is for, in the words of its makers."""

    production: str
    study: str
    state: str
    finished_at: float | None
    events: int
    cpu_h: float
    credit: float


@dataclass(frozen=True)
class Contribution:
    """What an account gave in all time.

    Events are those of its machines that were agreed on; CPU and wall in hours; credit in
    core-seconds of the reference machine. ``rank`` is the place by credit among ``ranked``
    accounts, 0 without any credit; ``since`` when its first event was agreed on.
    """

    account: str
    name: str
    events: int
    rejected: int
    cpu_h: float
    wall_h: float
    credit: float
    rank: int
    ranked: int
    since: float | None
    at: float
    machines: list[MachineGift] = field(default_factory=list)
    studies: list[StudyGift] = field(default_factory=list)
    badges: list[Badge] = field(default_factory=list)


async def of_account(deps: Deps, account: int) -> Contribution:
    """What an account gave. Raises NotFound."""
    now = deps.clock()
    values = await stats.totals(deps, Kind.ACCOUNT, str(account))

    async def read(tx: Tx) -> Contribution:
        person = await accounts.of_id(tx, account)
        if person is None:
            raise NotFound("account", account)
        machines = await contributions.of_machines(tx, account)
        studies = await contributions.of_productions(tx, account)
        since = await contributions.since(tx, account)
        rank, ranked = await contributions.rank(tx, account)
        deeds = _deeds(values, machines, studies, since, now)
        return Contribution(
            person.name, person.full_name or person.name, values[Measure.EVENTS_VALIDATED],
            values[Measure.EVENTS_REJECTED], values[Measure.CPU_MS] / HOUR_MS,
            values[Measure.WALL_MS] / HOUR_MS, values[Measure.CREDIT_MICROS] / MICROS, rank,
            ranked, since, now, [_machine(one) for one in machines],
            [_study(one) for one in studies], badges(deeds),
        )  # fmt: skip

    return await deps.store.read(read)


def _deeds(
    values: dict[Measure, int],
    machines: list[HostSum],
    studies: list[StudySum],
    since: float | None,
    now: float,
) -> Deeds:
    return Deeds(
        values[Measure.EVENTS_VALIDATED],
        values[Measure.EVENTS_REJECTED],
        values[Measure.CPU_MS] / HOUR_MS,
        0.0 if since is None else (now - since) / DAY_S,
        sum(one.state == "done" and one.values[Measure.EVENTS_VALIDATED] > 0 for one in studies),
        sum(one.values[Measure.EVENTS_VALIDATED] > 0 for one in machines),
    )


def _machine(one: HostSum) -> MachineGift:
    values = one.values
    return MachineGift(
        one.host, one.name, values[Measure.EVENTS_VALIDATED], values[Measure.CPU_MS] / HOUR_MS,
        values[Measure.CREDIT_MICROS] / MICROS,
    )  # fmt: skip


def _study(one: StudySum) -> StudyGift:
    values = one.values
    return StudyGift(
        one.name, definitions.parse(one.definition).description, one.state, one.finished_at,
        values[Measure.EVENTS_VALIDATED], values[Measure.CPU_MS] / HOUR_MS,
        values[Measure.CREDIT_MICROS] / MICROS,
    )  # fmt: skip
