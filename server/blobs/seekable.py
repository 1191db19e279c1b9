"""The output file: independent zstd frames with a seek table (Zstandard Seekable Format 0.1.0).

Any zstd reads the whole; who knows the table reads any range and decompresses only the frames that
it touches. The format: facebook/zstd, contrib/seekable_format/zstd_seekable_compression_format.md;
of the frames themselves: RFC 8878, section 3.1.

Compressed bytes are a function of the content and of the version of the zstd library.
"""

from __future__ import annotations

import os
import struct
from array import array
from bisect import bisect_right
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import zstandard

CONTENT = 1 << 20
"""Content of a frame in bytes: what a reader decompresses at most to get at a single event."""

LEVEL = 3
_TABLE_MAGIC = 0x184D2A5E
_SEEKABLE_MAGIC = 0x8F92EAB1
_FRAME_MAGIC = 0xFD2FB528
_FOOTER = struct.Struct("<IBI")
_HEAD = struct.Struct("<II")
_ENTRY = struct.Struct("<II")
_FRAMES_MOST = 0x8000000
_CHECKSUM_FLAG = 0x80
_RESERVED = 0x7C


class NotSeekable(ValueError):
    """This is no whole file in the Zstandard Seekable Format."""


class FrameBroken(ValueError):
    """A compressed frame is damaged."""


@dataclass(frozen=True)
class Part:
    """Whole compressed frames for a run of content; of each (compressed, decompressed) bytes."""

    data: bytes
    frames: tuple[tuple[int, int], ...]

    @property
    def content(self) -> int:
        """How many bytes this part decompresses to."""
        return sum(content for _, content in self.frames)


@dataclass(frozen=True)
class Span:
    """Where a part lies in the file, and where its content lies in the whole content."""

    offset: int
    size: int
    content_offset: int
    content_size: int


def compress_unit(content: bytes) -> Part:
    """Compress content into independent frames of 1 MiB each (the last one shorter).

    About 3 ms per MiB, without the GIL: call it in a thread. No content makes no frames.
    """
    compressor = zstandard.ZstdCompressor(
        level=LEVEL, write_checksum=True, write_content_size=True, write_dict_id=False, threads=0
    )
    view = memoryview(content)
    pieces = [view[at : at + CONTENT] for at in range(0, len(view), CONTENT)]
    frames = [compressor.compress(piece) for piece in pieces]
    sizes = tuple((len(f), len(piece)) for f, piece in zip(frames, pieces, strict=True))
    return Part(b"".join(frames), sizes)


def part_of(data: bytes) -> Part:
    """The part that was stored as these bytes; `FrameBroken` if they are not whole frames.

    It only walks from frame to frame: whether the content is intact shows when it is read.
    """
    frames = []
    at = 0
    while at < len(data):
        try:
            content = zstandard.frame_content_size(data[at : at + 18])
            end = _frame_end(data, at)
        except (zstandard.ZstdError, IndexError, struct.error) as error:
            raise FrameBroken(f"no whole frame at byte {at} of {len(data)}: {error}") from None
        if content < 0 or end > len(data):
            raise FrameBroken(f"the frame at byte {at} of {len(data)} is cut or has no size")
        frames.append((end - at, content))
        at = end
    return Part(data, tuple(frames))


def spans(parts: Iterable[tuple[int, int]]) -> Iterator[Span]:
    """Where parts of these (compressed, content) sizes come to lie, in order."""
    offset = content_offset = 0
    for size, content in parts:
        yield Span(offset, size, content_offset, content)
        offset += size
        content_offset += content


async def assemble(parts: AsyncIterable[Part]) -> AsyncIterator[bytes]:
    """The bytes of the output file: the parts as they come (header, units, footer) and the table.

    What it keeps in memory is eight bytes per frame.
    """
    sizes = array("I")
    async for part in parts:
        for compressed, content in part.frames:
            sizes.append(compressed)
            sizes.append(content)
        if part.data:
            yield part.data
    yield _table(sizes)


class Reader:
    """Reads any range of the content of a seekable file. Blocking; for one thread at a time."""

    def __init__(self, source: Path | str | BinaryIO) -> None:
        """Open and read the table; `NotSeekable` if it does not fit the file."""
        with ExitStack() as opened:
            self._file: BinaryIO = (
                opened.enter_context(open(source, "rb"))
                if isinstance(source, Path | str)
                else source
            )
            entries = _read_table(self._file)
            self._opened = opened.pop_all()
        self._starts = array("Q", accumulate((size for size, _ in entries), initial=0))
        self._contents = array("Q", accumulate((size for _, size in entries), initial=0))
        self._cached = (-1, b"")

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self._contents[-1]

    def read(self, offset: int, size: int) -> bytes:
        """The content from ``offset``, fewer bytes than ``size`` only at its end; `FrameBroken`."""
        if offset < 0 or size < 0:
            raise ValueError(f"offset {offset} and size {size} must not be negative")
        return b"".join(self._pieces(offset, min(offset + size, self.size)))

    def stream(self) -> Iterator[bytes]:
        """The whole content, frame by frame; `FrameBroken`."""
        return self._pieces(0, self.size)

    def close(self) -> None:
        """Close the file, if it was opened here."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _pieces(self, offset: int, end: int) -> Iterator[bytes]:
        number = bisect_right(self._contents, offset) - 1
        while offset < end:
            start = self._contents[number]
            piece = self._frame(number)[offset - start : end - start]
            if piece:
                yield piece
            offset += len(piece)
            number += 1

    def _frame(self, number: int) -> bytes:
        if self._cached[0] == number:
            return self._cached[1]
        start, end = self._starts[number], self._starts[number + 1]
        size = self._contents[number + 1] - self._contents[number]
        if size == 0:
            return b""
        self._file.seek(start)
        content = _decompress(self._file.read(end - start), size, f"frame {number} at byte {start}")
        self._cached = (number, content)
        return content


def _decompress(frame: bytes, size: int, name: str) -> bytes:
    try:
        says = zstandard.frame_content_size(frame)
        if says not in (size, -1):
            raise FrameBroken(f"{name} says it holds {says} bytes, the seek table says {size}")
        decompressor = zstandard.ZstdDecompressor()
        content = decompressor.decompress(frame, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FrameBroken(f"{name} is damaged: {error}") from None
    if len(content) != size:
        raise FrameBroken(f"{name} holds {len(content)} bytes, the seek table says {size}")
    return content


def _table(sizes: array[int]) -> bytes:
    count = len(sizes) // 2
    if count > _FRAMES_MOST:
        raise ValueError(f"{count} frames are more than the format's {_FRAMES_MOST}")
    entries = b"".join(map(_ENTRY.pack, sizes[::2], sizes[1::2]))
    head = _HEAD.pack(_TABLE_MAGIC, len(entries) + _FOOTER.size)
    return head + entries + _FOOTER.pack(count, 0, _SEEKABLE_MAGIC)


def _read_table(file: BinaryIO) -> list[tuple[int, int]]:
    total = file.seek(0, os.SEEK_END)
    if total < _HEAD.size + _FOOTER.size:
        raise NotSeekable(f"a seekable file has at least 17 bytes, this one {total}")
    file.seek(total - _FOOTER.size)
    count, flags, magic = _FOOTER.unpack(file.read(_FOOTER.size))
    if magic != _SEEKABLE_MAGIC:
        raise NotSeekable("the file does not end with a seek table: it is cut, or another format")
    if flags & _RESERVED:
        raise NotSeekable(f"the seek table needs a newer reader (flags {flags:#04x})")
    entry = struct.Struct("<II4x") if flags & _CHECKSUM_FLAG else _ENTRY
    table = count * entry.size + _FOOTER.size
    if count > _FRAMES_MOST or table + _HEAD.size > total:
        raise NotSeekable(f"a seek table of {count} frames does not fit into {total} bytes")
    file.seek(total - table - _HEAD.size)
    raw = file.read(table + _HEAD.size)
    if _HEAD.unpack_from(raw) != (_TABLE_MAGIC, table):
        raise NotSeekable("the seek table does not start where its end says")
    entries = list(entry.iter_unpack(raw[_HEAD.size : -_FOOTER.size]))
    frames = sum(size for size, _ in entries)
    if frames + len(raw) != total:
        raise NotSeekable(
            f"the seek table tells of {frames} bytes of frames, the file has {total - len(raw)}"
        )
    return entries


def _frame_end(data: bytes, at: int) -> int:
    """Where the frame at ``at`` ends: header, then blocks up to the last, then the checksum."""
    (magic,) = struct.unpack_from("<I", data, at)
    if magic != _FRAME_MAGIC:
        raise FrameBroken(f"no zstd frame starts at byte {at} of {len(data)}")
    flags = data[at + 4]
    single = flags >> 5 & 1
    size_bytes = (single, 2, 4, 8)[flags >> 6]
    at += 5 + (1 - single) + (0, 1, 2, 4)[flags & 3] + size_bytes
    last = False
    while not last:
        block = int.from_bytes(data[at : at + 3], "little") if at + 3 <= len(data) else -1
        if block < 0:
            raise IndexError("it ends inside a block")
        last = bool(block & 1)
        at += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)  # a run-length block holds one byte
    return at + (4 if flags & 4 else 0)
