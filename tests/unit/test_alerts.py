"""Alerts and who is told of them: the rules, without a clock or a database."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from server.domain.alert import (
    BACK_WITHIN_S,
    MOVES,
    OVER_AFTER_S,
    Alert,
    AlertState,
    Level,
    Sign,
    raised,
    reconcile,
)
from server.domain.errors import BadInput, IllegalMove
from server.domain.telling import BATCH_MOST, Flow, Manners, Said, Word, message, word_on
from server.domain.upkeep import DAY_S, Thresholds
from server.services.upkeep.meter import EDGES, LEAST, WINDOW_S, Meter
from server.services.upkeep.rounds import LATE_LEAST_S, Rounds
from server.services.upkeep.watch import space_of

DISK = Sign("space", "/data", Level.WARN, "/data: 12 % left")
FULL = replace(DISK, level=Level.BAD, cause="/data: 2 % left")
MANNERS = Manners(again_s=3600.0, remind_s=86_400.0, per_hour=3)


def known(*alerts: Alert) -> dict[tuple[str, str], Alert]:
    """Alerts by what makes them the same."""
    return {alert.sign.key: alert for alert in alerts}


def look(alert: Alert | None, *signs: Sign, now: float) -> Alert:
    """The one alert that comes of these signs."""
    (after,) = reconcile({} if alert is None else known(alert), signs, now)
    return after


def test_what_is_seen_first_is_open_and_counted_once() -> None:
    alert = look(None, DISK, now=100.0)
    assert alert == raised(DISK, 100.0)
    assert (alert.state, alert.count, alert.first_at, alert.since) == ("open", 1, 100.0, 100.0)


def test_what_goes_on_is_the_same_alert_seen_later() -> None:
    alert = look(look(None, DISK, now=100.0), DISK, now=120.0)
    assert (alert.first_at, alert.since, alert.last_at, alert.count) == (100.0, 100.0, 120.0, 1)


def test_one_look_that_misses_it_does_not_end_an_alert() -> None:
    alert = look(None, DISK, now=100.0)
    assert reconcile(known(alert), [], 100.0 + OVER_AFTER_S - 1) == []
    ended = look(alert, now=100.0 + OVER_AFTER_S)
    assert (ended.state, ended.over_at) == (AlertState.OVER, 100.0 + OVER_AFTER_S)


def test_a_clock_set_back_ends_what_is_not_seen() -> None:
    assert look(raised(DISK, 1000.0), now=10.0).state is AlertState.OVER


def test_what_comes_back_within_a_day_is_counted_and_not_new() -> None:
    ended = raised(DISK, 100.0).ended(200.0)
    back = look(ended, DISK, now=5000.0)
    assert (back.count, back.state, back.first_at, back.since) == (2, "open", 100.0, 5000.0)
    assert back.over_at is None
    assert look(ended, DISK, now=101.0 + BACK_WITHIN_S) == raised(DISK, 101.0 + BACK_WITHIN_S)


def test_an_acknowledged_alert_that_gets_worse_is_open_again() -> None:
    acked = raised(DISK, 100.0).acknowledged("ada", 110.0)
    assert look(acked, DISK, now=120.0).acked_by == "ada"
    worse = look(acked, FULL, now=120.0)
    assert (worse.state, worse.acked_by, worse.acked_at) == (AlertState.OPEN, "", None)
    better = look(raised(FULL, 100.0).acknowledged("ada", 110.0), DISK, now=120.0)
    assert better.state is AlertState.ACKNOWLEDGED


def test_of_two_signs_of_one_thing_the_graver_counts() -> None:
    for signs in ((DISK, FULL), (FULL, DISK)):
        assert look(None, *signs, now=1.0).sign is FULL


def test_what_is_over_cannot_be_acknowledged() -> None:
    with pytest.raises(IllegalMove):
        raised(DISK, 1.0).ended(2.0).acknowledged("ada", 3.0)
    assert {state for state, _ in MOVES.table} == set(AlertState)


def test_a_mute_ends_by_itself_or_by_hand_and_has_bounds() -> None:
    muted = raised(DISK, 0.0).muted(60.0, "ada", 0.0)
    assert (muted.is_muted(59.0), muted.is_muted(60.0), muted.muted_by) == (True, False, "ada")
    assert muted.muted(0.0, "bob", 10.0).muted_until is None
    for seconds in (-1.0, 1e9, math.nan):
        with pytest.raises(BadInput):
            muted.muted(seconds, "ada", 0.0)


def test_notes_acknowledged_and_muted_alerts_do_not_stand_before_all_well() -> None:
    alert = raised(DISK, 0.0)
    note = raised(replace(DISK, level=Level.NOTE), 0.0)
    assert alert.bothers(1.0)
    quiet = (note, alert.acknowledged("ada", 1.0), alert.muted(9.0, "ada", 0.0), alert.ended(1.0))
    assert [one.bothers(1.0) for one in quiet] == [False] * 4


def test_people_are_told_once_then_reminded_then_told_the_end() -> None:
    alert = replace(raised(DISK, 0.0), id=1)
    assert word_on(alert, None, 0.0, MANNERS) is Word.RAISED
    said = Said(Word.RAISED, Level.WARN, 0.0)
    assert word_on(alert, said, 86_399.0, MANNERS) is None
    assert word_on(alert, said, 86_400.0, MANNERS) is Word.STILL
    assert word_on(alert, said, 1e9, replace(MANNERS, remind_s=0.0)) is None
    assert word_on(replace(alert, sign=FULL), said, 1.0, MANNERS) is Word.RAISED
    assert word_on(alert.ended(5.0), said, 5.0, MANNERS) is Word.OVER
    assert word_on(alert.ended(5.0), None, 5.0, MANNERS) is None


def test_nobody_is_told_of_notes_mutes_and_what_somebody_has_taken_on() -> None:
    alert = raised(DISK, 0.0)
    note = replace(alert, sign=replace(DISK, level=Level.NOTE))
    for one in (note, alert.muted(60.0, "ada", 0.0), alert.acknowledged("ada", 0.0)):
        assert word_on(one, None, 1.0, MANNERS) is None


def test_an_alert_that_flaps_each_minute_for_a_day_is_no_flood() -> None:
    alert, said, flow, sent = replace(raised(DISK, 0.0), id=1), dict[int, Said](), Flow(), 0
    for now in map(float, range(0, 86_400, 60)):
        alert = alert.seen(DISK, now) if now % 120 == 0 else alert.ended(now)
        lines = message([alert], said, now, MANNERS) if flow.may(now, MANNERS) else []
        if lines:
            sent, flow = sent + 1, flow.arrived(now)
            said[1] = Said(lines[0].word, Level.WARN, now)
    assert 24 <= sent <= 48  # once and its end in each hour


def test_many_alerts_come_in_one_message_the_gravest_first_and_the_rest_later() -> None:
    some = [replace(raised(replace(DISK, subject=str(n)), 0.0), id=n) for n in range(1, 80)]
    some[70] = replace(some[70], sign=replace(FULL, subject="71"))
    lines = message(some, {}, 1.0, MANNERS)
    assert (len(lines), lines[0].alert.id) == (BATCH_MOST, 71)
    said = {line.alert.id: Said(line.word, line.alert.sign.level, 1.0) for line in lines}
    assert len(message(some, said, 2.0, MANNERS)) == 79 - BATCH_MOST


def test_messages_of_an_hour_are_bounded_and_failures_wait_ever_longer() -> None:
    flow = Flow().arrived(0.0).arrived(1.0).arrived(2.0)
    assert not flow.may(3.0, MANNERS)
    assert flow.may(3600.0, MANNERS)
    pauses, now = [], 0.0
    flow = Flow()
    for _ in range(9):
        flow = flow.failed(now)
        assert not flow.may(flow.again_at - 0.1, MANNERS)
        pauses.append(flow.again_at - now)
        now = flow.again_at
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert flow.may(-1e6, MANNERS), "a clock set back holds nothing up"
    assert flow.arrived(now).failures == 0


def test_thresholds_tell_amber_from_pink() -> None:
    limits = Thresholds()
    assert [limits.silence(s) for s in (300.0, 301.0, 1801.0)] == [None, Level.WARN, Level.BAD]
    assert [limits.space(s) for s in (0.15, 0.14, 0.04)] == [None, Level.WARN, Level.BAD]
    days = [limits.expiry(d * DAY_S) for d in (21.0, 20.0, 3.0, -1.0)]
    assert days == [None, Level.WARN, Level.BAD, Level.BAD]


def test_a_duty_is_late_when_it_rests_too_long_or_works_too_long() -> None:
    now = 0.0
    rounds = Rounds(lambda: now)
    one = rounds.add("reap", 1.0)
    with rounds.round(one):
        assert one.working
    assert one.late_by(LATE_LEAST_S) == 0
    assert one.late_by(LATE_LEAST_S + 5) == 5
    now = 100.0
    with rounds.round(one):
        assert one.late_by(100.0 + one.slow_s) == 0
        assert one.late_by(101.0 + one.slow_s) == 1
    waits = rounds.add("scan", math.inf)
    assert waits.late_by(1e9) == 0


def test_a_duty_that_throws_is_counted_with_its_first_line() -> None:
    rounds = Rounds(lambda: 7.0)
    one = rounds.add("judge", 30.0)
    for _ in range(2):
        with pytest.raises(ValueError, match="no room"), rounds.round(one):
            raise ValueError("no room\nfor anything")
    assert (one.failures, one.failed, one.why, one.working) == (2, 2, "no room", False)
    with rounds.round(one):
        pass
    assert (one.failures, one.failed, one.made) == (0, 2, 1)


def test_slow_is_what_was_slow_in_the_last_quarter_of_an_hour() -> None:
    meter = Meter()
    tally = meter.of("GET", "/hosts")
    for _ in range(LEAST):
        tally.count += 1
        tally.took(3.0)
    (speed,) = meter.lately()
    assert (speed.slowest_s, speed.mean_s, speed.count) == (5.0, 3.0, LEAST)
    meter.mark(0.0)
    meter.mark(WINDOW_S)
    for _ in range(100):
        tally.count += 1
        tally.took(0.002)
    (speed,) = meter.lately()
    assert (speed.slowest_s, speed.count) == (0.0025, 100)


def test_the_slowest_twentieth_decides_and_not_one_outlier() -> None:
    meter = Meter()
    tally = meter.of("GET", "/")
    for number in range(100):
        tally.count += 1
        tally.took(30.0 if number < 5 else 0.01)
    assert meter.lately()[0].slowest_s == 0.01
    tally.took(30.0)
    assert meter.lately()[0].slowest_s == math.inf
    assert sum(tally.buckets) == tally.timed == 101
    assert len(tally.buckets) == len(EDGES) + 1


def test_answers_that_are_held_back_on_purpose_are_not_slow() -> None:
    meter = Meter()
    meter.of("GET", "/commands", waits=True).count = 5
    meter.of("GET", "/never-asked")
    assert meter.lately() == []


def test_the_space_of_a_folder_is_told_and_of_none_why_not(tmp_path: Path) -> None:
    found = space_of(tmp_path)
    assert 0 < found.left <= found.size
    assert 0 < found.share <= 1
    gone = space_of(tmp_path / "gone")
    assert (gone.size, gone.share, gone.why) == (0, 0.0, "No such file or directory")
