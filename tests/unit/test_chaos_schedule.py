"""The faults of a run come from its seed alone; what was acknowledged is counted right."""

from __future__ import annotations

from typing import Any

import pytest

from tools.chaoses import schedule
from tools.chaoses.faults import DEEDS
from tools.chaoses.ledger import Ledger, missing
from tools.chaoses.proxy import Line, Receipt


def test_the_same_seed_gives_the_same_faults() -> None:
    first = schedule.plan(7, 120.0, 5)
    assert first == schedule.plan(7, 120.0, 5)
    assert first != schedule.plan(8, 120.0, 5)


def test_two_minutes_have_more_than_a_hundred_faults_and_every_kind() -> None:
    for seed in range(20):
        found = schedule.plan(seed, 120.0, 5)
        assert len(found) > 100, seed
        assert {fault.kind.name for fault in found} == set(schedule.NAMES), seed
        assert all(0 <= fault.at <= 120 and 0 <= fault.victim < 5 for fault in found), seed
        assert [fault.at for fault in found] == sorted(fault.at for fault in found), seed


def test_who_chooses_fewer_kinds_gets_these_as_they_were() -> None:
    whole = schedule.plan(3, 60.0, 4)
    some = schedule.plan(3, 60.0, 4, ("kill-server", "truncate"))
    assert some == tuple(f for f in whole if f.kind.name in ("kill-server", "truncate"))


def test_even_the_shortest_run_has_each_chosen_kind_once() -> None:
    found = schedule.plan(1, 1.0, 2, ("clone", "restore"))
    assert sorted(fault.kind.name for fault in found) == ["clone", "restore"]


def test_a_kind_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="no such fault: earthquake"):
        schedule.plan(1, 60.0, 5, ("earthquake",))


def test_every_kind_is_carried_out_by_somebody() -> None:
    assert set(DEEDS) == {kind.name for kind in schedule.KINDS if kind.where != "line"}


def test_events_in_no_interval_are_missing() -> None:
    assert missing(10, 30, []) == 20
    assert missing(10, 30, [(0, 10), (30, 40)]) == 20
    assert missing(10, 30, [(20, 25), (0, 12)]) == 13
    assert missing(10, 30, [(5, 20), (15, 40)]) == 0


def test_what_the_server_does_not_hold_any_more_is_lost_once() -> None:
    line = Line("agent0", 0)
    line.receipts += [Receipt(1.0, 7, 0, 10), Receipt(2.0, 7, 0, 10), Receipt(3.0, 8, 10, 20)]
    said: dict[int, dict[str, Any] | None] = {7: {"held": [[0, 4]]}, 8: {"held": [[10, 20]]}}
    ledger = Ledger([line])
    assert ledger.hold(line, said.get) == 6
    assert ledger.hold(line, said.get) == 0
    assert ledger.lost == {("agent0", 7): 6}


def test_a_task_that_the_server_does_not_know_is_lost_whole() -> None:
    line = Line("agent0", 0)
    line.receipts.append(Receipt(1.0, 7, 0, 10))
    assert Ledger([line]).hold(line, lambda _: None) == 10


def test_what_came_after_a_backup_is_no_promise_once_it_is_put_back() -> None:
    line = Line("agent0", 0)
    line.receipts += [Receipt(1.0, 7, 0, 10), Receipt(3.0, 7, 10, 20)]
    ledger = Ledger([line])
    assert ledger.forget_after(2.0) == 1
    assert ledger.hold(line, lambda _: {"held": [[0, 10]]}) == 0


def test_a_server_put_back_is_held_to_what_it_then_holds() -> None:
    line = Line("agent0", 0)
    line.receipts += [Receipt(1.0, 7, 0, 10), Receipt(1.0, 8, 10, 20)]
    ledger = Ledger([line])
    now: dict[int, dict[str, Any] | None] = {7: {"held": [[0, 4]]}, 8: {"held": [[10, 20]]}}
    assert ledger.forgive(line, now.get) == 6
    assert ledger.hold(line, now.get) == 0
    now[8] = {"held": []}
    assert ledger.hold(line, now.get) == 10
