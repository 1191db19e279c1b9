"""What the queue of a production is made of: ranges that wait, are taken, and are held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

Guard = Callable[[int], bool]  # an account: whether it may have a range


class Range(Protocol):
    """A task that waits, as the table has it."""

    @property
    def id(self) -> int:
        """The task's own number."""
        ...

    @property
    def unit(self) -> int:
        """The number of its work unit."""
        ...

    @property
    def first(self) -> int:
        """Its first event."""
        ...

    @property
    def last(self) -> int:
        """The event after its last."""
        ...


@dataclass(slots=True)
class Waiting:
    """A range that waits; it loses its head as heads of it are leased.

    With a ``guard``, only accounts that it lets by may have it.
    """

    id: int
    unit: int
    first: int
    last: int
    guard: Guard | None = None


@dataclass(slots=True)
class Taken:
    """A range for a host; ``rest`` is the waiting task that it was cut from, None if whole.

    ``split`` is the waiting task whose tail, new in the table, ``waiting`` is; None if it is none.
    """

    waiting: Waiting
    first: int
    last: int
    rest: int | None
    pinned: bool
    account: int
    split: Waiting | None = None


@dataclass(slots=True)
class Holding:
    """Which events an account holds or has leased."""

    account: int
    first: int
    last: int
