"""The queue of ranges that wait for a host: a bounded window on the table, in memory.

The database stays the only truth. One line per production; a cursor per account and class, so
that nobody looks twice at what he cannot have: an account never holds two copies of an event, and
the class of a unit never changes. When an account loses what it held, its cursors start anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from server.db.tasks import Ready

LOOKS = 64  # how many ranges that came back are looked at before the fresh ones
SWEEP = 4096  # how many given-out places pile up before the list is made anew

Cut = Callable[[int, int, int], int]  # first, last, about how many events: where to cut


@dataclass(slots=True)
class Waiting:
    """A range that waits; it loses its head as heads of it are leased."""

    id: int
    unit: int
    first: int
    last: int


@dataclass(slots=True)
class Taken:
    """A range for a host; ``rest`` is the waiting task that it was cut from, None if whole."""

    waiting: Waiting
    first: int
    last: int
    rest: int | None
    pinned: bool


@dataclass(slots=True)
class Holding:
    """Which events an account holds or has leased."""

    account: int
    first: int
    last: int


@dataclass(eq=False)
class Line:
    """What waits of one production."""

    fresh: list[Waiting | None] = field(default_factory=list)
    base: int = 0
    head: int = 0
    back: deque[Waiting] = field(default_factory=deque)
    cursors: dict[tuple[int, str], int] = field(default_factory=dict)
    holdings: dict[int, list[Holding]] = field(default_factory=dict)
    classes: dict[int, str] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    events: int = 0
    loaded: int = 0
    ended: bool = False
    filling: bool = False

    def __len__(self) -> int:
        return len(self.known)

    def add(self, rows: Iterable[Ready], back: bool = False) -> None:
        """Let these ranges wait: behind the others, or (``back``) before the fresh ones."""
        for row in rows:
            if row.id in self.known:
                continue
            self.known.add(row.id)
            self.events += row.last - row.first
            waiting = Waiting(row.id, row.unit, row.first, row.last)
            if back:
                self.back.append(waiting)
            else:
                self.fresh.append(waiting)

    def take(self, account: int, klass: str, most: int, cut: Cut) -> Taken | None:
        """A range for this account and class of about ``most`` events, or None."""
        for index in range(min(LOOKS, len(self.back))):
            waiting = self.back[index]
            if self._may(waiting, account, klass):
                taken = self._lease(waiting, account, klass, most, cut)
                if taken.rest is None:
                    del self.back[index]
                return taken
        return self._take_fresh(account, klass, most, cut)

    def _take_fresh(self, account: int, klass: str, most: int, cut: Cut) -> Taken | None:
        key = (account, klass)
        fresh, base = self.fresh, self.base
        at = max(self.cursors.get(key, 0), self.head) - base
        for index in range(at, len(fresh)):
            waiting = fresh[index]
            if waiting is None or not self._may(waiting, account, klass):
                continue
            taken = self._lease(waiting, account, klass, most, cut)
            if taken.rest is None:
                fresh[index] = None
                self.cursors[key] = base + index + 1
                self._advance()
            else:
                self.cursors[key] = base + index
            return taken
        self.cursors[key] = base + len(fresh)
        return None

    def _may(self, waiting: Waiting, account: int, klass: str) -> bool:
        pinned = self.classes.get(waiting.unit)
        if pinned is not None and pinned != klass:
            return False
        for held in self.holdings.get(waiting.unit, ()):
            if held.account == account and held.first < waiting.last and held.last > waiting.first:
                return False
        return True

    def _lease(self, waiting: Waiting, account: int, klass: str, most: int, cut: Cut) -> Taken:
        end = cut(waiting.first, waiting.last, most)
        whole = end >= waiting.last
        taken = Taken(
            waiting,
            waiting.first,
            waiting.last if whole else end,
            None if whole else waiting.id,
            waiting.unit not in self.classes,
        )
        if whole:
            self.known.discard(waiting.id)
        else:
            waiting.first = end
        self.events -= taken.last - taken.first
        self.classes.setdefault(waiting.unit, klass)
        self.hold(waiting.unit, account, taken.first, taken.last)
        return taken

    def _advance(self) -> None:
        at, fresh = self.head - self.base, self.fresh
        while at < len(fresh) and fresh[at] is None:
            at += 1
        self.head = self.base + at
        if at > SWEEP:
            del fresh[:at]
            self.base += at
        elif len(fresh) > 2 * len(self.known) + SWEEP:
            self.base += len(fresh)
            self.fresh = [waiting for waiting in fresh if waiting is not None]
            self.head = self.base
            self.cursors.clear()

    def hold(self, unit: int, account: int, first: int, last: int) -> None:
        """An account has these events, or is at them."""
        self.holdings.setdefault(unit, []).append(Holding(account, first, last))

    def let_go(
        self, unit: int, account: int, first: int, last: int, keeps: Iterable[tuple[int, int]]
    ) -> None:
        """A lease of these events ended: its account holds only what is kept of it."""
        holdings = self.holdings.setdefault(unit, [])
        for held in holdings:
            if (held.account, held.first, held.last) == (account, first, last):
                holdings.remove(held)
                break
        holdings.extend(Holding(account, a, b) for a, b in keeps)
        for key in [key for key in self.cursors if key[0] == account]:
            del self.cursors[key]

    def put_back(self, taken: Taken) -> None:
        """Undo a take whose lease was not written after all."""
        waiting = taken.waiting
        if taken.pinned:
            self.classes.pop(waiting.unit, None)
        holdings = self.holdings.get(waiting.unit, [])
        for held in holdings:
            if held.first == taken.first and held.last == taken.last:
                holdings.remove(held)
                break
        self.events += taken.last - taken.first
        if taken.rest is None:
            self.known.add(waiting.id)
            self.back.append(waiting)
        else:
            waiting.first = min(waiting.first, taken.first)
        self.cursors.clear()

    def forget_unit(self, unit: int) -> None:
        """A unit is settled: nothing of it waits any more."""
        self.holdings.pop(unit, None)
        self.classes.pop(unit, None)
