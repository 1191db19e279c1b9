"""Cutting time for figures, and adding facts up: pure rules."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from server.domain.counted import (
    CORES_MOST,
    Fact,
    Whose,
    machine_kind,
    of_end,
    of_lease,
    of_unit,
    tallied,
)
from server.domain.rollup import (
    DAY,
    EVER,
    HOUR,
    KEPT_S,
    MINUTE,
    MONTH,
    Kind,
    MachineKind,
    Measure,
    Span,
    Tally,
    Window,
    drawn,
    end_of,
    floor,
    sampled,
    steps_of,
    window,
)
from server.domain.task import TaskState

NOW = 1_795_284_637.5


def test_months_are_those_of_the_calendar_for_two_centuries() -> None:
    for day in range(0, 73_050, 7):
        moment = datetime.fromtimestamp(day * DAY + 4321, UTC)
        first = moment.replace(day=1, hour=0, minute=0, second=0)
        assert floor(day * DAY + 4321, MONTH) == first.timestamp(), moment
        after = end_of(int(first.timestamp()), MONTH)
        later = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        assert after == later.timestamp(), moment


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("span", list(Span))
def test_a_window_is_drawn_from_rows_that_are_kept_and_ends_with_now(
    span: Span, kind: Kind
) -> None:
    frame = window(span, NOW, kind, int(NOW) - 700 * DAY)
    assert frame.start < NOW < frame.end <= NOW + frame.step_s
    assert frame.step_s % frame.source == 0
    assert frame.points * frame.step_s == frame.end - frame.start
    assert frame.points <= 800
    if kind is not Kind.CONTRIBUTION:
        assert frame.source in steps_of(kind) or frame.source == DAY
    if frame.source in KEPT_S:
        assert NOW - frame.start <= KEPT_S[frame.source]


def test_a_fact_is_added_to_every_step_that_its_kind_keeps_and_that_is_not_over() -> None:
    tally = Tally(NOW)
    tally.add([(Kind.POOL, ""), (Kind.HOST, "7")], NOW - 10 * DAY, {Measure.FRAMES: 2})
    tally.add([(Kind.POOL, "")], NOW - 10 * DAY, {Measure.FRAMES: 3})
    at = NOW - 10 * DAY
    assert {key: facts[Measure.FRAMES] for key, facts in tally.rows.items()} == {
        (Kind.POOL, "", HOUR, floor(at, HOUR)): 5,
        (Kind.POOL, "", DAY, floor(at, DAY)): 5,
        (Kind.POOL, "", EVER, 0): 5,
        (Kind.HOST, "7", DAY, floor(at, DAY)): 2,
        (Kind.HOST, "7", EVER, 0): 2,
    }


def test_facts_of_one_minute_and_owner_are_one_and_none_is_lost() -> None:
    whose = Whose(3, 7, 2, "cms-hlt", "trigger-farm", "CH", "institute")
    facts = [Fact(whose, NOW + n, of_lease()) for n in range(200)]
    rows = tallied(facts, NOW).rows
    total = {key[:2]: row[Measure.TASKS_LEASED] for key, row in rows.items() if key[2] == EVER}
    assert total == dict.fromkeys(
        [
            (Kind.POOL, ""), (Kind.PRODUCTION, "3"), (Kind.HOST, "7"), (Kind.ACCOUNT, "2"),
            (Kind.MACHINE, "trigger-farm"), (Kind.CONTRIBUTION, "2/3"), (Kind.SITE, "cms-hlt"),
            (Kind.COUNTRY, "CH"),
        ],
        200,
    )  # fmt: skip
    minutes = [row for key, row in rows.items() if key[0] is Kind.POOL and key[2] == MINUTE]
    assert sum(row[Measure.TASKS_LEASED] for row in minutes) == 200


@pytest.mark.parametrize("claimed", [1e300, float("inf"), float("nan"), -5.0])
def test_what_a_host_claims_of_its_cpu_can_not_spoil_a_sum(claimed: float) -> None:
    end = of_end(TaskState.FAILED, 10, 0, 0, claimed, 2.0)
    assert 0 <= end[Measure.CPU_MS] <= 2000 * CORES_MOST


def test_only_leases_that_were_taken_away_are_preemptions() -> None:
    def preempted(state: TaskState, held: int) -> bool:
        return Measure.PREEMPTIONS in of_end(state, 10, held, 0, 1.0, 1.0)

    assert preempted(TaskState.EXPIRED, 3)
    assert preempted(TaskState.RETURNED, 3)
    assert not preempted(TaskState.RETURNED, 10)
    assert not preempted(TaskState.FAILED, 3)
    assert not preempted(TaskState.ABORTED, 3)


def test_events_that_are_set_aside_are_not_settled() -> None:
    assert of_unit(100, 200, 3) == {Measure.EVENTS_SETTLED: 97, Measure.EVENTS_SET_ASIDE: 3}


def test_the_kind_of_a_machine_is_its_site_s_word_before_its_owner_s_role() -> None:
    assert machine_kind("cloud", "institute") is MachineKind.CLOUD
    assert machine_kind("", "institute") is MachineKind.CLUSTER
    assert machine_kind("", "volunteer") is MachineKind.VOLUNTEER


def test_values_between_rows_are_nothing_and_gauges_keep_their_extremes() -> None:
    frame = Window(MINUTE, 2 * MINUTE, 0, 6 * MINUTE)
    assert drawn(frame, [(0, 1), (60, 2), (300, 4), (360, 9)]) == [3, None, 4]
    mean, low, high = sampled(frame, [(0, 1.0, 5.0, 6.0, 2), (60, 2.0, 9.0, 12.0, 4)])
    assert (mean, low, high) == ([3.0, None, None], [1.0, None, None], [9.0, None, None])
