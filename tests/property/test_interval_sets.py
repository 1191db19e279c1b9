"""Intervals do what sets of numbers do."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.intervals import Interval, Intervals

MOST = 24
pairs = st.tuples(st.integers(0, MOST), st.integers(0, MOST)).map(lambda p: (min(p), max(p)))
many = st.lists(pairs, max_size=8)


def members(found: Intervals) -> set[int]:
    return {event for first, last in found for event in range(first, last)}


def normal(found: Intervals) -> bool:
    """Sorted, and neither empty, overlapping nor touching."""
    flat = [edge for pair in found for edge in pair]
    return flat == sorted(set(flat))


@settings(max_examples=300, deadline=None)
@given(many, many, pairs)
def test_intervals_are_sets(one: list[Interval], two: list[Interval], pair: Interval) -> None:
    a, b, span = Intervals(one), Intervals(two), set(range(*pair))
    inside, other = members(a), members(b)
    assert inside == {event for first, last in one for event in range(first, last)}
    for found, wanted in (
        (a.add(*pair), inside | span),
        (a.union(b), inside | other),
        (a.minus(b), inside - other),
        (a.clip(*pair), inside & span),
        (a.missing(*pair), span - inside),
    ):
        assert members(found) == wanted
        assert normal(found)
        assert found.events == len(wanted)
        assert bool(found) == bool(wanted)
        assert found == Intervals((event, event + 1) for event in wanted)
    assert a.covers(*pair) == (span <= inside)
    assert a.overlaps(*pair) == bool(span & inside)
    assert (a == b) == (inside == other)
