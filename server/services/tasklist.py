"""Tasks found among all there ever were, and one of them with its copies, its log and its steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from server.db import accounts, findings, productions
from server.db import tasklist as rows
from server.db.base import Tx
from server.db.findings import Found
from server.db.tasklist import ENDED, FEW, NEWEST, ORDERS, Listed, Slice, Wanted
from server.domain.errors import BadInput, NotFound
from server.domain.task import TaskState
from server.services import produce
from server.services.deps import Deps
from server.services.failures import FindingView, finding_view
from server.services.portrait import StepView

__all__ = ["ORDERS", "Sought", "TaskLine", "TaskPage", "TaskStory", "find", "kinds", "story"]
COPIES = 200  # that are shown of one range of events


@dataclass(frozen=True)
class Sought:
    """What a person looks for, in his words; "" is all.

    ``host`` is a number or a name. ``since`` and ``until`` are of ends: Unix seconds, or a date
    with or without a time (ISO 8601, UTC if it does not say). ``after`` is the ``next`` of a page.
    """

    production: str = ""
    state: str = ""
    host: str = ""
    account: str = ""
    site: str = ""
    kind: str = ""
    since: str = ""
    until: str = ""
    order: str = NEWEST
    after: str = ""


@dataclass(frozen=True)
class TaskLine:
    """A task in a list: one host's lease on events ``[first, last)``; no host: it waits for one.

    ``kind`` is the class of its failure and ``line`` what told it; ``held`` are events in hand.
    """

    id: int
    production: str
    unit: int
    first: int
    last: int
    state: str
    host: int
    host_name: str
    account: str
    site: str
    kind: str
    line: str
    leased_at: float | None
    ended_at: float | None
    cause: str
    held: int
    cpu_s: float | None


@dataclass(frozen=True)
class TaskPage:
    """Tasks in order; ``next`` is where the next page begins, empty at the end.

    ``order`` is the one they are in: lists of a host, account, site or class have that of numbers,
    lists of a time that of ends. If ``looked_short`` the page has fewer than were asked for,
    because so many others were looked at in between: the next page looks further.
    """

    tasks: list[TaskLine] = field(default_factory=list)
    next: str = ""
    order: str = NEWEST
    looked_short: bool = False


@dataclass(frozen=True)
class TaskStory:
    """A task and all that is known of it: who else has or had its events, what it said, its steps.

    ``lent_last`` is where its range ended before it was trimmed, else its last.
    """

    task: TaskLine
    lent_last: int
    log: str
    copies: list[TaskLine] = field(default_factory=list)
    finding: FindingView | None = None
    steps: list[StepView] = field(default_factory=list)


async def find(deps: Deps, sought: Sought, limit: int) -> TaskPage:
    """A page of the tasks that are sought. Raises NotFound, BadInput."""
    wanted, named = await _wanted(deps, sought)

    async def read(tx: Tx) -> tuple[Slice, list[TaskLine]]:
        hosts = named
        if not named and (wanted.account or wanted.site):
            hosts = await rows.hosts_of(tx, wanted.account, wanted.site)
        if named or 0 < len(hosts) <= FEW:
            found = await rows.of_hosts(tx, wanted, hosts, limit)
        else:
            found = await rows.read(tx, wanted, limit)
        return found, await _lines(tx, deps, found.tasks)

    found, lines = await deps.store.read(read)
    return TaskPage(
        lines, _key(found.upto, wanted.order), wanted.order,
        found.upto is not None and len(lines) < limit,
    )  # fmt: skip


async def story(deps: Deps, task: int) -> TaskStory:
    """One task with all that is known of it. Raises NotFound."""

    async def read(tx: Tx) -> TaskStory:
        found = await rows.whole(tx, task)
        if found is None:
            raise NotFound("task", task)
        row, log, last = found
        copies = [c for c in await rows.copies(tx, row, last, COPIES) if c.id != task]
        told: Found | None = await findings.one(tx, task)
        [own, *others] = await _lines(tx, deps, [row, *copies])
        return TaskStory(
            own, last, log, others,
            None if told is None else finding_view(deps, told),
            [StepView(at, "task", *step) for at, *step in await rows.steps(tx, task)],
        )  # fmt: skip

    return await deps.store.read(read)


async def kinds(deps: Deps) -> list[str]:
    """Every class of failure that was found so far."""
    return await deps.store.read(rows.all_kinds)


async def _wanted(deps: Deps, sought: Sought) -> tuple[Wanted, list[int]]:
    """What is looked for, and the hosts of the name that was given."""
    faults = []
    if sought.state and sought.state not in set(TaskState):
        faults.append(f"state: {sought.state[:40]} is none; there are {', '.join(TaskState)}")
    if sought.order not in ORDERS:
        faults.append(f"order: {sought.order[:40]} is none; there are {', '.join(ORDERS)}")
    since, until = _time("since", sought.since, faults), _time("until", sought.until, faults)
    order = _order(sought)
    after = _after(sought.after, order, faults)
    if faults:
        raise BadInput(faults)
    wanted = Wanted(0, sought.state, 0, 0, 0, sought.kind, since, until, order, after)
    if sought.production:
        wanted = replace(wanted, production=(await produce.find(deps, sought.production)).id)
    named = _hosts(deps, sought.host)
    if sought.account:
        account = await deps.store.read(lambda tx: accounts.named(tx, sought.account))
        if account is None:
            raise NotFound("account", sought.account)
        wanted = replace(wanted, account=account.id)
    if sought.site:
        wanted = replace(wanted, site=_site(deps, sought.site))
    return wanted, named


def _order(sought: Sought) -> str:
    """The order in which an index can give it: ends alone, or numbers of what is sought."""
    if sought.host or sought.account or sought.site or sought.kind:
        return NEWEST if sought.order == ENDED else sought.order
    return ENDED if sought.since or sought.until else sought.order


def _hosts(deps: Deps, said: str) -> list[int]:
    if not said:
        return []
    if said.isascii() and said.isdigit() and len(said) < 19:
        return [int(said)]
    found = [number for number, name in deps.registry.names.items() if name == said]
    if not found:
        raise NotFound("host", said)
    return found[:FEW]


def _site(deps: Deps, name: str) -> int:
    for site in deps.registry.sites.values():
        if site.name == name:
            return site.id
    raise NotFound("site", name)


def _time(name: str, text: str, faults: list[str]) -> float | None:
    """Seconds of a time as people write it."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        faults.append(f"{name}: {text[:40]} is no time; write it as 2026-11-21 or 2026-11-21T10:30")
        return None


def _after(text: str, order: str, faults: list[str]) -> tuple[float, int] | None:
    if not text:
        return None
    at, _, number = text.rpartition("~")
    try:
        if bool(at) != (order == ENDED):
            raise ValueError(text)
        return float(at or 0), max(-1, min(int(number), rows.LAST))
    except ValueError:
        faults.append("after: give the next of the page before, with the same order")
        return None


def _key(upto: tuple[float, int] | None, order: str) -> str:
    if upto is None:
        return ""
    return f"{upto[0]!r}~{upto[1]}" if order == ENDED else str(upto[1])


async def _lines(tx: Tx, deps: Deps, tasks: list[Listed]) -> list[TaskLine]:
    """Tasks as people see them: the names of what they point at."""
    told = await rows.kinds(tx, [task.id for task in tasks])
    names = await rows.names(tx, sorted({task.account for task in tasks if task.account}))
    titles = await productions.titles(tx, sorted({task.production for task in tasks}))
    registry = deps.registry
    lines = []
    for task in tasks:
        host, live = task.host or 0, registry.tasks.get(task.id)
        card = registry.hosts.get(host)
        kind, line = told.get(task.id, ("", ""))
        lines.append(
            TaskLine(
                task.id, titles.get(task.production, str(task.production)), task.unit, task.first,
                task.last, task.state, host,
                registry.names.get(host, f"host {host}") if host else "",
                names.get(task.account or 0, ""),
                "" if card is None else registry.site_name(card.site), kind, line, task.leased_at,
                task.ended_at, task.cause, task.held if live is None else live.held.events,
                task.cpu_s,
            )
        )  # fmt: skip
    return lines
