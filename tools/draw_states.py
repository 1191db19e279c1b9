"""Draws docs/states.md, the diagrams of every state machine, from the tables the server runs on."""

from __future__ import annotations

import sys
from enum import StrEnum
from inspect import cleandoc
from typing import TypeVar

from server.domain import pairing, production, task, workunit
from server.domain.moves import Moves
from server.domain.pairing import PairState
from server.domain.production import ProductionState
from server.domain.task import TaskState
from server.domain.workunit import UnitState
from tools.drawn import run

S = TypeVar("S", bound=StrEnum)
HEAD = """# States and moves

Made from `server/domain` by `python -m tools.draw_states`; a test compares. A move that is not
drawn here is refused and changes nothing, and nothing leaves a final state.
"""


def drawing(kind: type[S], moves: Moves[S]) -> str:
    """One machine: what its states mean, and its diagram (Mermaid)."""
    lines = [f"## {moves.machine}", "", cleandoc(kind.__doc__ or ""), "", "```mermaid"]
    lines += ["stateDiagram-v2", f"    [*] --> {next(iter(kind))}"]
    lines += [f"    {state} --> {after}: {cause}" for (state, cause), after in moves.table.items()]
    lines += [f"    {state} --> [*]" for state in kind if state in moves.finals]
    return "\n".join([*lines, "```", ""])


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            HEAD,
            drawing(ProductionState, production.MOVES),
            drawing(UnitState, workunit.MOVES),
            drawing(TaskState, task.MOVES),
            drawing(PairState, pairing.MOVES),
        ]
    )


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", "states.md", page, "draw_states"))
