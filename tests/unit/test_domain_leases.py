"""How a production is cut, who may take of it, and how much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.domain.credit import credits
from server.domain.match import Facts, Requirements, unmet
from server.domain.sizing import MARGIN, cut, in_time, lease_events, least_events
from server.domain.split import unit_of, unit_range, units_total

HOST = Facts(4, 8000, 50_000, "x86_64", ("/cvmfs/sft.cern.ch", "/data/"))


@pytest.mark.parametrize(("events", "unit"), [(1, 1), (10, 3), (9, 3), (2, 5000), (2**62, 5000)])
def test_every_event_is_in_exactly_one_unit(events: int, unit: int) -> None:
    total = units_total(events, unit)
    assert unit_range(0, unit, events)[0] == 0
    assert unit_range(total - 1, unit, events)[1] == events
    for number in range(min(total, 5) - 1):
        assert unit_range(number, unit, events)[1] == unit_range(number + 1, unit, events)[0]
    for number in (0, total - 1):
        first, last = unit_range(number, unit, events)
        assert unit_of(first, unit) == unit_of(last - 1, unit) == number


@pytest.mark.parametrize("number", [-1, 4])
def test_a_unit_that_is_not_there_has_no_range(number: int) -> None:
    with pytest.raises(ValueError, match=r"no unit -?[14] among 4"):
        unit_range(number, 3, 10)


def test_a_lease_fills_the_longest_time() -> None:
    assert lease_events(0.5, None, 10**9, 3600, 10) == 7200


def test_a_lease_leaves_a_margin_of_the_time_a_host_has_left() -> None:
    assert lease_events(0.5, 100, 10**9, 3600, 10) == int(MARGIN * 200)
    assert lease_events(0.5, 10**6, 10**9, 3600, 10) == 7200


def test_a_lease_ends_before_its_host_does() -> None:
    assert lease_events(0.5, 4, 10**9, 3600, 10) == int(MARGIN * 8)
    assert lease_events(0.5, 0, 10**9, 3600, 10) == 1
    assert lease_events(1e-320, 60, 99, 3600, 10) == 99


@pytest.mark.parametrize(
    ("seconds", "left", "block", "fits"),
    [
        (0.5, 100.0, 100, True),
        (0.5, 60.0, 100, False),
        (0.5, None, 10**9, True),
        (None, 1.0, 10**9, True),
        (0.0, 1.0, 10**9, True),
    ],
)
def test_a_block_that_would_not_be_finished_is_not_begun(
    seconds: float | None, left: float | None, block: int, fits: bool
) -> None:
    assert in_time(seconds, left, block) is fits


def test_a_lease_is_no_more_than_the_share_and_no_less_than_a_flush() -> None:
    assert lease_events(0.5, None, 99, 3600, 10) == 99
    assert lease_events(0.5, None, 3, 3600, 10) == 10
    assert lease_events(1e-320, None, 99, 3600, 10) == 99


@pytest.mark.parametrize(
    ("seconds", "block", "least"),
    [(None, 1, 100), (0.0, 300, 300), (0.001, 1, 100), (1.0, 1, 30), (60.0, 1, 1), (60.0, 8, 8)],
)
def test_the_least_lease_is_one_flush_of_the_host(
    seconds: float | None, block: int, least: int
) -> None:
    assert least_events(seconds, block) == least


def test_slow_events_are_not_leased_by_the_hundred_when_little_is_left() -> None:
    assert lease_events(60.0, None, 5, 3600, least_events(60.0, 1)) == 5
    assert lease_events(60.0, 600, 10**9, 3600, least_events(60.0, 1)) == 8


@pytest.mark.parametrize("unknown", [None, 0.0])
def test_a_host_of_unknown_speed_begins_with_one_flush(unknown: float | None) -> None:
    assert lease_events(unknown, None, 10**9, 3600, 25) == 25
    assert lease_events(unknown, None, 10**9, 3600, 0) == 1


@pytest.mark.parametrize(
    ("first", "last", "events", "block", "granule", "end"),
    [
        (0, 5000, 250, 100, 1, 200),
        (50, 5000, 250, 100, 1, 300),
        (0, 5000, 60, 100, 1, 100),
        (0, 5000, 50, 100, 1, 100),
        (0, 5000, 40, 100, 1, 40),
        (0, 5000, 20, 100, 1, 20),
        (0, 5000, 20, 100, 8, 16),
        (0, 5000, 3, 100, 8, 8),
        (0, 5000, 0, 1, 1, 1),
        (4900, 4990, 250, 100, 1, 4990),
        (4980, 4999, 8, 100, 20, 4999),
        (0, 5000, 70, 20, 30, 60),
    ],
)
def test_a_lease_ends_on_a_block_if_one_is_near_and_always_on_a_granule(
    first: int, last: int, events: int, block: int, granule: int, end: int
) -> None:
    assert cut(first, last, events, block, granule) == end


def test_a_host_that_has_everything_fits() -> None:
    assert unmet(Requirements(4, 8000, 50_000, ("aarch64", "x86_64"), ("/data",)), HOST) == ()
    assert unmet(Requirements(), Facts(1, 0, 0, "riscv64", ())) == ()


def test_every_reason_why_a_host_does_not_fit_is_told() -> None:
    asked = Requirements(8, 16_000, 60_000, ("aarch64",), ("/cvmfs/sft", "/data/na61"))
    assert unmet(asked, HOST) == (
        "cores 4 is less than the 8 required",
        "memory_mb 8000 is less than the 16000 required",
        "disk_mb 50000 is less than the 60000 required",
        "arch x86_64 is not one of aarch64",
        "path /cvmfs/sft is not there",
    )


def test_a_sandbox_and_the_network_are_had_by_hosts_that_say_so() -> None:
    asked = Requirements(sandbox=True, network=True)
    assert unmet(asked, replace(HOST, sandbox="bubblewrap", network=True)) == ()
    assert unmet(asked, HOST) == (
        "payloads run without a sandbox, and one is required",
        "payloads get no network, and it is required",
    )


def test_credit_is_by_event_and_never_negative() -> None:
    assert credits(200, 500_000) == 100_000_000
    with pytest.raises(ValueError, match="both must be 0 or more"):
        credits(-1, 5)
    with pytest.raises(ValueError, match="both must be 0 or more"):
        credits(1, -5)
