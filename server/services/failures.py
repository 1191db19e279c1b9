"""What was found in the logs of a production, as people see it."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.db import findings
from server.db.base import Tx
from server.db.findings import Found, Group
from server.db.set_aside import Aside
from server.services import produce
from server.services.deps import Deps

LINE = 200  # characters of a log's last line


@dataclass(frozen=True)
class FailureView:
    """Tasks that ended alike: failed (or delivered, with this in their log); ``line`` of the last.

    ``pattern`` is empty where nothing matched.
    """

    kind: str
    pattern: str
    action: str
    outcome: str
    tasks: int
    hosts: int
    accounts: int
    last_task: int
    line: str


@dataclass(frozen=True)
class FindingView:
    """What was found in the log of one task, with the lines around it."""

    task: int
    unit: int
    host: int
    host_name: str
    outcome: str
    word: str
    pattern: str
    kind: str
    action: str
    line: str
    around: str
    found_at: float


@dataclass(frozen=True)
class AsideView:
    """Events ``[first, last)`` set aside, as they fail wherever they are tried: ``why`` in a word.

    ``line`` is the last line of a log.
    """

    first: int
    last: int
    accounts: int
    why: str
    line: str
    at: float


@dataclass(frozen=True)
class FailuresView:
    """The failures of a production by kind and pattern, and the latest of them."""

    groups: list[FailureView] = field(default_factory=list)
    latest: list[FindingView] = field(default_factory=list)


def group_view(one: Group) -> FailureView:
    """Tasks that ended alike, as people see them."""
    return FailureView(
        one.kind, one.pattern, one.action, one.outcome, one.tasks, one.hosts, one.accounts,
        one.last_task, one.line,
    )  # fmt: skip


def aside_view(part: Aside) -> AsideView:
    """Events set aside, as people see them."""
    lines = [line.strip() for line in part.log.splitlines() if line.strip()]
    line = lines[-1][:LINE] if lines else ""
    return AsideView(part.first, part.last, part.accounts, part.word, line, part.at)


def finding_view(deps: Deps, one: Found) -> FindingView:
    """A finding, as people see it."""
    name = deps.registry.names.get(one.host, f"host {one.host}")
    return FindingView(
        one.task, one.unit, one.host, name, one.outcome, one.word, one.pattern, one.kind,
        one.action, one.line, one.around, one.at,
    )  # fmt: skip


def starved(deps: Deps, production: int) -> list[str]:
    """Which work waits for more memory than any host has, in a sentence."""
    line = deps.lines.get(production)
    needs = {u: n for u, n in line.needs.items() if u in line.waits} if line is not None else {}
    if not needs:
        return []
    most = max((host.facts.memory_mb for host in deps.registry.hosts.values()), default=0)
    units = sorted(unit for unit, need in needs.items() if need > most)
    if not units:
        return []
    more = f" and {len(units) - 1} more" if len(units) > 1 else ""
    return [
        f"unit {units[0]}{more} died for want of memory and now takes {needs[units[0]]} MB,"
        f" and no host here has more than {most}"
    ]


async def of_production(
    deps: Deps, name: str, kind: str | None, pattern: str | None, limit: int
) -> FailuresView:
    """The failures of a production; the latest ones of a kind or pattern. Raises NotFound."""
    row = await produce.find(deps, name)

    async def read(tx: Tx) -> tuple[list[Group], list[Found]]:
        groups = await findings.groups(tx, row.id)
        return groups, await findings.latest(tx, row.id, kind, pattern, limit)

    groups, latest = await deps.store.read(read)
    return FailuresView(
        [group_view(one) for one in groups], [finding_view(deps, one) for one in latest]
    )
