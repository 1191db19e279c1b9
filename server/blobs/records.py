"""How a frame lies in a segment: behind a head that tells what it is, so that it can be found.

The index is the caller's; what he had not yet written into it when the power went is read from the
heads. A segment begins with a mark of its own that nobody outside of the server ever sees, and so
does every head: no frame can contain what looks like one.
"""

from __future__ import annotations

import mmap
import os
import secrets
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LABEL_BYTES = 96
"""What a caller may say of a frame in its head."""

_FILE = struct.Struct(">8s16s8x")
_MAGIC = b"WFSEG1\0\0"
_RECORD = struct.Struct(f">16sII{LABEL_BYTES}s")  # mark, length, checksum, label

FILE_HEAD = _FILE.size
RECORD_HEAD = _RECORD.size


class Found(NamedTuple):
    """A head in a segment: its label, and where the bytes lie that it tells of."""

    label: bytes
    offset: int
    size: int


def new_mark() -> bytes:
    """A mark that nobody can guess."""
    return secrets.token_bytes(16)


def file_head(mark: bytes) -> bytes:
    """What a segment with this mark begins with."""
    return _FILE.pack(_MAGIC, mark)


def record_head(mark: bytes, size: int, label: bytes) -> bytes:
    """The head of ``size`` bytes; ValueError if the label has not `LABEL_BYTES`."""
    if len(label) != LABEL_BYTES:
        raise ValueError(f"a label has {LABEL_BYTES} bytes, this has {len(label)}")
    return _RECORD.pack(mark, size, zlib.crc32(label, size), label)


def scan(path: Path) -> Iterator[Found]:
    """Every head of a segment in order; what was reserved and never finished is passed over.

    Whether the bytes behind a head are what it tells is for the caller to find out. A file that
    does not begin as a segment has none. Raises OSError.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < FILE_HEAD:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
            magic, mark = _FILE.unpack_from(raw)
            if magic == _MAGIC:
                yield from _records(raw, mark, size)


def _records(raw: mmap.mmap, mark: bytes, end: int) -> Iterator[Found]:
    at = raw.find(mark, FILE_HEAD)
    while 0 <= at <= end - RECORD_HEAD:
        _, size, checksum, label = _RECORD.unpack_from(raw, at)
        body = at + RECORD_HEAD
        if zlib.crc32(label, size) == checksum and body + size <= end:
            yield Found(label, body, size)
            at = body + size
        else:
            at += 1
        at = raw.find(mark, at)
