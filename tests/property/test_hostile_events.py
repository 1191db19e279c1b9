"""Whatever a payload wrote as events, counting it neither fails nor counts more than there is."""

from __future__ import annotations

import io
import json
import re

import msgspec
import pytest
import zstandard
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from server.domain.physics import QUANTITIES, Plot, Sheet
from server.plotter import count

PLOTS = [Plot(quantity, -1.0, 3.0, 7) for quantity in QUANTITIES] + [
    Plot("mass", 0.0, 1e-300, 400, particles=(13, -13)),
    Plot("pt", -1e308, 1e308, 3),
]
NUMBER = st.one_of(
    st.sampled_from(["nan", "inf", "-inf", "1e999", "-0", "1_0", "9" * 40, "1e-320", "", "0x1p3"]),
    st.floats().map(repr),
)
PARTICLE = st.tuples(
    st.integers(-(10**11), 10**11), NUMBER, NUMBER, NUMBER, NUMBER, st.sampled_from("1423")
).map(lambda p: f"P 1 0 {p[0]} {p[1]} {p[2]} {p[3]} {p[4]} 1 {p[5]}\n".encode())
LINE = st.one_of(
    PARTICLE,
    st.sampled_from([b"E 1 0 0\n", b"E \n", b"U MEV MM\n", b"U GEV MM\n", b"\n", b"E", b"P \n"]),
    st.binary(max_size=30),
)
TEXT = st.lists(LINE, max_size=30).map(b"".join)


def entries(sheet: Sheet) -> list[int]:
    """How many entries each plot has, in its bins and outside."""
    return [sum(one.counts) + one.below + one.above for one in sheet.filled]


@seed(5)
@settings(max_examples=300, deadline=None, database=None)
@given(TEXT)
def test_any_text_is_counted_and_nothing_in_it_is_counted_twice(text: bytes) -> None:
    sheet = Sheet.empty(PLOTS)
    sheet.read(PLOTS, text)
    particles = len(re.findall(rb"^P ", text, re.MULTILINE))
    assert sheet.events == len(re.findall(rb"^E ", text, re.MULTILINE))
    for plot, found in zip(PLOTS, entries(sheet), strict=True):
        per_event = plot.quantity in ("multiplicity", "mass")
        assert found <= (sheet.events if per_event else particles)
    # The answer of the program is JSON, and read as what it was.
    again = msgspec.json.decode(msgspec.json.encode(sheet), type=Sheet)
    assert again == sheet
    json.loads(msgspec.json.encode(sheet))


@seed(6)
@settings(max_examples=200, deadline=None, database=None)
@given(TEXT, st.binary(max_size=40), st.integers(0, 60))
def test_any_bytes_are_a_unit_or_refused(text: bytes, more: bytes, cut: int) -> None:
    packed = zstandard.compress(text)
    for raw in (packed, packed[: len(packed) - cut], packed + more, more):
        try:
            sheet = count(PLOTS, io.BytesIO(raw), 5)
        except (zstandard.ZstdError, ValueError):
            continue
        assert sheet.events <= 5


def test_more_events_than_there_are_end_the_count() -> None:
    with pytest.raises(ValueError, match="more than the 2 events"):
        count(PLOTS, io.BytesIO(zstandard.compress(b"E 1\nE 2\nE 3\n")), 2)
    assert count(PLOTS, io.BytesIO(zstandard.compress(b"E 1\nE 2\n")), 2).events == 2
