"""Frames byte by byte: what is read, what is malformed, and the server's copy of the head."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.services import frameread, ingest
from vmagent.wire import frames

RECORDS = [b"one", b"", b"three"]
RAW = frames.encode(10, 13, RECORDS)
HEAD_BYTES = 20


@st.composite
def framed(draw: st.DrawFn) -> tuple[int, int, int, list[bytes]]:
    """First event, last event, granule and as many records as these make."""
    granule = draw(st.sampled_from([1, 1, 2, 7, 10, 500]))
    first = draw(st.integers(0, 2**40)) * granule
    last = first + draw(st.integers(1, 30 * granule))
    size = frames.record_count(first, last, granule)
    records = draw(st.lists(st.binary(max_size=40), min_size=size, max_size=size))
    return first, last, granule, records


def test_the_layout_is_as_documented() -> None:
    assert (
        b"WFF1"
        + (10).to_bytes(8, "big")
        + (3).to_bytes(4, "big")
        + (3).to_bytes(4, "big")
        + b"".join(len(record).to_bytes(4, "big") for record in RECORDS)
        + b"onethree"
    ) == RAW


def test_records_come_back_with_their_events() -> None:
    assert list(frames.decode(RAW).records()) == [
        (10, 11, b"one"),
        (11, 12, b""),
        (12, 13, b"three"),
    ]


def test_the_last_record_of_a_production_may_be_of_fewer_events() -> None:
    raw = frames.encode(20, 44, RECORDS)
    found = [(first, last) for first, last, _ in frames.decode(raw, 10).records()]
    assert found == [(20, 30), (30, 40), (40, 44)]


@pytest.mark.parametrize(
    ("first", "last", "granule", "records"),
    [(0, 1, 1, 1), (0, 10, 10, 1), (0, 11, 10, 2), (5, 15, 10, 2), (9, 11, 10, 2), (30, 60, 10, 3)],
)
def test_events_make_as_many_records_as_they_touch_granules(
    first: int, last: int, granule: int, records: int
) -> None:
    assert frames.record_count(first, last, granule) == records
    assert ingest.record_count(first, last, granule) == records


def head(magic: bytes = b"WFF1", first: int = 10, events: int = 3, count: int = 3) -> bytes:
    """A head, and what follows it in the sample."""
    return struct.pack(">4sQII", magic, first, events, count) + RAW[HEAD_BYTES:]


@pytest.mark.parametrize(
    ("raw", "granule", "named"),
    [
        (b"", 1, "at least 20 bytes, this one 0"),
        (RAW[:19], 1, "at least 20 bytes, this one 19"),
        (head(magic=b"WFF2"), 1, "starts with WFF1"),
        (head(magic=b"wff1"), 1, "starts with WFF1"),
        (head(events=0, count=0), 1, "1 to 1000000 events, this one says 0"),
        (head(events=1_000_001), 1, "this one says 1000001"),
        (head(events=2**32 - 1, count=2**32 - 1), 1, "1 to 1000000 events"),
        (head(count=2), 1, r"\[10, 13\) make 3 records, the frame has 2"),
        (head(count=2**32 - 1), 1, "make 3 records, the frame has 4294967295"),
        (head(events=1), 1, "make 1 records, the frame has 3"),
        (RAW, 10, "make 1 records, the frame has 3"),
        (head(first=9), 10, "make 2 records, the frame has 3"),
        (RAW[:HEAD_BYTES], 1, "ends inside its table"),
        (RAW[: HEAD_BYTES + 11], 1, "ends inside its table"),
        (RAW[:-1], 1, "add up to 40 bytes, the frame has 39"),
        (RAW + b"x", 1, "add up to 40 bytes, the frame has 41"),
        (RAW + RAW, 1, "add up to 40 bytes, the frame has 80"),
        (RAW[:HEAD_BYTES] + b"\xff" * 12 + RAW[32:], 1, "the frame has 40"),
    ],
)
def test_what_is_malformed_is_named(raw: bytes, granule: int, named: str) -> None:
    with pytest.raises(frames.BadFrame, match=named):
        frames.decode(raw, granule)


def test_a_frame_of_the_most_events_is_read() -> None:
    raw = frames.encode(0, frames.EVENTS_MOST, [b""] * (frames.EVENTS_MOST // 1000))
    assert len(frames.decode(raw, 1000).lengths) == frames.EVENTS_MOST // 1000


@given(framed())
def test_every_frame_is_read_as_it_was_written(
    written: tuple[int, int, int, list[bytes]],
) -> None:
    first, last, granule, records = written
    frame = frames.decode(frames.encode(first, last, records), granule)
    pieces = list(frame.records())
    assert [record for _, _, record in pieces] == records
    assert (pieces[0][0], pieces[-1][1]) == (first, last)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(pieces))


@given(framed())
def test_the_server_reads_the_head_that_the_agent_writes(
    written: tuple[int, int, int, list[bytes]],
) -> None:
    # The services may not import the wire, so the head is laid out twice.
    first, last, _, records = written
    raw = frames.encode(first, last, records)
    found = frameread.lengths_in(raw)
    assert found is not None
    assert found == (first, last - first, tuple(map(len, records)))
    assert list(frameread.Piece(found[2], raw).records()) == records


@given(framed())
def test_the_agent_reads_the_head_that_the_server_packs(
    written: tuple[int, int, int, list[bytes]],
) -> None:
    first, last, granule, records = written
    packed = frameread.HEAD.pack(b"WFF1", first, last - first, len(records))
    lengths = b"".join(len(record).to_bytes(4, "big") for record in records)
    frame = frames.decode(packed + lengths + b"".join(records), granule)
    assert (frame.first, frame.last, frame.lengths) == (first, last, tuple(map(len, records)))


def test_both_heads_are_laid_out_alike() -> None:
    assert frameread.HEAD.format == frames.HEAD.format
    assert frameread.HEAD.size == frames.HEAD.size == HEAD_BYTES


def test_the_server_waits_until_the_table_of_lengths_is_whole() -> None:
    seen = [frameread.lengths_in(RAW[:size]) is not None for size in range(len(RAW) + 1)]
    assert seen == [False] * (HEAD_BYTES + 12) + [True] * (len(RAW) + 1 - HEAD_BYTES - 12)


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (head(magic=b"WFF2"), "does not start with WFF1"),
        (head(count=0), "0 records for 3 events"),
        (head(count=4), "4 records for 3 events"),
        (head(events=0), "3 records for 0 events"),
    ],
)
def test_the_server_names_what_cannot_begin_a_frame(raw: bytes, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        frameread.lengths_in(raw)
