"""How every state machine of the house moves: by a table, and not at all if the table is silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from server.domain.errors import IllegalMove

S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True)
class Moves(Generic[S]):
    """A machine's name, its table ``(state, cause) -> state``, and the states nothing leaves."""

    machine: str
    table: Mapping[tuple[S, str], S]
    finals: frozenset[S]

    def after(self, state: S, cause: str) -> S:
        """The state that follows; `IllegalMove` if there is no such move."""
        try:
            return self.table[state, cause]
        except KeyError:
            raise IllegalMove(self.machine, state, cause) from None
