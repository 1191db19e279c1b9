"""Draws docs/states.md, the diagrams of every state machine, from the tables the server runs on."""

from __future__ import annotations

import argparse
import sys
from enum import StrEnum
from inspect import cleandoc
from pathlib import Path
from typing import TypeVar

from server.domain import pairing, production, task, workunit
from server.domain.moves import Moves
from server.domain.pairing import PairState
from server.domain.production import ProductionState
from server.domain.task import TaskState
from server.domain.workunit import UnitState

S = TypeVar("S", bound=StrEnum)
PAGE = Path(__file__).parent.parent / "docs" / "states.md"
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


def main() -> int:
    """Write the page; with --check only say whether it is as it would be written."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="write nothing, exit 1 if outdated")
    options.add_argument("--page", type=Path, default=PAGE, help="where the page is")
    given = options.parse_args()
    if not given.check:
        given.page.write_text(page(), encoding="utf-8")
        return 0
    if given.page.is_file() and given.page.read_text(encoding="utf-8") == page():
        return 0
    print(f"{given.page} is not as the tables say; run python -m tools.draw_states")
    return 1


if __name__ == "__main__":
    sys.exit(main())
