"""A frame on the wire: a run of finished events as one piece of bytes, complete or absent.

Layout, big-endian: ``WFF1``, u64 first event, u32 events, u32 records, then one u32 length per
record, then the records end to end. A record is one granule of events (most often one event); an
event that physics leaves empty is a record of length zero. The digest of a frame is the SHA-256 of
all its bytes and travels beside it: in Content-Digest (RFC 9530), in the spool, in the database.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAGIC = b"WFF1"
HEAD = struct.Struct(">4sQII")
FRAME_MOST = 16 * 1024 * 1024
EVENTS_MOST = 1_000_000


class BadFrame(ValueError):
    """These bytes are not a frame."""


@dataclass(frozen=True)
class Frame:
    """A decoded frame: its interval and where each record lies in ``raw``."""

    first: int
    last: int
    granule: int
    lengths: tuple[int, ...]
    raw: bytes

    def records(self) -> Iterator[tuple[int, int, bytes]]:
        """Each record as (first event, last event, bytes), in order."""
        at = HEAD.size + 4 * len(self.lengths)
        event = self.first
        for length in self.lengths:
            upto = min(self.last, event - event % self.granule + self.granule)
            yield event, upto, self.raw[at : at + length]
            at += length
            event = upto


def record_count(first: int, last: int, granule: int) -> int:
    """How many records the events ``[first, last)`` make."""
    return -(-last // granule) - first // granule


def encode(first: int, last: int, records: Sequence[bytes]) -> bytes:
    """The bytes of a frame of these records: the granules of ``[first, last)`` in order."""
    lengths = struct.pack(f">{len(records)}I", *map(len, records))
    head = HEAD.pack(MAGIC, first, last - first, len(records))
    return b"".join([head, lengths, *records])


def decode(raw: bytes, granule: int = 1) -> Frame:
    """Read a frame; `BadFrame` says what is wrong with it."""
    if len(raw) < HEAD.size:
        raise BadFrame(f"a frame has at least {HEAD.size} bytes, this one {len(raw)}")
    magic, first, events, count = HEAD.unpack_from(raw)
    if magic != MAGIC:
        raise BadFrame("a frame starts with WFF1, this one does not")
    if not 0 < events <= EVENTS_MOST:
        raise BadFrame(f"a frame has 1 to {EVENTS_MOST} events, this one says {events}")
    last = first + events
    if count != record_count(first, last, granule):
        raise BadFrame(
            f"events [{first}, {last}) make "
            f"{record_count(first, last, granule)} records, the frame has {count}"
        )
    body = HEAD.size + 4 * count
    if len(raw) < body:
        raise BadFrame("the frame ends inside its table of lengths")
    lengths = struct.unpack_from(f">{count}I", raw, HEAD.size)
    if body + sum(lengths) != len(raw):
        raise BadFrame(
            f"the lengths add up to {body + sum(lengths)} bytes, the frame has {len(raw)}"
        )
    return Frame(first, last, granule, lengths, raw)


def digest(raw: bytes) -> str:
    """The digest of a frame."""
    return hashlib.sha256(raw).hexdigest()
