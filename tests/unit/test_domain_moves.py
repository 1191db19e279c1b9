"""Every state machine moves by its table alone."""

from __future__ import annotations

import itertools
from enum import StrEnum
from typing import Any

import pytest

from server.domain import production, task, workunit
from server.domain.errors import IllegalMove
from server.domain.moves import Moves
from server.domain.production import ProductionState
from server.domain.task import TaskState
from server.domain.workunit import UnitState

MACHINES: list[tuple[type[StrEnum], Moves[Any]]] = [
    (ProductionState, production.MOVES),
    (UnitState, workunit.MOVES),
    (TaskState, task.MOVES),
]


@pytest.fixture(params=MACHINES, ids=lambda machine: machine[1].machine)
def machine(request: pytest.FixtureRequest) -> tuple[type[StrEnum], Moves[Any]]:
    """One machine after the other."""
    found: tuple[type[StrEnum], Moves[Any]] = request.param
    return found


def test_nothing_leaves_a_final_state(machine: tuple[type[StrEnum], Moves[Any]]) -> None:
    _, moves = machine
    assert moves.finals
    causes = {cause for _, cause in moves.table}
    for state, cause in itertools.product(moves.finals, causes):
        with pytest.raises(IllegalMove):
            moves.after(state, cause)


def test_what_is_not_in_the_table_is_refused(machine: tuple[type[StrEnum], Moves[Any]]) -> None:
    kind, moves = machine
    causes = {cause for _, cause in moves.table} | {"nonsense"}
    refused = 0
    for state, cause in itertools.product(kind, causes):
        if (state, cause) in moves.table:
            assert moves.after(state, cause) is moves.table[state, cause]
            continue
        with pytest.raises(IllegalMove) as caught:
            moves.after(state, cause)
        assert (caught.value.machine, caught.value.state, caught.value.cause) == (
            moves.machine,
            state,
            cause,
        )
        refused += 1
    assert refused > len(kind)


def test_every_state_is_reached_and_every_other_than_final_is_left(
    machine: tuple[type[StrEnum], Moves[Any]],
) -> None:
    kind, moves = machine
    reached, grown = {next(iter(kind))}, True
    while grown:
        more = {after for (state, _), after in moves.table.items() if state in reached}
        grown = not more <= reached
        reached |= more
    assert reached == set(kind)
    assert {state for state, _ in moves.table} == set(kind) - moves.finals


def test_a_state_read_as_text_moves_like_the_state_itself() -> None:
    stored: Any = "leased"
    assert task.MOVES.after(stored, "give-back") is TaskState.RETURNED


def test_a_production_lives_from_active_to_done() -> None:
    state = ProductionState.ACTIVE
    for cause in ("pause", "resume", "hold", "release", "settled", "merged"):
        state = production.MOVES.after(state, cause)
    assert state is ProductionState.DONE


def test_a_late_copy_settles_a_unit_that_is_held() -> None:
    assert workunit.MOVES.after(UnitState.HELD, "settle") is UnitState.SETTLED


def test_only_a_ready_task_is_withdrawn_and_only_a_leased_one_aborted() -> None:
    # The schema says the same: ready and withdrawn tasks have no host, all others have one.
    assert [state for state, cause in task.MOVES.table if cause == "withdraw"] == [TaskState.READY]
    assert [state for state, cause in task.MOVES.table if cause == "abort"] == [TaskState.LEASED]
