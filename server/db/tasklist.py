"""Tasks by what is looked for: pages by key, each of a bounded number of rows looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from server.db.base import Row, Tx, dollars

LOOK = 20_000  # rows that are looked at for one page: about 20 ms, however rare what is wanted
LAST = 2**62  # behind every id, and every time
FEW = 64  # hosts that are read one by one, and their pages merged

_COLUMNS = (
    "id, production, unit, first, last, state, host, account, leased_at, ended_at, cause, held,"
    " cpu_s"
)
# Of these states there are few, and an index of each; ready is read from the end of the table.
RARE = frozenset({"leased", "failed", "returned", "expired", "aborted", "withdrawn"})
ENDED = "ended"
OLDEST = "oldest"
NEWEST = "newest"
ORDERS = (NEWEST, OLDEST, ENDED)
"""By number, the highest or the lowest first; or by their ends, the latest first."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for; 0, "" and None are all. Times are of ends, in [since, until).

    ``kind`` is the class of the failure. ``after`` is the key behind which the page begins: an id,
    or with the order `ENDED` a time and an id.
    """

    production: int = 0
    state: str = ""
    host: int = 0
    account: int = 0
    site: int = 0
    kind: str = ""
    since: float | None = None
    until: float | None = None
    order: str = NEWEST
    after: tuple[float, int] | None = None


@dataclass(frozen=True)
class Listed:
    """A task in a list."""

    id: int
    production: int
    unit: int
    first: int
    last: int
    state: str
    host: int | None
    account: int | None
    leased_at: float | None
    ended_at: float | None
    cause: str
    held: int
    cpu_s: float | None


@dataclass(frozen=True)
class Slice:
    """Tasks in order, and the key of the last row that was looked at; None if that was the end."""

    tasks: list[Listed]
    upto: tuple[float, int] | None


@dataclass(frozen=True)
class Query:
    """A query with its values: ``rows`` are the tasks, ``edge`` the key of the last looked at."""

    rows: str
    values: tuple[Any, ...]
    edge: str
    edge_values: tuple[Any, ...]


class _Values:
    """Values of a query, each written as the parameter that it becomes."""

    def __init__(self) -> None:
        self.found: list[Any] = []

    def put(self, value: Any) -> str:
        """The parameter of one more value."""
        self.found.append(value)
        return f"${len(self.found)}"


def query(wanted: Wanted, limit: int, look: int = LOOK) -> Query:
    """How the tasks are read: the latest ``look`` by one index, and of those what is wanted."""
    values = _Values()
    columns, source = _driven(wanted, values)
    driving = tuple(values.found)
    inner = f"SELECT {columns} {source} LIMIT {int(look)}"
    rest = _rest(wanted, values)
    # The inner order is that of the outer rows: neither database sorts or mixes such a scan.
    rows = f"SELECT {_COLUMNS} FROM ({inner}) AS seen{rest} LIMIT {int(limit)}"  # noqa: S608
    edge = f"SELECT tasks.ended_at, tasks.id {source} LIMIT 1 OFFSET {int(look) - 1}"
    return Query(rows, tuple(values.found), edge, driving)


def _driven(wanted: Wanted, values: _Values) -> tuple[str, str]:
    """The columns, and where from: the rows of one index behind the key, in order."""
    table, key, terms = "tasks", "id", list[str]()
    columns = _COLUMNS
    if wanted.order == ENDED:
        terms.append("ended_at IS NOT NULL")
        if wanted.since is not None:
            terms.append(f"ended_at >= {values.put(wanted.since)}")
        if wanted.until is not None:
            terms.append(f"ended_at < {values.put(wanted.until)}")
        at, number = wanted.after or (LAST, LAST)
        terms.append(f"(ended_at, id) < ({values.put(at)}, {values.put(number)})")
        return columns, _source(table, terms, "ended_at DESC, id DESC")
    if wanted.host:
        terms.append(f"host = {values.put(wanted.host)}")
    elif wanted.kind:
        columns = ", ".join(f"tasks.{name}" for name in _COLUMNS.split(", "))
        table, key = "findings JOIN tasks ON tasks.id = findings.task", "findings.task"
        terms.append(f"findings.kind = {values.put(wanted.kind)}")
    elif wanted.state in RARE:
        terms.append(f"state = '{wanted.state}'")  # a constant: what the partial index says
    elif wanted.production and wanted.state != "ready":
        terms += [f"production = {values.put(wanted.production)}", "host IS NOT NULL"]
    sign, way, begin = (">", "ASC", 0) if wanted.order == OLDEST else ("<", "DESC", LAST)
    behind = begin if wanted.after is None else wanted.after[1]
    terms.append(f"{key} {sign} {values.put(behind)}")
    return columns, _source(table, terms, f"{key} {way}")


def _source(table: str, terms: list[str], order: str) -> str:
    return f"FROM {table} WHERE {' AND '.join(terms)} ORDER BY {order}"


def _rest(wanted: Wanted, values: _Values) -> str:
    """All terms; those of the index hold already, and cost nothing to ask again."""
    terms: list[str] = []
    for column, value in (
        ("production", wanted.production),
        ("host", wanted.host),
        ("account", wanted.account),
        ("state", wanted.state),
    ):
        if value:
            terms.append(f"{column} = {values.put(value)}")
    if wanted.site:
        terms.append(f"host IN (SELECT id FROM hosts WHERE site = {values.put(wanted.site)})")  # noqa: S608
    if wanted.kind:
        kind = values.put(wanted.kind)
        terms.append(f"id IN (SELECT task FROM findings WHERE task = id AND kind = {kind})")  # noqa: S608
    if wanted.since is not None:
        terms.append(f"ended_at >= {values.put(wanted.since)}")
    if wanted.until is not None:
        terms.append(f"ended_at < {values.put(wanted.until)}")
    return f" WHERE {' AND '.join(terms)}" if terms else ""


def _listed(row: Row) -> Listed:
    return Listed(*(*row[:10], row[10] or "", row[11] or 0, row[12]))


async def read(tx: Tx, wanted: Wanted, limit: int, look: int = LOOK) -> Slice:
    """One page of what is wanted, by one index; ``upto`` is where the next page begins."""
    asked = query(wanted, limit, look)
    found = [_listed(row) for row in await tx.all(asked.rows, *asked.values)]
    if len(found) == limit:
        return Slice(found, _key(wanted, found[-1]))
    row = await tx.one(asked.edge, *asked.edge_values)
    return Slice(found, None if row is None else (row[0] or 0.0, row[1]))


async def of_hosts(tx: Tx, wanted: Wanted, hosts: list[int], limit: int) -> Slice:
    """The same of these hosts, each by its index, and merged."""
    look = max(limit, LOOK // max(1, len(hosts)))
    slices = [await read(tx, replace(wanted, host=host), limit, look) for host in hosts]
    forward = wanted.order == OLDEST
    ends = [one.upto[1] for one in slices if one.upto is not None]
    # Behind the nearest of these keys, not every host has been looked at.
    edge = (min(ends) if forward else max(ends)) if ends else None
    rows = sorted(
        (task for one in slices for task in one.tasks),
        key=lambda task: task.id,
        reverse=not forward,
    )
    if edge is not None:
        rows = [task for task in rows if (task.id <= edge if forward else task.id >= edge)]
    if len(rows) > limit:
        rows = rows[:limit]
        edge = rows[-1].id
    return Slice(rows, None if edge is None else (0.0, edge))


def _key(wanted: Wanted, last: Listed) -> tuple[float, int]:
    return (last.ended_at or 0.0, last.id) if wanted.order == ENDED else (0.0, last.id)


async def hosts_of(tx: Tx, account: int, site: int) -> list[int]:
    """The hosts of an account, or of a site; at most one more than `FEW`."""
    column, value = ("account", account) if account else ("site", site)
    rows = await tx.all(
        f"SELECT id FROM hosts WHERE {column} = $1 LIMIT {FEW + 1}",  # noqa: S608
        value,
    )
    return [int(row[0]) for row in rows]


async def kinds(tx: Tx, tasks: list[int]) -> dict[int, tuple[str, str]]:
    """The class of failure of each of these tasks that has one, and the line that told it."""
    rows = await tx.all(
        f"SELECT task, kind, line FROM findings WHERE task IN ({dollars(len(tasks))})",  # noqa: S608
        *tasks,
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def all_kinds(tx: Tx) -> list[str]:
    """Every class of failure that was found so far."""
    rows = await tx.all(
        "WITH RECURSIVE each(kind) AS (SELECT min(kind) FROM findings UNION ALL"
        " SELECT (SELECT min(kind) FROM findings WHERE kind > each.kind) FROM each"
        " WHERE each.kind IS NOT NULL) SELECT kind FROM each WHERE kind IS NOT NULL"
    )
    return [str(row[0]) for row in rows]


async def names(tx: Tx, accounts: list[int]) -> dict[int, str]:
    """The names of these accounts."""
    among = dollars(len(accounts))
    rows = await tx.all(f"SELECT id, name FROM accounts WHERE id IN ({among})", *accounts)  # noqa: S608
    return {row[0]: row[1] for row in rows}


async def whole(tx: Tx, task: int) -> tuple[Listed, str, int] | None:
    """One task with its log, and where it ended before it was trimmed."""
    row = await tx.one(
        f"SELECT {_COLUMNS}, coalesce(log, ''), coalesce(lent, last) FROM tasks WHERE id = $1",  # noqa: S608
        task,
    )
    return None if row is None else (_listed(row[:-2]), str(row[-2]), int(row[-1]))


async def copies(tx: Tx, task: Listed, last: int, limit: int) -> list[Listed]:
    """The tasks of the same unit that share events with this one, in the order of their making."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM tasks WHERE production = $1 AND unit = $2"  # noqa: S608
        " AND first < $3 AND coalesce(lent, last) > $4 ORDER BY id LIMIT $5",
        task.production,
        task.unit,
        last,
        task.first,
        limit,
    )
    return [_listed(row) for row in rows]


async def steps(tx: Tx, task: int) -> list[tuple[float, str, str, str]]:
    """Every step of a task, oldest first: when, from where, to where, why."""
    rows = await tx.all(
        "SELECT at, source, target, cause FROM moves WHERE machine = 'task' AND subject = $1"
        " ORDER BY id LIMIT 1000",
        task,
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]
