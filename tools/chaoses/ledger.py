"""What was acknowledged to agents, held against what the server says it has.

*Finished events lost* are events whose acknowledgement (200) an agent's line carried to its end,
and which the server, asked by that host for that task (``GET /tasks/<task>``), does not hold
although the unit is not settled. It is asked after each start and at the end.

When the server is put back to a backup, what was acknowledged after the backup began is no promise
any more, and neither is what it then says it does not hold: a unit that settled after the backup is
open again, and the segments with its frames may be deleted by now. What it still holds then counts
on. The output must be whole and the same in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tools.chaoses.proxy import Line

Ask = Callable[[int], dict[str, Any] | None]
"""Asks the server for a task; None if it does not know it."""


def missing(first: int, last: int, held: Iterable[Iterable[int]]) -> int:
    """How many of the events [first, last) lie in none of these intervals."""
    left, at = 0, first
    for low, high in sorted((int(a), int(b)) for a, b in held):
        if high <= at:
            continue
        if low >= last:
            break
        left += max(0, low - at)
        at = max(at, high)
    return left + max(0, last - at)


@dataclass(eq=False)
class Ledger:
    """The receipts of every line, and what was found missing of them: (line, task) -> events."""

    lines: list[Line]
    lost: dict[tuple[str, int], int] = field(default_factory=dict)
    asked: int = 0

    def forget_after(self, at: float) -> int:
        """The server was put back to how it stood then; how many receipts that makes void."""
        void = 0
        for line in self.lines:
            kept = [receipt for receipt in line.receipts if receipt.at < at]
            void += len(line.receipts) - len(kept)
            line.receipts[:] = kept
        return void

    def hold(self, line: Line, ask: Ask, most: int = 40) -> int:
        """Ask for the last tasks of a line; how many events are found lost."""
        found = 0
        for task, left in self._missing(line, ask, most):
            if (line.name, task) not in self.lost:
                self.lost[line.name, task] = left
                found += left
        return found

    def forgive(self, line: Line, ask: Ask) -> int:
        """What a server that was put back does not hold is no promise; how many events."""
        found = dict(self._missing(line, ask, len(line.receipts)))
        line.receipts[:] = [receipt for receipt in line.receipts if receipt.task not in found]
        return sum(found.values())

    def _missing(self, line: Line, ask: Ask, most: int) -> Iterator[tuple[int, int]]:
        """The tasks of which events are missing, and how many."""
        by_task: dict[int, set[tuple[int, int]]] = {}
        for receipt in list(line.receipts):
            by_task.setdefault(receipt.task, set()).add((receipt.first, receipt.last))
        for task in sorted(by_task)[-most:]:
            state = ask(task)
            self.asked += 1
            held = [] if state is None else state["held"]
            left = sum(missing(first, last, held) for first, last in by_task[task])
            if left:
                yield task, left
