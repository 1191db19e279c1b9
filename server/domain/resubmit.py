"""What becomes of a failure whose log was read: tried again, and how, or held; never for ever."""

from __future__ import annotations

import math
from dataclasses import dataclass

from server.domain.patterns import BLAME, HOLD, IGNORE, MEMORY, Pattern

BLAMED_ACCOUNTS = 4  # so many different ones have not all the same fault of their machines
BLAMED_MOST = 12  # failures put down to hosts in one unit, however few they are
UNIT_MOST = 100  # failures of one unit of any kind, ignored ones too


@dataclass(frozen=True)
class Past:
    """What is on record of a unit since it was last released, this failure among it.

    ``failures`` counted of this kind, ``accounts`` they came from, ``seen_by`` the accounts of the
    whole production on which this pattern was seen, ``total`` all failures of the unit.
    """

    failures: int
    accounts: int
    seen_by: int
    total: int


@dataclass(frozen=True)
class Memory:
    """Megabytes: what the unit's tasks get now, what the signed bound is, what this one had."""

    now: int
    most: int
    had: int


@dataclass(frozen=True)
class Decision:
    """What is done: ``undo`` takes the error back from the unit, the rest says itself.

    ``hold`` and ``hold_production`` are reasons; empty: not held. ``memory_mb`` 0: not raised.
    """

    undo: bool = False
    blame: bool = False
    memory_mb: int = 0
    hold: str = ""
    hold_production: str = ""


def decide(pattern: Pattern | None, line: str, past: Past, memory: Memory) -> Decision:
    """What becomes of a failed task; ``pattern`` None: nobody knows what it died of."""
    if past.total >= UNIT_MOST:
        return Decision(hold=f"{past.total} tasks of this unit failed; the last: {line}")
    if pattern is None:
        return Decision()
    if pattern.action == MEMORY:
        return _memory(pattern, line, past, memory)
    if pattern.action == BLAME:
        return _blame(pattern, line, past)
    if pattern.action == IGNORE:
        return Decision(undo=True)
    if pattern.action == HOLD:
        return seen(pattern, line, past)
    return Decision(hold=_over(pattern, line, past))


def seen(pattern: Pattern, line: str, past: Past) -> Decision:
    """Whether a production is held for what was seen in a log, even of a task that delivered."""
    if pattern.action != HOLD or past.seen_by < max(1, pattern.most):
        return Decision()
    accounts = f"{past.seen_by} account{'s' * (past.seen_by > 1)}"
    return Decision(hold_production=f"pattern {pattern.name} seen on {accounts}: {line}")


def _over(pattern: Pattern, line: str, past: Past) -> str:
    if not pattern.most or past.failures < pattern.most:
        return ""
    return (
        f"{past.failures} failures of kind {pattern.kind}, and {pattern.most} may be"
        f" (pattern {pattern.name}): {line}"
    )


def _memory(pattern: Pattern, line: str, past: Past, memory: Memory) -> Decision:
    if memory.had < memory.now:
        return Decision(undo=True)  # it ran with less than its unit gets by now
    raised = min(memory.most, math.ceil(memory.now * pattern.factor))
    if raised > memory.now:
        return Decision(undo=True, memory_mb=raised)
    return Decision(hold=_over(pattern, line, past))


def _blame(pattern: Pattern, line: str, past: Past) -> Decision:
    most = pattern.most or BLAMED_ACCOUNTS
    if past.accounts >= most or past.failures >= BLAMED_MOST:
        accounts = f"{past.accounts} account{'s' * (past.accounts > 1)}"
        return Decision(
            hold=f"{past.failures} failures put down to hosts of {accounts} (pattern"
            f" {pattern.name}), which is no fault of theirs any more: {line}"
        )
    return Decision(undo=True, blame=True)
