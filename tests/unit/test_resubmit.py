"""What becomes of failures: each way ends, whoever sends what."""

from __future__ import annotations

import dataclasses

from server.domain.patterns import Pattern
from server.domain.resubmit import Decision, Memory, Past, decide, seen

PLAIN = Memory(1000, 1000, 1000)


def pattern(action: str, most: int = 0) -> Pattern:
    return Pattern("mine", "error", "payload", action, most)


def past(failures: int = 1, accounts: int = 1, seen_by: int = 1, total: int = 1) -> Past:
    return Past(failures, accounts, seen_by, total)


def test_what_nobody_knows_is_tried_elsewhere() -> None:
    assert decide(None, "?", past(), PLAIN) == Decision()


def test_a_kind_that_fails_too_often_has_its_unit_held_with_the_line() -> None:
    one = pattern("retry-elsewhere", 3)
    assert decide(one, "boom", past(2), PLAIN) == Decision()
    held = decide(one, "boom", past(3), PLAIN).hold
    assert held == "3 failures of kind payload, and 3 may be (pattern mine): boom"


def test_memory_is_raised_up_to_the_signed_bound_and_then_counts() -> None:
    one = pattern("retry-with-more-memory", 2)
    assert decide(one, "", past(), Memory(1000, 3000, 1000)) == Decision(True, memory_mb=2000)
    assert decide(one, "", past(), Memory(2000, 3000, 2000)) == Decision(True, memory_mb=3000)
    assert decide(one, "", past(), Memory(3000, 3000, 3000)) == Decision()
    assert decide(one, "", past(2), Memory(3000, 3000, 3000)).hold


def test_a_task_that_ran_with_less_than_its_unit_gets_now_raises_nothing() -> None:
    one = pattern("retry-with-more-memory")
    assert decide(one, "", past(), Memory(2000, 8000, 1000)) == Decision(undo=True)


def test_hosts_are_blamed_until_it_cannot_be_the_hosts() -> None:
    one = pattern("blame-host")
    assert decide(one, "no cvmfs", past(3, 3), PLAIN) == Decision(undo=True, blame=True)
    assert "no fault of theirs" in decide(one, "no cvmfs", past(4, 4), PLAIN).hold
    assert decide(one, "no cvmfs", past(12, 1), PLAIN).hold
    assert decide(pattern("blame-host", 2), "", past(2, 2), PLAIN).hold


def test_a_production_is_held_by_as_many_accounts_as_it_says() -> None:
    one = pattern("hold-production", 2)
    assert decide(one, "bad field map", past(), PLAIN) == Decision()
    held = seen(one, "bad field map", past(seen_by=2)).hold_production
    assert held == "pattern mine seen on 2 accounts: bad field map"
    assert seen(pattern("retry-elsewhere"), "", past(seen_by=9)) == Decision()


def test_nothing_is_tried_for_ever_not_even_what_is_ignored() -> None:
    for action in ("ignore", "blame-host", "retry-elsewhere", "retry-with-more-memory"):
        many = dataclasses.replace(past(), total=100)
        assert decide(pattern(action), "", many, Memory(1, 10**6, 1)).hold
    assert decide(None, "", past(total=100), PLAIN).hold
    assert decide(pattern("ignore"), "", past(), PLAIN) == Decision(undo=True)
