"""What was found in the logs of tasks: a row for each that failed, and for others that matched."""

from __future__ import annotations

from dataclasses import dataclass

from server.db import figures
from server.db.base import Row, Tx
from server.db.tasks import Task
from server.domain.resubmit import Past
from server.domain.rollup import Kind, Measure, Tally

COUNTED = "findings"


@dataclass(frozen=True)
class Found:
    """A finding; ``pattern`` is empty if nothing matched, ``counted`` whether it feeds a bound."""

    task: int
    production: int
    unit: int
    host: int
    account: int
    outcome: str
    word: str
    pattern: str
    kind: str
    action: str
    counted: bool
    line: str
    around: str
    at: float


_COLUMNS = (
    "task, production, unit, host, account, outcome, word, pattern, kind, action, counted,"
    " line, around, at"
)


async def add(tx: Tx, found: Found) -> None:
    """Keep a finding; of a task that was read before, the new one."""
    before = await tx.one("SELECT outcome, kind, at FROM findings WHERE task = $1", found.task)
    await tx.run("DELETE FROM findings WHERE task = $1", found.task)
    await _count(tx, [*([(*before, -1)] if before else []), _counted(found)])
    await tx.run(
        f"INSERT INTO findings ({_COLUMNS})"  # noqa: S608
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        found.task, found.production, found.unit, found.host, found.account, found.outcome,
        found.word, found.pattern, found.kind, found.action, int(found.counted), found.line,
        found.around, found.at,
    )  # fmt: skip


Counted = tuple[str, str, float, int]


def _counted(found: Found) -> Counted:
    return found.outcome, found.kind, found.at, 1


async def _count(tx: Tx, changes: list[Counted]) -> None:
    """Count failed tasks by the kind of what was found in their logs."""
    tally = Tally()
    for outcome, kind, at, number in changes:
        if outcome == "failed":
            tally.add([(Kind.FAILURE, kind)], at, {Measure.TASKS_FAILED: number})
    await figures.add(tx, tally.rows)


async def count_all(tx: Tx, at: float) -> None:
    """Count what was found before anything was counted, once."""
    if COUNTED in await figures.marks(tx):
        return
    rows = await tx.all("SELECT outcome, kind, at FROM findings")
    await _count(tx, [(*row, 1) for row in rows])
    await figures.mark(tx, COUNTED, len(rows), at)


async def failed_by(tx: Tx, production: int, pattern: str) -> list[tuple[int, int]]:
    """The hosts of which tasks failed with this pattern, and how many of each."""
    rows = await tx.all(
        "SELECT host, count(*) FROM findings WHERE production = $1 AND pattern = $2"
        " AND outcome = 'failed' GROUP BY host ORDER BY host",
        production,
        pattern,
    )
    return [(int(row[0]), int(row[1])) for row in rows]


async def past(tx: Tx, production: int, unit: int, kind: str, pattern: str) -> Past:
    """What is on record of a unit and a kind, and who has seen a pattern in the production."""
    of_kind = await tx.one(
        "SELECT count(*), count(DISTINCT account) FROM findings WHERE production = $1"
        " AND unit = $2 AND kind = $3 AND counted = 1 AND outcome = 'failed'",
        production,
        unit,
        kind,
    )
    total = await tx.one(
        "SELECT count(*) FROM findings WHERE production = $1 AND unit = $2 AND counted >= 0"
        " AND outcome = 'failed'",
        production,
        unit,
    )
    seen = await tx.one(
        "SELECT count(DISTINCT account) FROM findings WHERE production = $1 AND pattern = $2"
        " AND counted = 1",
        production,
        pattern,
    )
    failures, accounts = (0, 0) if of_kind is None else (int(of_kind[0]), int(of_kind[1]))
    return Past(
        failures, accounts, int(seen[0]) if seen else 0, int(total[0]) if total else 0
    )  # fmt: skip


async def forgive(tx: Tx, production: int, unit: int | None = None) -> None:
    """What was found so far counts towards no bound any more: somebody let the unit go on."""
    await tx.run(
        "UPDATE findings SET counted = -1 WHERE production = $1 AND unit = coalesce($2, unit)",
        production,
        unit,
    )


@dataclass(frozen=True)
class Group:
    """Findings of one kind and pattern in a production; ``line`` is that of the latest."""

    kind: str
    pattern: str
    action: str
    outcome: str
    tasks: int
    hosts: int
    accounts: int
    last_task: int
    line: str = ""


async def groups(tx: Tx, production: int) -> list[Group]:
    """The findings of a production by kind and pattern, the most frequent first."""
    rows = await tx.all(
        "SELECT g.kind, g.pattern, f.action, g.outcome, g.tasks, g.hosts, g.accounts, g.last_task,"
        " f.line FROM (SELECT kind, pattern, outcome, count(*) AS tasks,"
        " count(DISTINCT host) AS hosts, count(DISTINCT account) AS accounts,"
        " max(task) AS last_task FROM findings WHERE production = $1"
        " GROUP BY kind, pattern, outcome) g JOIN findings f ON f.task = g.last_task"
        " ORDER BY g.tasks DESC, g.last_task DESC LIMIT 50",
        production,
    )
    return [Group(*row) for row in rows]


def _found(row: Row) -> Found:
    return Found(*(*row[:10], row[10] == 1, *row[11:]))


async def one(tx: Tx, task: int) -> Found | None:
    """What was found in the log of one task."""
    row = await tx.one(f"SELECT {_COLUMNS} FROM findings WHERE task = $1", task)  # noqa: S608
    return None if row is None else _found(row)


async def latest(
    tx: Tx, production: int, kind: str | None, pattern: str | None, limit: int
) -> list[Found]:
    """The latest findings of a production, newest first; of one kind or pattern."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM findings WHERE production = $1"  # noqa: S608
        " AND kind = coalesce($2, kind) AND pattern = coalesce($3, pattern)"
        " ORDER BY task DESC LIMIT $4",
        production,
        kind,
        pattern,
        limit,
    )
    return [_found(row) for row in rows]


async def unread(tx: Tx, limit: int) -> list[tuple[Task, str, str]]:
    """Failed tasks with a log that nobody has read: the task, its cause, its log."""
    rows = await tx.all(
        "SELECT t.id, t.production, t.unit, t.first, t.last, t.state, t.host, t.account, t.ask,"
        " t.leased_at, t.until, t.deadline, coalesce(t.cause, ''), coalesce(t.log, '')"
        " FROM tasks t JOIN productions p ON p.id = t.production"
        " WHERE t.state = 'failed' AND p.finished_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM findings f WHERE f.task = t.id)"
        " ORDER BY t.id DESC LIMIT $1",
        limit,
    )
    return [(Task(*row[:12]), str(row[12]), str(row[13])) for row in rows]


async def logs(tx: Tx, production: int, limit: int) -> list[tuple[int, str, str, str]]:
    """The latest logs kept of a production: task, state, cause, log."""
    rows = await tx.all(
        "SELECT id, state, coalesce(cause, ''), log FROM tasks WHERE production = $1"
        " AND log IS NOT NULL AND log <> '' ORDER BY id DESC LIMIT $2",
        production,
        limit,
    )
    return [(int(row[0]), str(row[1]), str(row[2]), str(row[3])) for row in rows]
