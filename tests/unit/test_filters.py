"""Figures in words: what people read on the pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.services.hostview import HostView
from tests.kit import views
from web import filters


def plain(text: str) -> str:
    """The text with ordinary spaces."""
    return text.replace("\u202f", " ").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999, "999"), (12345, "12 345"), (-1234567, "-1 234 567")]
)
def test_counts_are_grouped_by_three(number: int, text: str) -> None:
    assert plain(filters.count(number)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (7_500, "2 h 5 min"),
        (90_061, "1 d 1 h"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, text: str) -> None:
    assert plain(filters.duration(seconds)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (999_999, "1.00 MB"),
        (48_300_112, "48.3 MB"),
        (812e9, "812 GB"),
        (5e21, "5000 EB"),
    ],
)
def test_sizes_have_three_digits(amount: float, text: str) -> None:
    assert plain(filters.size(amount)) == text


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (150, "2 minutes ago"),
        (7_300, "2 hours ago"),
        (90_000, "1 day ago"),
    ],
)
def test_ages_are_told_in_their_largest_unit(passed: float, text: str) -> None:
    assert plain(filters.ago(1000.0, 1000.0 + passed)) == text


@pytest.mark.parametrize(
    ("per_s", "text"),
    [
        (0, "0 events/h"),
        (1234.4, "1 234 events/s"),
        (2.5, "2.5 events/s"),
        (0.5, "30 events/min"),
        (0.001, "3.6 events/h"),
    ],
)
def test_rates_choose_a_unit_that_can_be_read(per_s: float, text: str) -> None:
    assert plain(filters.rate(per_s)) == text


@given(st.integers(min_value=1, max_value=10**15), st.data())
def test_a_percentage_says_hundred_only_when_nothing_is_missing(
    whole: int, data: st.DataObject
) -> None:
    part = data.draw(st.integers(min_value=0, max_value=whole))
    assert filters.percent(part, whole).startswith("100") == (part == whole)


def test_times_are_utc() -> None:
    assert plain(filters.moment(0)) == "1970-01-01 00:00:00 UTC"
    assert filters.stamp(0) == "1970-01-01T00:00:00Z"


def test_the_strip_draws_one_square_per_unit_in_its_place() -> None:
    strip = ["settled"] * filters.STRIP_COLUMNS + ["open", "settled"]
    paths = filters.strip_paths(strip)
    assert paths["open"] == "M0 10h8v8h-8z"
    assert paths["settled"].count("M") == filters.STRIP_COLUMNS + 1
    assert paths["settled"].endswith("M10 10h8v8h-8z")
    assert filters.strip_height(strip) == 20


def test_a_production_that_nobody_works_on_waits() -> None:
    assert filters.production_state(views.production("a", leased=0)) == "waiting for machines"
    assert filters.production_state(views.production("a")) == "running"
    assert filters.production_state(views.production("a", state="held")) == "needs an operator"


def test_hosts_that_work_come_first_and_stay_put() -> None:
    hosts = [
        views.host(1, "b", state="away"),
        views.host(2, "z"),
        views.host(3, "a", state="waiting for work"),
        views.host(4, "c", last_seen=1.0),
    ]
    assert [host.id for host in filters.in_order(hosts) if isinstance(host, HostView)] == [
        4, 2, 3, 1,
    ]  # fmt: skip


def test_a_site_is_told_by_what_its_machines_do() -> None:
    def told(here: int, working: int, **more: str) -> tuple[str, str]:
        online = {"mode": "online", "how": "", "stage": "open", **more}
        site = views.site("hlt", hosts_now=here, working=working, **online)
        return filters.site_state(site), filters.site_look(site)

    assert told(5, 3) == ("working", "active")
    assert told(5, 0) == ("waiting for work", "cool")
    assert told(0, 0) == ("nobody here", "off")
    assert told(0, 0, mode="offline", how="stop", stage="drained") == ("empty", "done")


def test_a_host_is_told_by_what_it_does_and_when_it_was_heard_of() -> None:
    seen = filters.host_state(views.host(1, "a", last_seen=views.NOW - 130), views.NOW)
    assert plain(seen) == "working, checked in 2 minutes ago"
    never = filters.host_state(views.host(1, "a", last_seen=0.0), views.NOW)
    assert never == "never checked in"
    states = ("working", "away", "revoked")
    assert [filters.host_lamp(views.host(1, "a", state=state)) for state in states] == [
        "on", "", "off",
    ]  # fmt: skip
