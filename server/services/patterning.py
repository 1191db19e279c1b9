"""Patterns as people handle them: listed with their counts, tested, saved, taken away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from server.db import findings, patterns
from server.db.base import Tx
from server.db.patterns import Count
from server.domain import definition as definitions
from server.domain.errors import Exists, NotFound, Refusal
from server.domain.known import BUILT_IN
from server.domain.patterns import Finding, Pattern, Scanner, check
from server.services import audit, produce
from server.services.deps import Deps
from server.services.scan import table

LOGS_MOST = 300  # kept logs of a production that a test reads
BOARD_S = 5.0
SHOWN = 50  # of these, how many changes are told one by one
_BUILT_IN = {one.name: one for one in BUILT_IN}
_NONE = Count(0, 0, 0, 0.0)


class BuiltIn(Refusal):
    """Pattern {name} comes with the program; switch it off instead (pattern edit {name} --off)."""

    code = "built-in"


@dataclass(frozen=True)
class Row:
    """A pattern as it counts now; ``changed_by`` is empty if it is as it came."""

    pattern: Pattern
    built_in: bool
    changed_by: str
    changed_at: float
    count: Count


async def everyone(deps: Deps) -> list[Row]:
    """Every pattern in the order in which they are tried."""
    saved, counts = await deps.store.read(_read)
    who = {one.pattern.name: one for one in saved}
    rows = [
        Row(
            pattern,
            pattern.name in _BUILT_IN,
            who[pattern.name].changed_by if pattern.name in who else "",
            who[pattern.name].changed_at if pattern.name in who else 0.0,
            counts.get(pattern.name, _NONE),
        )
        for pattern in table(saved)
    ]
    return sorted(rows, key=lambda row: (row.pattern.rank, row.pattern.name))


@dataclass(eq=False)
class Board:
    """The patterns as a page shows them to anybody: counted at most every few seconds."""

    deps: Deps
    kept: tuple[float, list[Row]] = (0.0, [])

    async def rows(self) -> list[Row]:
        """Every pattern, at most `BOARD_S` old."""
        now = self.deps.clock()
        if not self.kept[1] or not 0 <= now - self.kept[0] < BOARD_S:
            self.kept = now, await everyone(self.deps)
        return self.kept[1]


async def _read(tx: Tx) -> tuple[list[patterns.Saved], dict[str, Count]]:
    return await patterns.everyone(tx), await patterns.counts(tx)


async def one(deps: Deps, name: str) -> Row:
    """One pattern. Raises NotFound."""
    for row in await everyone(deps):
        if row.pattern.name == name:
            return row
    raise NotFound("pattern", name)


async def _changed(deps: Deps, new: list[Pattern]) -> list[Pattern]:
    """The whole table with these in it; `BadInput` if it is at fault."""
    found = {p.name: p for p in table(await deps.store.read(patterns.everyone))}
    found.update((p.name, p) for p in new)
    whole = list(found.values())
    await asyncio.to_thread(check, whole)
    return whole


async def add(deps: Deps, pattern: Pattern, by: str) -> Row:
    """A new pattern. Raises Exists, BadInput."""
    if any(row.pattern.name == pattern.name for row in await everyone(deps)):
        raise Exists("pattern", pattern.name)
    return await save(deps, pattern, by)


async def save(deps: Deps, pattern: Pattern, by: str) -> Row:
    """A pattern as it is from now on, a built-in one too. Raises BadInput."""
    await take_in(deps, [pattern], by)
    return await one(deps, pattern.name)


async def take_in(deps: Deps, new: list[Pattern], by: str) -> int:
    """Save many at once, or none of them; how many. Raises BadInput with every fault."""
    await _changed(deps, new)
    now = deps.clock()

    async def write(tx: Tx) -> None:
        for pattern in new:
            await patterns.save(tx, pattern, by, now)
            audit.note(tx, by, "pattern.save", pattern.name, pattern.regex, at=now)

    await deps.store.write(write)
    return len(new)


async def remove(deps: Deps, name: str, by: str) -> None:
    """Take a pattern away; a built-in one that was changed is as it came.

    Raises NotFound, BuiltIn.
    """

    async def write(tx: Tx) -> bool:
        found = await patterns.remove(tx, name)
        if found:
            audit.note(tx, by, "pattern.remove", name, at=deps.clock())
        return found

    if await deps.store.write(write):
        return
    if name in _BUILT_IN:
        raise BuiltIn(name=name)
    raise NotFound("pattern", name)


@dataclass(frozen=True)
class Change:
    """What a log would be by another table; ``before`` is empty if nothing matched."""

    task: int
    before: str
    after: str
    action: str
    line: str
    around: str


@dataclass(frozen=True)
class Trial:
    """What a table makes of logs: how many, how many it knows, what a change would change."""

    logs: int
    matched: int
    changes: list[Change]
    found: list[Finding]


async def try_log(deps: Deps, pattern: Pattern | None, text: str, payload: str, word: str) -> Trial:
    """What the table, with this pattern in it, makes of one log. Raises BadInput."""
    whole = await _changed(deps, [pattern] if pattern else [])

    def read() -> list[Finding]:
        return list(Scanner(whole).matches(text, payload, word))

    found = await asyncio.to_thread(read)
    return Trial(1, int(bool(found)), [], found)


async def try_production(deps: Deps, pattern: Pattern | None, name: str) -> Trial:
    """What would become of the logs kept of a production. Raises BadInput, NotFound."""
    row = await produce.find(deps, name)
    whole = await _changed(deps, [pattern] if pattern else [])
    payload = definitions.parse(row.definition).payload.name
    kept = await deps.store.read(lambda tx: findings.logs(tx, row.id, LOGS_MOST))
    now = table(await deps.store.read(patterns.everyone))

    def read() -> Trial:
        old, new = Scanner(now), Scanner(whole)
        changes, matched = [], 0
        for task, state, cause, text in kept:
            word = cause.partition(": ")[2] if state == "failed" else ""
            before, after = old.scan(text, payload, word), new.scan(text, payload, word)
            matched += after is not None
            shown = after or before
            if shown is None or _same(before, after, pattern):
                continue
            changes.append(
                Change(
                    task,
                    before.pattern.name if before else "",
                    after.pattern.name if after else "",
                    after.pattern.action if after else "",
                    shown.line,
                    shown.around,
                )
            )
        return Trial(len(kept), matched, changes[:SHOWN], [])

    return await asyncio.to_thread(read)


def _same(before: Finding | None, after: Finding | None, pattern: Pattern | None) -> bool:
    """Whether nothing is new; without a pattern to be tried, everything that matches is told."""
    if pattern is None or before is None or after is None:
        return pattern is not None and before is after is None
    was, will = before.pattern, replace(after.pattern, regex=before.pattern.regex)
    return was == will
