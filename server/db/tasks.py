"""Tasks: ranges that are ready, leased, or were, each with its host and its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from server.db import moves
from server.db.base import Row, Tx
from server.db.frames import NewFrame
from server.domain.errors import Overtaken
from server.domain.task import TaskState

_COLUMNS = (
    "id, production, unit, first, last, state, host, account, ask, leased_at, until, deadline"
)


class Task(NamedTuple):
    """A row of tasks."""

    id: int
    production: int
    unit: int
    first: int
    last: int
    state: TaskState
    host: int | None
    account: int | None
    ask: str | None
    leased_at: float | None
    until: float | None
    deadline: float | None


class Ready(NamedTuple):
    """A range that waits for a host."""

    id: int
    unit: int
    first: int
    last: int


def _task(row: Row) -> Task:
    task, production, unit, first, last, state, *rest = row
    return Task(task, production, unit, first, last, TaskState(state), *rest)


async def highest(tx: Tx) -> int:
    """The highest task id given so far."""
    row = await tx.one("SELECT coalesce(max(id), 0) FROM tasks")
    return 0 if row is None else int(row[0])


async def never_given(tx: Tx, ids: Iterable[int]) -> set[int]:
    """Those of these numbers that are no task's, or one's that no host ever had."""
    query = "SELECT 1 FROM tasks WHERE id = $1 AND host IS NOT NULL"
    return {task for task in ids if await tx.one(query, task) is None}


def add_ended(
    tx: Tx, frame: NewFrame, bounds: tuple[int, int], held: int, cause: str, at: float
) -> None:
    """A task of which there are only frames, such as this one, was leased and is over."""
    tx.later(
        "INSERT INTO tasks (id, production, unit, first, last, state, host, account, leased_at,"
        " ended_at, cause, held) VALUES ($1, $2, $3, $4, $5, 'expired', $6, $7, $8, $9, $10, $11)"
        " ON CONFLICT (id) DO UPDATE SET first = $4, last = $5, state = 'expired', host = $6,"
        " account = $7, leased_at = $8, ended_at = $9, cause = $10, held = $11"
        " WHERE tasks.host IS NULL",
        (frame.task, frame.production, frame.unit, *bounds, frame.host, frame.account,
         frame.received_at, at, cause, held),
    )  # fmt: skip
    moves.log(tx, frame.production, "task", frame.task, "ready", "leased", cause, frame.received_at)
    moves.log(tx, frame.production, "task", frame.task, "leased", "expired", cause, at)


async def add_ready(tx: Tx, production: int, rows: list[Ready]) -> None:
    """Put ranges into the table that wait for a host."""
    await tx.many(
        "INSERT INTO tasks (id, production, unit, first, last, state)"
        " VALUES ($1, $2, $3, $4, $5, 'ready')",
        [(row.id, production, row.unit, row.first, row.last) for row in rows],
    )


async def ready_between(tx: Tx, production: int, after: int, upto: int, limit: int) -> list[Ready]:
    """The ranges that wait, by id, from the one after this up to that."""
    rows = await tx.all(
        "SELECT id, unit, first, last FROM tasks"
        " WHERE production = $1 AND state = 'ready' AND id > $2 AND id <= $3 ORDER BY id LIMIT $4",
        production,
        after,
        upto,
        limit,
    )
    return [Ready(*row) for row in rows]


async def split(tx: Tx, production: int, task: int, tail: Ready) -> None:
    """What a waiting range has from an event on waits as a task of its own."""
    await add_ready(tx, production, [tail])
    await tx.run("UPDATE tasks SET last = $1 WHERE id = $2", tail.first, task)


def lease_whole(tx: Tx, task: Task) -> None:
    """A waiting range belongs to a host now."""
    tx.later(
        "UPDATE tasks SET state = 'leased', host = $1, account = $2, ask = $3, leased_at = $4,"
        " until = $5, deadline = $6 WHERE id = $7",
        (task.host, task.account, task.ask, task.leased_at, task.until, task.deadline, task.id),
    )


def lease_head(tx: Tx, task: Task, rest: int) -> None:
    """The head of the waiting range ``rest`` belongs to a host now, as this new task."""
    tx.later(
        f"INSERT INTO tasks ({_COLUMNS})"  # noqa: S608
        " VALUES ($1, $2, $3, $4, $5, 'leased', $6, $7, $8, $9, $10, $11)",
        (
            task.id,
            task.production,
            task.unit,
            task.first,
            task.last,
            task.host,
            task.account,
            task.ask,
            task.leased_at,
            task.until,
            task.deadline,
        ),
    )
    tx.later("UPDATE tasks SET first = $1 WHERE id = $2", (task.last, rest))


async def end(
    tx: Tx, task: Task, target: TaskState, cause: str, held: int, done: int, at: float
) -> None:
    """End a leased task; `Overtaken` if it is not leased any more.

    ``held`` are the events in hand of it, ``done`` those that its host said it had computed.
    """
    changed = await tx.run(
        "UPDATE tasks SET state = $1, ended_at = $2, cause = $3, held = $4, done = $5"
        " WHERE id = $6 AND state = 'leased'",
        str(target),
        at,
        cause,
        held,
        done,
        task.id,
    )
    if changed != 1:
        raise Overtaken("task", task.id)
    moves.log(tx, task.production, "task", task.id, "leased", target, cause, at)


async def trim(tx: Tx, task: Task, last: int, cause: str, at: float) -> None:
    """A leased task ends earlier now; `Overtaken` if it is over or as short already."""
    changed = await tx.run(
        "UPDATE tasks SET last = $1, lent = coalesce(lent, last)"
        " WHERE id = $2 AND state = 'leased' AND first < $1 AND last > $1",
        last,
        task.id,
    )
    if changed != 1:
        raise Overtaken("task", task.id)
    moves.log(tx, task.production, "task", task.id, "leased", "leased", cause, at)


async def needless(tx: Tx) -> set[int]:
    """The leased tasks of units that are over."""
    rows = await tx.all(
        "SELECT tasks.id FROM tasks JOIN units ON units.production = tasks.production"
        " AND units.number = tasks.unit"
        " WHERE tasks.state = 'leased' AND units.state IN ('settled', 'aborted')"
    )
    return {int(row[0]) for row in rows}


async def lent(tx: Tx) -> dict[int, int]:
    """Where leased tasks that were trimmed ended before."""
    rows = await tx.all("SELECT id, lent FROM tasks WHERE state = 'leased' AND lent IS NOT NULL")
    return {row[0]: row[1] for row in rows}


async def note_end(tx: Tx, task: int, cpu_s: float, log: str) -> None:
    """Keep what the host says of a task that ended."""
    await tx.run("UPDATE tasks SET cpu_s = $1, log = $2 WHERE id = $3", cpu_s, log or None, task)


async def logs_kept(tx: Tx, production: int, unit: int, host: int) -> int:
    """Of how many tasks of this unit and host, not delivered, there is a log."""
    row = await tx.one(
        "SELECT count(*) FROM tasks WHERE production = $1 AND unit = $2 AND host = $3"
        " AND state <> 'delivered' AND log IS NOT NULL",
        production,
        unit,
        host,
    )
    return 0 if row is None else int(row[0])


async def accounts_failed(tx: Tx, production: int, unit: int, but: int) -> set[int]:
    """The accounts with whom this unit, or events of it, failed before, in other tasks than one."""
    rows = await tx.all(
        "SELECT DISTINCT account FROM tasks WHERE production = $1 AND unit = $2 AND id <> $3"
        " AND host IS NOT NULL AND (state = 'failed'"
        " OR id IN (SELECT task FROM event_failures WHERE production = $1 AND unit = $2))",
        production,
        unit,
        but,
    )
    return {int(row[0]) for row in rows}


async def withdraw(tx: Tx, production: int, unit: int | None = None) -> int:
    """Take back the waiting ranges of a production, or of one unit of it; how many."""
    return await tx.run(
        "UPDATE tasks SET state = 'withdrawn'"
        " WHERE production = $1 AND state = 'ready' AND unit = coalesce($2, unit)",
        production,
        unit,
    )


async def withdraw_some(tx: Tx, ids: list[int]) -> None:
    """Take back those of these ranges that wait still."""
    for task in ids:
        await tx.run("UPDATE tasks SET state = 'withdrawn' WHERE id = $1 AND state = 'ready'", task)


async def one(tx: Tx, task: int) -> Task | None:
    """One task."""
    row = await tx.one(f"SELECT {_COLUMNS} FROM tasks WHERE id = $1", task)  # noqa: S608
    return None if row is None else _task(row)


async def leased(tx: Tx) -> list[Task]:
    """Every leased task, by id."""
    rows = await tx.all(f"SELECT {_COLUMNS} FROM tasks WHERE state = 'leased' ORDER BY id")  # noqa: S608
    return [_task(row) for row in rows]


async def covering(
    tx: Tx, production: int, unit: int, host: int, first: int, last: int
) -> Task | None:
    """The latest task of a host, over or not, whose range, before any trim, holds these events."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM tasks WHERE production = $1 AND unit = $2 AND host = $3"  # noqa: S608
        " AND first <= $4 AND coalesce(lent, last) >= $5 ORDER BY id DESC LIMIT 1",
        production,
        unit,
        host,
        first,
        last,
    )
    return None if row is None else _task(row)


async def of_unit(tx: Tx, production: int, unit: int) -> list[Task]:
    """Every task of a unit, by id."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM tasks WHERE production = $1 AND unit = $2 ORDER BY id",  # noqa: S608
        production,
        unit,
    )
    return [_task(row) for row in rows]


async def leases_between(tx: Tx, production: int, low: int, high: int) -> list[Task]:
    """The leased tasks of the units in [low, high)."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM tasks WHERE production = $1 AND unit >= $2 AND unit < $3"  # noqa: S608
        " AND state = 'leased'",
        production,
        low,
        high,
    )
    return [_task(row) for row in rows]
