"""What an event is worth: by the reference host, else by the median, in whole millionths."""

from __future__ import annotations

from server.domain.credit import Worth, worth


def test_a_credit_is_a_core_second_of_the_reference_host() -> None:
    assert worth(0.25, [9.0, 9.0], 1) == Worth(250_000, "reference", 1)
    assert worth(0.25, [], 4) == Worth(1_000_000, "reference", 1)


def test_without_a_reference_the_median_counts_and_one_liar_does_not_move_it() -> None:
    assert worth(None, [1.0, 1e9, 0.9], 1) == Worth(1_000_000, "median", 3)
    assert worth(None, [1.0, 1e9], 1) == Worth(1_000_000, "median", 2)


def test_what_nobody_measured_is_worth_a_core_second_and_says_so() -> None:
    assert worth(None, [0.0, -1.0], 1) == Worth(1_000_000, "unmeasured", 0)
    assert worth(0.0, [], 2) == Worth(2_000_000, "unmeasured", 0)


def test_events_of_nanoseconds_are_worth_something() -> None:
    assert worth(1e-9, [], 1).micros == 1
