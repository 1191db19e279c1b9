"""Figures are made fit to be drawn: fewer steps, rates and shares, and no more than is known."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.picture import coarser, doublings, rates, shares
from server.domain.rollup import DAY, HOUR, MINUTE, Span, Values, window
from server.services.pictures import PLOTS, POINTS

NOON = 1_790_078_400


def test_few_steps_stay_as_they_are() -> None:
    assert coarser([1, None, 3], NOON, 60, 3, sum) == ([1, None, 3], NOON, 60)


def test_steps_are_put_together_at_multiples_of_the_new_one() -> None:
    values: Values = [1, 1, 1, None, None, None, 2, None, 4, 5, 6, 7, 8]
    # From 11:00 in hours: four hours each, so what came before 12:00 is left out.
    assert coarser(values, NOON - HOUR, HOUR, 4, sum) == ([2, 6, 26], NOON, 4 * HOUR)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.integers(0, 10**9)), min_size=1, max_size=400),
    st.sampled_from([MINUTE, 600, HOUR, 4 * HOUR, DAY]),
    st.integers(0, 10**5),
)
def test_no_event_is_lost_or_counted_twice(values: Values, step: int, first: int) -> None:
    start = first * step
    found, begin, wide = coarser(values, start, step, POINTS, sum)
    assert len(found) <= POINTS
    assert begin % wide == 0 or wide == step
    assert DAY % wide == 0 or wide % DAY == 0
    skipped = (begin - start) // step
    assert 0 <= skipped < wide // step
    assert sum(value or 0 for value in found) == sum(value or 0 for value in values[skipped:])


def test_the_steps_of_every_range_are_such_as_people_count_in() -> None:
    wides = {}
    for span in Span:
        frame = window(span, NOON, begun=NOON - 3 * 365 * DAY)
        values: Values = [1] * frame.points
        wides[span] = coarser(values, frame.start, frame.step_s, POINTS, sum)[2]
    assert wides == {
        Span.HOUR: MINUTE, Span.DAY: 1800, Span.WEEK: 3 * HOUR, Span.MONTH: DAY,
        Span.YEAR: 7 * DAY, Span.ALL: 19 * DAY,
    }  # fmt: skip


def test_a_step_that_is_not_over_is_a_rate_of_the_time_that_has_passed() -> None:
    values: Values = [60, None, 60]
    assert rates(values, NOON, 60, NOON + 180, 1.0) == [1.0, None, 1.0]
    assert rates(values, NOON, 60, NOON + 150, 3600.0) == [3600.0, None, 7200.0]
    assert rates(values, NOON, 60, NOON + 149, 1.0) == [1.0, None, None]  # too soon to tell


def test_a_share_of_nothing_is_not_known() -> None:
    assert shares([[1, 0, None]], [[1, 0, None], [3, 0, 5]]) == [25.0, None, 0.0]


def test_sizes_are_told_by_powers_of_two_and_none_is_left_out_between() -> None:
    assert doublings([1, 2, 3, 4, 17, 32, 0]) == [(1, 1), (2, 1), (4, 2), (8, 0), (16, 0), (32, 2)]
    assert doublings([0.4]) == [(0.5, 1)]
    assert doublings([]) == []


def test_plots_have_names_of_their_own_that_addresses_may_hold() -> None:
    names = [plot.name for plot in PLOTS]
    assert len(set(names)) == len(names)
    assert all(name.isalpha() and name.islower() for name in names)
