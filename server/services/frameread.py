"""Frames as they lie in the segments: read back, checked against their digest, cut into records."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from server.blobs.base import BlobFailed, BlobMissing
from server.blobs.segments import Segments
from server.db.frames import FrameRow

HEAD = struct.Struct(">4sQII")  # the head of `vmagent.wire.frames`; a test holds the two together


@dataclass(frozen=True)
class Piece:
    """The records of a frame, one after the other."""

    lengths: tuple[int, ...]
    raw: bytes

    def records(self) -> Iterator[bytes]:
        """Each record."""
        at = HEAD.size + 4 * len(self.lengths)
        for length in self.lengths:
            yield self.raw[at : at + length]
            at += length


def lengths_in(raw: bytes) -> tuple[int, int, tuple[int, ...]] | None:
    """First event, events and the table of lengths of a frame; None while the table is not whole.

    Raises ValueError if this cannot be the beginning of a frame.
    """
    if len(raw) < HEAD.size:
        return None
    magic, first, events, count = HEAD.unpack_from(raw)
    if magic != b"WFF1":
        raise ValueError("it does not start with WFF1")
    if not 0 < count <= events:
        raise ValueError(f"it has {count} records for {events} events")
    if len(raw) < HEAD.size + 4 * count:
        return None
    return first, events, struct.unpack_from(f">{count}I", raw, HEAD.size)


def read_pieces(
    segments: Segments, rows: Iterable[FrameRow]
) -> Iterator[tuple[FrameRow, Piece | None]]:
    """Each frame with its records; None for one whose bytes are not what was acknowledged.

    Raises BlobFailed if they may be there again later.
    """
    for row in rows:
        raw = _raw(segments, row)
        if raw is None or hashlib.sha256(raw).digest() != row.digest:
            yield row, None
            continue
        head = lengths_in(raw)
        assert head is not None  # noqa: S101  it was whole when it was acknowledged
        yield row, Piece(head[2], raw)


def _raw(segments: Segments, row: FrameRow) -> bytes | None:
    try:
        return segments.read(row.segment, row.place, row.length)
    except BlobMissing:
        return None
    except BlobFailed as error:
        if error.retry:
            raise
        return None


def part_of(raw: bytes, granule: int, first: int, last: int) -> bytes:
    """The frame of these events of a frame; both ends are where records begin or end."""
    head = lengths_in(raw)
    assert head is not None  # noqa: S101  it was whole when it came
    begin, _, lengths = head
    low = first // granule - begin // granule
    high = low - (-last // granule) - first // granule
    at = HEAD.size + 4 * len(lengths) + sum(lengths[:low])
    kept = lengths[low:high]
    table = struct.pack(f">{len(kept)}I", *kept)
    records = raw[at : at + sum(kept)]
    return HEAD.pack(b"WFF1", first, last - first, len(kept)) + table + records


def record_starts(row: FrameRow, granule: int, count: int) -> Iterator[tuple[int, int]]:
    """The events [first, last) of each record of a frame."""
    event = row.first
    for _ in range(count):
        upto = min(row.last, event - event % granule + granule)
        yield event, upto
        event = upto
