"""Sets of events, at their edges."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from server.domain.intervals import Intervals

TWO = Intervals([(0, 10), (20, 30)])


def test_pairs_are_sorted_and_joined() -> None:
    assert list(Intervals([(5, 7), (0, 2), (2, 3), (6, 9), (4, 4)])) == [(0, 3), (5, 9)]


def test_equal_members_make_equal_sets_whatever_their_history() -> None:
    grown = Intervals().add(20, 25).add(0, 10).add(24, 30)
    assert grown == TWO
    assert hash(grown) == hash(TWO)
    assert grown != Intervals([(0, 10)])
    assert TWO != [(0, 10), (20, 30)]
    assert repr(TWO) == "Intervals([(0, 10), (20, 30)])"


def test_a_set_is_true_if_it_has_members_and_counts_them() -> None:
    assert TWO
    assert TWO.events == 20
    assert not Intervals()
    assert Intervals().events == 0


@pytest.mark.parametrize(
    ("first", "last", "after"),
    [
        (10, 20, [(0, 30)]),
        (10, 12, [(0, 12), (20, 30)]),
        (18, 20, [(0, 10), (18, 30)]),
        (12, 18, [(0, 10), (12, 18), (20, 30)]),
        (5, 25, [(0, 30)]),
        (-5, 40, [(-5, 40)]),
        (2, 3, [(0, 10), (20, 30)]),
        (15, 15, [(0, 10), (20, 30)]),
    ],
)
def test_adding_joins_what_overlaps_or_touches(
    first: int, last: int, after: list[tuple[int, int]]
) -> None:
    assert list(TWO.add(first, last)) == after
    assert list(TWO) == [(0, 10), (20, 30)]


def test_union_minus_clip_and_missing() -> None:
    assert TWO.union(Intervals([(10, 20)])) == Intervals([(0, 30)])
    assert TWO.minus(Intervals([(5, 25)])) == Intervals([(0, 5), (25, 30)])
    assert TWO.minus(Intervals()) == TWO
    assert TWO.clip(5, 25) == Intervals([(5, 10), (20, 25)])
    assert TWO.clip(10, 20) == Intervals()
    assert TWO.missing(5, 25) == Intervals([(10, 20)])
    assert TWO.missing(-5, 40) == Intervals([(-5, 0), (10, 20), (30, 40)])
    assert TWO.missing(20, 30) == Intervals()


def test_covers_and_overlaps() -> None:
    assert TWO.covers(20, 30)
    assert not TWO.covers(9, 11)
    assert not TWO.covers(-1, 1)
    assert TWO.overlaps(9, 20)
    assert not TWO.overlaps(10, 20)
    assert not TWO.overlaps(30, 99)


def test_an_empty_interval_is_covered_and_overlaps_nothing() -> None:
    assert TWO.covers(15, 15)
    assert not TWO.overlaps(5, 5)
    assert TWO.clip(5, 5) == Intervals() == TWO.missing(15, 15)


@pytest.mark.parametrize(
    "use",
    [TWO.add, TWO.clip, TWO.missing, TWO.covers, TWO.overlaps, lambda a, b: Intervals([(a, b)])],
)
def test_a_reversed_interval_is_an_error(use: Callable[[int, int], object]) -> None:
    with pytest.raises(ValueError, match=r"\[3, 2\) is reversed"):
        use(3, 2)
