"""The queue alone, without a table: random takes, ends, undone takes and ranges that come back.

Whatever happens, no account is given an event twice, no event is lost from the queue, and a unit is
of one class.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import count
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain import joining, sizing
from server.domain.line import Line, Taken
from server.domain.quorum import Copy, Shortage

UNIT, UNITS, QUORUM = 60, 3, 2
CLASSES = ("fma", "sse")


class Row(NamedTuple):
    """A task that waits."""

    id: int
    unit: int
    first: int
    last: int


TAKE = st.tuples(
    st.just("take"), st.integers(0, 3), st.sampled_from(CLASSES), st.integers(1, 2 * UNIT)
)
END = st.tuples(st.just("end"), st.integers(0, 40), st.just(""), st.integers(0, UNIT))
UNDO = st.tuples(st.just("undo"), st.integers(0, 3), st.sampled_from(CLASSES), st.integers(1, UNIT))


def cut(first: int, last: int, events: int) -> int:
    """Borders as the server cuts them."""
    return sizing.cut(first, last, events, 10, 5)


class Queue:
    """A line and what was taken of it."""

    def __init__(self) -> None:
        self.number = partial(next, count(1))
        self.line = Line(self.number)
        self.leases: list[Taken] = []
        self.kept: list[tuple[int, int, int]] = []  # account, first, last
        rows = [
            Row(self.number(), unit, unit * UNIT, (unit + 1) * UNIT)
            for unit in range(UNITS)
            for _ in range(QUORUM)
        ]
        self.line.add(rows)

    def step(self, what: str, one: int, klass: str, events: int) -> None:
        """One thing happens."""
        if what == "end":
            if self.leases:
                self.end(self.leases.pop(one % len(self.leases)), events)
            return
        taken = self.line.take(one, klass, events, cut)
        if taken is None:
            return
        if what == "undo":
            self.line.put_back(taken)
        else:
            assert self.line.classes[taken.waiting.unit] == klass
            self.leases.append(taken)

    def end(self, taken: Taken, done: int) -> None:
        """The host kept the first events; the rest waits again."""
        upto = min(taken.last, taken.first + done)
        unit = taken.first // UNIT
        keeps = [(taken.first, upto)] if upto > taken.first else []
        self.line.let_go(unit, taken.account, taken.first, taken.last, keeps)
        self.kept.extend((taken.account, *pair) for pair in keeps)
        if upto < taken.last:
            self.line.add([Row(self.number(), unit, upto, taken.last)], back=True)

    def given(self) -> Counter[tuple[int, int]]:
        """How often each account was given each event, of what it keeps or has leased."""
        parts = [*self.kept, *((t.account, t.first, t.last) for t in self.leases)]
        return Counter((account, e) for account, a, b in parts for e in range(a, b))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(TAKE, END, UNDO), max_size=60))
def test_no_account_has_an_event_twice_and_none_is_lost(
    steps: list[tuple[str, int, str, int]],
) -> None:
    queue = Queue()
    for step in steps:
        queue.step(*step)
        given_out = queue.given()
        assert max(given_out.values(), default=1) == 1
        assert queue.line.events == QUORUM * UNIT * UNITS - given_out.total()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(1, 9)), max_size=12),
    st.lists(st.integers(0, 9), min_size=2, max_size=8),
    st.integers(1, 12),
)
def test_joined_ranges_hold_what_was_wanted_and_shut_nobody_out(
    held: list[tuple[int, int, int]], gaps: list[int], reach: int
) -> None:
    copies = [Copy(n, n, account, a, a + w, ()) for n, (account, a, w) in enumerate(held)]
    parts, at = [], 0
    for gap in gaps:
        parts.append(Shortage(at + gap, at + gap + 3, 1))
        at += gap + 4
    joined = joining.join(parts, copies, reach)
    for part in parts:
        (whole,) = [j for j in joined if j.first <= part.first and part.last <= j.last]
        assert _owners(copies, whole.first, whole.last) == _owners(copies, part.first, part.last)


def _owners(copies: list[Copy], first: int, last: int) -> set[int]:
    return {c.account for c in copies if c.first < last and c.last > first}


def test_a_share_leaves_something_for_the_leases_that_run() -> None:
    assert [sizing.share_events(1000, leases) for leases in (0, 1, 9, 5000)] == [500, 250, 50, 1]


def test_a_speed_follows_its_measurements() -> None:
    seconds = sizing.measured(None, 2.0)
    assert seconds == 2.0
    for _ in range(20):
        seconds = sizing.measured(seconds, 1.0)
    assert 1.0 < seconds < 1.01
