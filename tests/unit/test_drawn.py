"""What plots say: axes with round steps, times by their span, gaps, hints, words for who hears."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from web import plots
from web.axes import cut, decades, moments, number, rounded, short, when
from web.standalone import standalone
from web.world import countries, name_of

NOON = 1_790_078_400  # Tuesday, 22 September 2026, 12:00 UTC
HOUR, DAY = 3_600, 86_400
THIN = "\u202f"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 7, ["0", "2", "4", "6", "8"]),
        (0, 812, ["0", "500", f"1{THIN}000"]),
        (0, 0, ["0", "0.5", "1.0"]),
        (-3, 4, ["-4", "-2", "0", "2", "4"]),
        (0, 1_400_000, ["0", f"0.5{THIN}M", f"1.0{THIN}M", f"1.5{THIN}M"]),
        (0, 0.9, ["0", "0.5", "1.0"]),
    ],
)
def test_axes_go_in_steps_of_one_two_and_five(low: float, high: float, words: list[str]) -> None:
    assert [tick.words for tick in rounded(low, high, 3 if high in (812, 0.9, 0) else 4)] == words


def test_nothing_stands_between_two_things_that_are_counted() -> None:
    assert [tick.words for tick in rounded(0, 2, whole=True)] == ["0", "1", "2"]


def test_logarithmic_axes_stand_at_powers_of_ten() -> None:
    assert [tick.words for tick in decades(3, 2e5)] == [
        *("1", "10", "100", f"1{THIN}000", "1e4", "1e5", "1e6"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (1, ["12:00", "12:15", "12:30", "12:45", "13:00"]),
        (24, ["12:00", "18:00", "23 Sep", "06:00", "12:00"]),
        (7 * 24, ["24 Sep", "26 Sep", "28 Sep"]),
        (365 * 24, ["Oct", "2027", "Apr", "Jul"]),
        (20 * 365 * 24, ["2030", "2035", "2040", "2045"]),
    ],
)
def test_times_are_named_by_their_span(hours: int, words: list[str]) -> None:
    assert [tick.words for tick in moments(NOON, NOON + hours * HOUR, 310, 12)] == words


def test_weeks_begin_on_monday() -> None:
    found = moments(NOON, NOON + 30 * DAY, 330, 12)
    assert {int(tick.at) // DAY % 7 for tick in found} == {4}  # the epoch began on a Thursday


def test_numbers_are_read_in_groups_of_three() -> None:
    assert number(12_345_678) == f"12{THIN}345{THIN}678"
    assert [number(0.1234), number(0.00123), number(2.5)] == ["0.123", "0.0012", "2.5"]
    assert short(9e11, 1e11, 1e12) == f"0.9{THIN}T"


def test_words_that_have_no_room_are_cut_and_say_so() -> None:
    assert cut("trigger-farm", 1000, 12) == "trigger-farm"
    assert cut("trigger-farm", 60, 12) == "trigger…"


def test_moments_are_said_as_exactly_as_the_step_needs() -> None:
    assert [when(NOON, 60), when(NOON, DAY)] == ["22 Sep 12:00", "22 Sep 2026"]


def drawn(values: list[float | None], name: str = "machines") -> ET.Element:
    """A line of these values, a minute each."""
    line = plots.Line(name, values)
    return ET.fromstring(
        plots.line([line], title="Connected", unit="machines", step_s=60, start=NOON)
    )


def kinds(root: ET.Element, kind: str) -> list[ET.Element]:
    """Its elements with this class."""
    return [each for each in root.iter() if kind in each.attrib.get("class", "").split()]


def test_a_gap_stays_a_gap() -> None:
    root = drawn([1, 2, None, 3, 4, None, 5])
    assert kinds(root, "curve")[0].attrib["d"].count("M") == 2
    assert kinds(root, "dots")[0].attrib["d"].count("M") == 1  # one alone is no line


def test_each_value_is_told_to_who_points_at_it() -> None:
    root = drawn([1200, None, 3])
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == [f"22 Sep 12:00: 1{THIN}200 machines", "22 Sep 12:02: 3 machines"]


def test_a_plot_says_in_words_what_it_shows() -> None:
    assert drawn([5, 1, 3]).attrib["aria-label"] == (
        "Connected, 22 Sep 12:00 to 22 Sep 12:03 UTC. lowest 1, highest 5, last 3 machines."
    )
    assert "Nothing yet" in drawn([None]).attrib["aria-label"]


def test_several_lines_are_named_beside_their_colours() -> None:
    lines = [plots.Line(name, [1, 2]) for name in ("expired", "failed")]
    root = ET.fromstring(plots.line(lines, title="Ends", unit="tasks", step_s=60, start=NOON))
    assert [each.attrib["class"] for each in kinds(root, "key-of")] == ["key-of s1", "key-of s2"]
    assert "expired 1; failed 1 tasks" in plots.line(
        lines, title="Ends", unit="tasks", step_s=60, start=NOON
    )
    assert not kinds(root, "fill")  # one would hide the other


def test_bars_beyond_the_most_are_added_up_as_others() -> None:
    made = plots.bars([(f"v{k}", 10 - k) for k in range(6)], title="By x", unit="", most=4)
    assert "v0 10; v1 9; v2 8; 3 others 18" in made


def test_bars_with_an_order_of_their_own_keep_it() -> None:
    made = plots.bars([("1", 3), ("2", 9)], title="By cores", unit="", ordered=True)
    assert "By cores: 1 3; 2 9." in made


def test_a_histogram_needs_an_edge_more_than_counts() -> None:
    with pytest.raises(ValueError, match="2 counts need 3 edges, not 2"):
        plots.histogram([0, 1], [1, 2], title="mass")


def test_a_histogram_stands_beside_its_reference() -> None:
    made = plots.histogram([0, 1, 2], [4, 2], [3, 3], title="mass", unit="events", axis="m / GeV")
    root = ET.fromstring(made)
    assert len(kinds(root, "curve")) == 2
    assert "0 to 1: 4, reference 3" in made
    assert "m / GeV" in made


def test_names_that_are_markup_are_shown_as_they_are() -> None:
    made = plots.bars([('<b>"&\x00', 3)], title="<script>", unit="")
    assert "&lt;b&gt;" in made
    assert "<script>" not in made


def test_a_plot_as_a_file_has_its_colours_inside_and_no_variables() -> None:
    text = standalone(plots.bars([("a", 1)], title="By x", unit=""))
    style = ET.fromstring(text).find("{http://www.w3.org/2000/svg}style")
    assert style is not None
    assert style.text is not None
    assert "var(" not in style.text
    assert re.search(r"\.bar-of \{ fill: #[0-9a-f]{6}", style.text)


def test_every_country_with_a_border_is_on_the_map() -> None:
    known = countries()
    assert len(known) > 230
    assert [name_of(code) for code in ("CH", "hu", "QQ")] == ["Switzerland", "Hungary", "QQ"]
    assert all(known[code].path for code in ("CH", "HU", "RS", "MM", "US", "NZ"))
    assert not known["SG"].path  # it is a dot
    assert len(plots.world({})) < 30_000


def test_a_map_is_darker_where_there_is_more() -> None:
    made = plots.world({"CH": 1000, "FR": 30, "DE": 1}, unit="machines")
    assert re.findall(r'class="v(\d)"', made) == ["1", "3", "5"]
    assert made.index("France: 30") < made.index(f"Switzerland: 1{THIN}000")  # which lies above
