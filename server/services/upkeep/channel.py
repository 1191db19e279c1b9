"""A way to tell people of alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from server.domain.telling import Line


class NotTold(Exception):
    """A message did not arrive; the reason is for operators, and holds no secret."""


@dataclass(frozen=True)
class Message:
    """What people are told at once: lines, the time, and the address of the pool's own page."""

    lines: Sequence[Line]
    at: float
    url: str


class Channel(Protocol):
    """A way to tell people."""

    @property
    def name(self) -> str:
        """The word by which what was said is remembered."""
        ...

    async def send(self, message: Message) -> None:
        """Hand a message over; it has arrived when this returns. Raises NotTold."""
        ...
