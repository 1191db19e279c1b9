"""Plots of anything are well-formed drawings: points inside the frame, words beside each other."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from web import plots
from web.axes import width_of
from web.drawing import SIZE
from web.standalone import standalone

SVG = "{http://www.w3.org/2000/svg}"
MOVES = re.compile(r"([MLHVhvalz])([^MLHVhvalz]*)")

values = st.one_of(
    st.none(),
    st.integers(0, 10**18),
    st.floats(-1e15, 1e15, allow_nan=False).filter(lambda x: not 0 < abs(x) < 1e-6),
    st.sampled_from([float("nan"), float("inf")]),
)
names = st.text(max_size=40)
lines = st.lists(st.builds(plots.Line, names, st.lists(values, max_size=40)), max_size=10)
steps = st.sampled_from([60, 300, 900, 3_600, 7_200, 86_400, 7 * 86_400])
starts = st.integers(0, 4 * 10**9)


def spots(path: str) -> list[tuple[float, float]]:
    """Where the absolute moves of a path lead."""
    found, x, y = [], 0.0, 0.0
    for letter, rest in MOVES.findall(path):
        numbers = [float(each) for each in re.findall(r"-?[\d.]+", rest)]
        match letter:
            case "M" | "L":
                x, y = numbers[0], numbers[1]
            case "H":
                x = numbers[0]
            case "V":
                y = numbers[0]
            case "h":
                x += numbers[0]
            case "v":
                y += numbers[0]
            case _:  # a curve of a dot, or the way back
                pass
        found.append((x, y))
    return found


def boxes(root: ET.Element) -> list[tuple[float, float, float, float, str]]:
    """What words cover, as they are laid out: left, top, right, bottom."""
    found = []
    for each in root.iter(f"{SVG}text"):
        words, x, y = each.text or "", float(each.attrib["x"]), float(each.attrib["y"])
        wide = width_of(words, SIZE)
        kinds = each.attrib["class"].split()
        left = x - wide if "amount" in kinds else x - wide / 2 if "middle" in kinds else x
        found.append((left, y - 0.72 * SIZE, left + wide, y + 0.1 * SIZE, words))
    return found


def sound(text: str) -> ET.Element:
    """A drawing whose shapes lie in it and whose words do not cover each other."""
    root = ET.fromstring(text)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"]
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for path in root.iter(f"{SVG}path"):
        for x, y in spots(path.attrib["d"]):
            assert -0.2 <= x <= width + 0.2, path.attrib
            assert -0.2 <= y <= height + 0.2, path.attrib
    for one, other in itertools.combinations(boxes(root), 2):
        apart = (
            one[2] <= other[0] + 0.2 or other[2] <= one[0] + 0.2
            or one[3] <= other[1] + 0.2 or other[3] <= one[1] + 0.2
        )  # fmt: skip
        assert apart, (one, other)
    return root


@settings(max_examples=60, deadline=None)
@given(lines, names, st.sampled_from(["", "machines", "events/s"]), steps, starts, st.booleans())
def test_lines_of_any_values_are_a_sound_drawing(
    series: list[plots.Line], title: str, unit: str, step_s: int, start: int, whole: bool
) -> None:
    made = plots.line(series, title=title, unit=unit, step_s=step_s, start=start, whole=whole)
    sound(made)
    ET.fromstring(standalone(made))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(names, values), max_size=30), names)
def test_bars_of_any_values_are_a_sound_drawing(
    found: list[tuple[str, float | None]], title: str
) -> None:
    known = [(name, value or 0) for name, value in found]
    sound(plots.bars(known, title=title, unit="machines"))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=60),
    st.floats(-1e4, 1e4).filter(lambda x: not 0 < abs(x) < 1e-3),
    st.sampled_from([0.01, 0.25, 1, 3, 1000]),
    st.booleans(),
    st.booleans(),
)
def test_histograms_of_any_counts_are_a_sound_drawing(
    counts: list[int], first: float, wide: float, log: bool, both: bool
) -> None:
    edges = [first + wide * k for k in range(len(counts) + 1)]
    spread = [n**0.5 for n in counts]
    reference = [0.9 * n for n in counts] if both else None
    sound(
        plots.histogram(
            edges, counts, reference, title="mass", axis="m / GeV", errors=spread, log=log
        )
    )


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(["CH", "FR", "sg", "XX", "HU", ""]), st.integers(-1, 10**9)))
def test_maps_of_any_values_are_sound_drawings(found: dict[str, int]) -> None:
    root = ET.fromstring(plots.world(found))
    marked = [each for each in root if each.attrib["class"] != "land"]
    known = [code for code, value in found.items() if value > 0 and code not in {"XX", ""}]
    assert len(marked) == len(known)
