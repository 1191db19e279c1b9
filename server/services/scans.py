"""Logs that wait to be read: taken down where a task ends, read in the background."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field, replace

from server.db.tasks import Task

BYTES_MOST = 32 * 1024 * 1024  # characters of logs that wait; of what comes on top only the word
WAIT_MOST = 20_000  # ends that wait; a flood beyond them is not read


@dataclass(frozen=True)
class End:
    """How a task ended: its outcome, the agent's word, its log.

    ``counted`` is whether it was an error of its unit, ``had_mb`` the memory it had beyond that of
    its production (0: no more).
    """

    row: Task
    outcome: str
    word: str
    log: str
    counted: bool = False
    had_mb: int = 0


@dataclass(eq=False)
class Scans:
    """A bounded queue of ends; ``unread`` counts logs, by production, that came too fast."""

    ends: deque[End] = field(default_factory=deque)
    waiting: int = 0
    unread: Counter[int] = field(default_factory=Counter)
    some: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lost(self) -> int:
        """The logs of all productions that were not read."""
        return self.unread.total()

    def add(self, end: End) -> None:
        """One more, to be read soon."""
        if len(self.ends) >= WAIT_MOST:
            self.unread[end.row.production] += 1
            return
        if self.waiting + len(end.log) > BYTES_MOST:
            self.unread[end.row.production] += 1
            end = replace(end, log="")
        self.waiting += len(end.log)
        self.ends.append(end)
        self.some.set()

    def put_back(self, ends: list[End]) -> None:
        """These could not be dealt with now; they are the next again."""
        self.ends.extendleft(reversed(ends))
        self.waiting += sum(len(end.log) for end in ends)
        self.some.set()

    def take(self, most: int) -> list[End]:
        """The next ones, in the order in which they came."""
        taken = [self.ends.popleft() for _ in range(min(most, len(self.ends)))]
        self.waiting -= sum(len(end.log) for end in taken)
        if not self.ends:
            self.some.clear()
        return taken
