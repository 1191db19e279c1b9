"""The queue of ranges that wait for a host: a bounded window on the table, in memory.

The database stays the only truth. One line per production; a cursor per account and class, so
that nobody looks twice at what he cannot have: an account never holds two copies of an event, and
the class of a unit never changes. When an account loses what it held, its cursors start anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from server.domain.waiting import Guard, Holding, Range, Taken, Waiting

__all__ = ["Guard", "Line", "Taken", "Waiting"]

LOOKS = 64  # how many ranges that came back are looked at before the fresh ones
MEMORY_ANY = 2**40  # MB: of a host that may have everything
SWEEP = 4096  # how many given-out places pile up before the list is made anew

Cut = Callable[[int, int, int], int]  # first, last, about how many events: where to cut

_OPEN: Mapping[int, Guard] = {}


@dataclass(eq=False)
class Line:
    """What waits of one production; ``number`` gives ids to tails that are split off.

    ``rush`` are the ranges that only swift hosts get, and since when each of them waits;
    ``ending`` says that the production is at its end.
    """

    number: Callable[[], int]
    fresh: list[Waiting | None] = field(default_factory=list)
    base: int = 0
    head: int = 0
    back: deque[Waiting] = field(default_factory=deque)
    cursors: dict[int, dict[str, int]] = field(default_factory=dict)
    holdings: dict[int, list[Holding]] = field(default_factory=dict)
    classes: dict[int, str] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    waits: dict[int, int] = field(default_factory=dict)
    events: int = 0
    loaded: int = 0
    ended: bool = False
    shunned: deque[tuple[float, int, Holding]] = field(default_factory=deque)
    needs: dict[int, int] = field(default_factory=dict)
    rush: dict[int, float] = field(default_factory=dict)
    ending: bool = False

    def __len__(self) -> int:
        return len(self.known)

    def add(
        self, rows: Iterable[Range], back: bool = False, guards: Mapping[int, Guard] = _OPEN
    ) -> None:
        """Let these ranges wait: behind the others, or (``back``) before the fresh ones.

        ``guards``, by task, are for ranges that come back; fresh ones are open to everybody.
        """
        for row in rows:
            if row.id in self.known:
                continue
            self.known.add(row.id)
            self.events += row.last - row.first
            waiting = Waiting(row.id, row.unit, row.first, row.last, guards.get(row.id))
            self.waits[row.unit] = self.waits.get(row.unit, 0) + 1
            if back:
                self.back.append(waiting)
            else:
                self.fresh.append(waiting)

    def take(
        self,
        account: int,
        klass: str,
        most: int,
        cut: Cut,
        memory_mb: int = MEMORY_ANY,
        swift: bool = True,
    ) -> Taken | None:
        """A range for this account and class of about ``most`` events, or None.

        ``needs`` names the units that take more memory than others, in MB.
        """
        for index in range(min(LOOKS, len(self.back))):
            waiting = self.back[index]
            if waiting.guard is not None and not waiting.guard(account):
                continue
            if not swift and waiting.id in self.rush:
                continue
            gap = self._gap(waiting, account, klass, memory_mb)
            if gap is not None:
                taken = self._lease(waiting, gap, account, klass, most, cut)
                if taken.waiting is waiting and taken.rest is None:
                    del self.back[index]
                return taken
        self.back.rotate(-LOOKS)  # else what lies behind these would wait as long as they do
        return self._take_fresh(account, klass, most, cut, memory_mb)

    def need(self, unit: int, memory_mb: int) -> None:
        """What waits of this unit is for hosts with so much memory, from now on."""
        self.needs[unit] = memory_mb
        self.cursors.clear()

    def _take_fresh(
        self, account: int, klass: str, most: int, cut: Cut, memory_mb: int
    ) -> Taken | None:
        cursors = self.cursors.setdefault(account, {})
        fresh, base = self.fresh, self.base
        key = f"{klass}/{self._level(memory_mb)}" if self.needs else klass
        at = max(cursors.get(key, 0), self.head) - base
        for index in range(at, len(fresh)):
            waiting = fresh[index]
            gap = None if waiting is None else self._gap(waiting, account, klass, memory_mb)
            if waiting is None or gap is None:
                continue
            taken = self._lease(waiting, gap, account, klass, most, cut)
            if taken.waiting is waiting and taken.rest is None:
                fresh[index] = None
                cursors[key] = base + index + 1
                self._advance()
            else:
                cursors[key] = base + index
            return taken
        cursors[key] = base + len(fresh)
        return None

    def _level(self, memory_mb: int) -> int:
        """How many of the needs there are a host meets: what one passes over is for another."""
        return sum(need <= memory_mb for need in set(self.needs.values()))

    def _gap(
        self, waiting: Waiting, account: int, klass: str, memory_mb: int
    ) -> tuple[int, int] | None:
        """The first events of a range that this account may have, on a host with this memory."""
        if self.needs and self.needs.get(waiting.unit, 0) > memory_mb:
            return None
        pinned = self.classes.get(waiting.unit)
        if pinned is not None and pinned != klass:
            return None
        holdings = self.holdings.get(waiting.unit)
        if not holdings:
            return waiting.first, waiting.last
        first, last = waiting.first, waiting.last
        held = []
        for h in holdings:
            if h.account == account and h.first < last and h.last > first:
                held.append((h.first, h.last))
        for start, end in sorted(held):
            if start > first:
                return first, start
            first = max(first, end)
        return (first, last) if first < last else None

    def _lease(
        self,
        waiting: Waiting,
        gap: tuple[int, int],
        account: int,
        klass: str,
        most: int,
        cut: Cut,
    ) -> Taken:
        origin = None
        if gap[0] > waiting.first:
            origin, waiting = waiting, self._split(waiting, gap[0])
        end = cut(gap[0], gap[1], most)
        whole = end >= waiting.last
        taken = Taken(
            waiting,
            waiting.first,
            end,
            None if whole else waiting.id,
            waiting.unit not in self.classes,
            account,
            origin,
        )
        if whole:
            self.known.discard(waiting.id)
            self.rush.pop(waiting.id, None)
            self._less(waiting.unit)
        else:
            waiting.first = end
            if origin is not None:
                self.back.append(waiting)
        self.events -= taken.last - taken.first
        self.classes.setdefault(waiting.unit, klass)
        held = self.holdings.setdefault(waiting.unit, [])
        held.append(Holding(account, taken.first, taken.last))
        return taken

    def _split(self, waiting: Waiting, at: int) -> Waiting:
        """What waits from this event on, as a task of its own."""
        tail = Waiting(self.number(), waiting.unit, at, waiting.last, waiting.guard)
        waiting.last = at
        self.known.add(tail.id)
        self.waits[tail.unit] += 1
        return tail

    def _less(self, unit: int) -> None:
        left = self.waits[unit] - 1
        if left:
            self.waits[unit] = left
        else:
            del self.waits[unit]

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
        """An account has these events, or is at them.

        Of a unit that is not known here nothing is noted: all of it is read when it is learnt.
        """
        if unit in self.holdings:
            self.holdings[unit].append(Holding(account, first, last))

    def holds(self, unit: int, account: int, first: int, last: int) -> bool:
        """Whether just these events are noted as this account's."""
        return Holding(account, first, last) in self.holdings.get(unit, ())

    def let_go(
        self, unit: int, account: int, first: int, last: int, keeps: Iterable[tuple[int, int]]
    ) -> None:
        """A lease of these events ended: its account holds only what is kept of it."""
        if unit in self.holdings:
            self._release(unit, account, first, last)
            self.holdings[unit].extend(Holding(account, a, b) for a, b in keeps)
        self.cursors.pop(account, None)

    def shun(self, unit: int, account: int, first: int, last: int, until: float) -> None:
        """These events failed with this account: until then only others may have them."""
        if unit in self.holdings:
            held = Holding(account, first, last)
            self.holdings[unit].append(held)
            self.shunned.append((until, unit, held))

    def forgive(self, now: float, unit: int | None = None) -> None:
        """Who failed long ago, or all who failed events of this unit, may try again."""
        kept: deque[tuple[float, int, Holding]] = deque()
        for until, number, held in self.shunned:
            if until > now and number != unit:
                kept.append((until, number, held))
                continue
            self._release(number, held.account, held.first, held.last)
            self.cursors.clear()
        self.shunned = kept

    def forget_rush(self, before: float) -> None:
        """What has waited for swift hosts since before this time is for everybody."""
        for number in [number for number, since in self.rush.items() if since < before]:
            del self.rush[number]

    def put_back(self, taken: Taken) -> None:
        """Undo a take whose lease was not written after all."""
        waiting = taken.waiting
        if taken.pinned:
            self.classes.pop(waiting.unit, None)
        self._release(waiting.unit, taken.account, taken.first, taken.last)
        self.events += taken.last - taken.first
        if taken.rest is None:
            self._back_again(waiting)
        else:
            waiting.first = min(waiting.first, taken.first)
        if taken.split is not None:
            self.back.remove(waiting)
            self.known.discard(waiting.id)
            self._less(waiting.unit)
            taken.split.last = waiting.last
        self.cursors.clear()

    def _release(self, unit: int, account: int, first: int, last: int) -> None:
        holdings = self.holdings.get(unit, [])
        for index in reversed(range(len(holdings))):
            held = holdings[index]
            if (held.account, held.first, held.last) == (account, first, last):
                del holdings[index]
                return

    def _back_again(self, waiting: Waiting) -> None:
        self.known.add(waiting.id)
        self.waits[waiting.unit] = self.waits.get(waiting.unit, 0) + 1
        self.back.append(waiting)

    def drop(self, unit: int | None = None) -> list[Waiting]:
        """Nothing of this unit, or of any, waits any more; what did."""
        if unit is not None and unit not in self.waits:
            return []
        gone = [
            waiting
            for waiting in (*self.back, *self.fresh)
            if waiting is not None and unit in (None, waiting.unit)
        ]
        self.remove(waiting.id for waiting in gone)
        return gone

    def pick(self, ids: Iterable[int]) -> list[Waiting]:
        """Those of these ranges that wait here wait no longer; which they were."""
        wanted = set(ids) & self.known
        found = [w for w in (*self.back, *self.fresh) if w is not None and w.id in wanted]
        self.remove(wanted)
        return found

    def remove(self, ids: Iterable[int]) -> None:
        """These ranges wait no longer."""
        wanted = set(ids) & self.known
        for index, waiting in enumerate(self.fresh):
            if waiting is not None and waiting.id in wanted:
                self.fresh[index] = None
                self._forget(waiting)
        for waiting in [waiting for waiting in self.back if waiting.id in wanted]:
            self.back.remove(waiting)
            self._forget(waiting)
        self._advance()

    def _forget(self, waiting: Waiting) -> None:
        self.known.discard(waiting.id)
        self.rush.pop(waiting.id, None)
        self._less(waiting.unit)
        self.events -= waiting.last - waiting.first

    def restore(self, gone: Iterable[Waiting]) -> None:
        """Undo a `drop` whose transaction was undone."""
        for waiting in gone:
            self._back_again(waiting)
            self.events += waiting.last - waiting.first
        self.cursors.clear()

    def free(self, unit: int) -> str | None:
        """The class of a unit counts no longer; which it was."""
        self.cursors.clear()
        return self.classes.pop(unit, None)

    def pin(self, unit: int, klass: str | None) -> None:
        """Undo a `free` whose transaction was undone."""
        if klass is not None:
            self.classes[unit] = klass

    def unlearn(self, numbers: Iterable[int]) -> None:
        """Undo that it was learnt who holds what of these units."""
        for number in numbers:
            self.forget_unit(number)

    def forget_unit(self, unit: int) -> None:
        """A unit is settled: nothing of it waits any more."""
        self.holdings.pop(unit, None)
        self.classes.pop(unit, None)
