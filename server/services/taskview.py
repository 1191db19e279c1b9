"""A task as its host is told of it."""

from __future__ import annotations

import msgspec

from server.domain.task import TaskState
from server.services.cards import TaskCard

_LEASED = str(TaskState.LEASED)


class TaskView(msgspec.Struct, frozen=True, gc=False):
    """A task as its host is told of it, in the fields of the wire."""

    task: int
    state: str
    first: int
    last: int
    held: list[tuple[int, int]]
    until: float


def view_card(card: TaskCard) -> TaskView:
    """A leased task."""
    row = card.row
    return TaskView(row.id, _LEASED, row.first, row.last, card.held.pairs, card.until)
