"""A machine's life: leases that touch are one stretch, gaps stay gaps, and all is told in words."""

from __future__ import annotations

from xml.etree import ElementTree

from server.services.lives import Stretch, stretches
from web.lifelines import Mark, Row, Worked, lifeline


def test_leases_that_touch_or_overlap_are_one_stretch_and_gaps_stay() -> None:
    assert stretches([(0, 10), (12, 20), (500, 600), (5, 8)], 5) == [
        Stretch(0, 20, 3),
        Stretch(500, 600, 1),
    ]
    assert stretches([(0, 100), (10, 20)], 5) == [Stretch(0, 100, 2)]
    assert stretches([(7, 7)], 5) == []
    assert stretches([], 5) == []


def test_the_strip_tells_what_it_shows_and_leaves_out_what_was_before() -> None:
    rows = [Row("told", [Mark(150, "drain <by> admin"), Mark(10, "long ago")]), Row("failed", [])]
    made = lifeline(
        [Worked(100, 200, "one & two"), Worked(10, 20, "before")], rows, start=100, end=300,
        title="The life of <n1>",
    )  # fmt: skip
    root = ElementTree.fromstring(made)
    assert root.attrib["aria-label"].startswith("The life of <n1>: worked")
    titles = [each.text for each in root.iter() if each.tag.endswith("title")]
    assert titles == ["one & two", "drain <by> admin"]


def test_a_machine_that_joined_just_now_has_a_strip_too() -> None:
    made = lifeline([], [Row("told", [])], start=5, end=5, title="The life of n1")
    assert "Nothing yet" in made
    ElementTree.fromstring(made)


def test_strips_are_fit_for_a_phone_whatever_their_span() -> None:
    for seconds in (60, 3600, 86_400, 14 * 86_400):
        made = lifeline(
            [Worked(1e9, 1e9 + seconds, "all")], [Row("failed", [])], start=1e9, end=1e9 + seconds,
            title="x",
        )  # fmt: skip
        width = float(ElementTree.fromstring(made).attrib["viewBox"].split()[2])
        assert width == 360
