"""The output file is read by any zstd, and by range; damage is told, not passed on."""

from __future__ import annotations

import io
import os
import random
import shutil
import struct
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import zstandard

from server.blobs.seekable import (
    CONTENT,
    FrameBroken,
    NotSeekable,
    Part,
    Reader,
    assemble,
    compress_unit,
    part_of,
    spans,
)


def text(seed: int, size: int) -> bytes:
    """Bytes that compress about as well as events do."""
    source = random.Random(seed)
    words = [source.randbytes(12).hex().encode() for _ in range(500)]
    return b" ".join(source.choices(words, k=size // 25 + 1))[:size]


async def _each(parts: Sequence[Part]) -> AsyncIterator[Part]:
    for part in parts:
        yield part


async def file_of(*contents: bytes) -> bytes:
    """The output file of these units."""
    parts = [compress_unit(content) for content in contents]
    return b"".join([piece async for piece in assemble(_each(parts))])


def content_or_error(raw: bytes) -> bytes | None:
    """The content of a file; None if it is told to be damaged."""
    try:
        return b"".join(Reader(io.BytesIO(raw)).stream())
    except (FrameBroken, NotSeekable):
        return None


UNITS = (b"header\n", text(1, 2_500_000), b"", text(2, CONTENT), os.urandom(300_000), b"footer\n")
WHOLE = b"".join(UNITS)


@pytest.fixture
async def raw() -> bytes:
    return await file_of(*UNITS)


async def test_the_same_content_gives_the_same_bytes(raw: bytes) -> None:
    assert raw == await file_of(*UNITS)
    assert len(raw) < len(WHOLE)


async def test_any_range_equals_the_content(raw: bytes) -> None:
    reader = Reader(io.BytesIO(raw))
    assert reader.size == len(WHOLE)
    source = random.Random(3)
    ranges = [(source.randrange(len(WHOLE)), source.choice([1, 99, 70_000, 3_000_000]))]
    ranges += [(source.randrange(len(WHOLE)), source.choice([1, 500])) for _ in range(60)]
    ranges += [(0, 0), (0, 7), (7, 1), (len(WHOLE), 5), (len(WHOLE) + 9, 5), (0, 10 * len(WHOLE))]
    for offset, size in ranges:
        assert reader.read(offset, size) == WHOLE[offset : offset + size], (offset, size)
    with pytest.raises(ValueError, match="negative"):
        reader.read(-1, 5)


async def test_streaming_gives_the_content_frame_by_frame(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "events.zst"
    path.write_bytes(raw)
    with Reader(path) as reader:
        pieces = list(reader.stream())
    assert b"".join(pieces) == WHOLE
    assert max(map(len, pieces)) == CONTENT


@pytest.mark.skipif(shutil.which("zstd") is None, reason="needs Debian's zstd")
async def test_the_zstd_program_reads_it(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "events.zst"
    path.write_bytes(raw)
    run = subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True)  # noqa: ASYNC221
    assert run.stdout == WHOLE


async def test_another_implementation_of_the_format_reads_it(raw: bytes, tmp_path: Path) -> None:
    pyzstd = pytest.importorskip("pyzstd", reason="needs: pip install pyzstd")
    path = tmp_path / "events.zst"
    path.write_bytes(raw)
    with pyzstd.SeekableZstdFile(path) as other:
        other.seek(1_500_000)
        assert other.read(2_000_000) == WHOLE[1_500_000:3_500_000]


async def test_what_another_implementation_wrote_can_be_read(tmp_path: Path) -> None:
    pyzstd = pytest.importorskip("pyzstd", reason="needs: pip install pyzstd")
    path = tmp_path / "other.zst"
    with pyzstd.SeekableZstdFile(path, "w", max_frame_content_size=100_000) as other:
        other.write(WHOLE)
    with Reader(path) as reader:
        assert reader.read(99_990, 200_020) == WHOLE[99_990:300_010]
        assert b"".join(reader.stream()) == WHOLE


async def test_a_table_with_checksums_and_skippable_frames_can_be_read() -> None:
    frame = zstandard.ZstdCompressor().compress(b"content")
    skipped = struct.pack("<II", 0x184D2A50, 3) + b"abc"
    entries = struct.pack("<III", len(skipped), 0, 0) + struct.pack("<III", len(frame), 7, 0)
    table = struct.pack("<II", 0x184D2A5E, len(entries) + 9) + entries
    table += struct.pack("<IBI", 2, 0x80, 0x8F92EAB1)
    assert Reader(io.BytesIO(skipped + frame + table)).read(1, 3) == b"ont"


async def test_nothing_makes_a_valid_empty_file() -> None:
    raw = await file_of()
    reader = Reader(io.BytesIO(raw))
    assert (reader.size, reader.read(0, 10), list(reader.stream())) == (0, b"", [])
    assert len(raw) == 17
    assert compress_unit(b"") == Part(b"", ())


async def test_a_stored_part_finds_its_frames_again() -> None:
    for content in (*UNITS, b"a" * 5_000_000, b"\0", text(9, 200), text(9, 300), text(9, 70_000)):
        part = compress_unit(content)
        assert part_of(part.data) == part
        assert part.content == len(content)


async def test_frames_of_every_header_form_are_walked() -> None:
    content = text(4, 700_000)
    plain = zstandard.ZstdCompressor(level=1, write_checksum=False).compress(content)
    assert part_of(plain).frames == ((len(plain), len(content)),)
    windowed = zstandard.ZstdCompressionParameters.from_level(3, window_log=12, write_dict_id=False)
    other = zstandard.ZstdCompressor(compression_params=windowed).compress(content)
    assert part_of(other).frames == ((len(other), len(content)),)


async def test_a_part_that_is_cut_or_no_zstd_is_refused() -> None:
    data = compress_unit(text(5, 1_300_000)).data
    for cut in (1, 3, 4, 7, 1000, len(data) - 1, len(data) - 5):
        with pytest.raises(FrameBroken, match="at byte"):
            part_of(data[:cut])
    with pytest.raises(FrameBroken, match="at byte"):
        part_of(b"no zstd frame at all")
    with pytest.raises(FrameBroken, match="at byte"):
        part_of(data + b"\0\0\0\0\0\0\0\0")


async def test_spans_say_where_each_part_lies(raw: bytes) -> None:
    parts = [compress_unit(content) for content in UNITS]
    reader = Reader(io.BytesIO(raw))
    sizes = [(len(part.data), part.content) for part in parts]
    for content, part, span in zip(UNITS, parts, spans(sizes), strict=True):
        assert raw[span.offset : span.offset + span.size] == part.data
        assert reader.read(span.content_offset, span.content_size) == content


async def test_a_truncated_file_is_refused(raw: bytes) -> None:
    for size in (0, 16, 17, len(raw) // 2, len(raw) - 1):
        with pytest.raises(NotSeekable):
            Reader(io.BytesIO(raw[:size]))


async def test_a_file_with_bytes_missing_or_added_in_the_middle_is_refused(raw: bytes) -> None:
    for damaged in (raw[1:], raw[:500] + raw[600:], raw[:500] + b"x" + raw[500:], raw[:-20] + raw):
        with pytest.raises(NotSeekable, match="seek table"):
            Reader(io.BytesIO(damaged))


async def test_a_flipped_bit_anywhere_is_told(raw: bytes) -> None:
    source = random.Random(11)
    for at in [0, 4, 5, *(source.randrange(len(raw)) for _ in range(80)), len(raw) - 6]:
        damaged = bytearray(raw)
        damaged[at] ^= 1 << source.randrange(2, 7)
        assert content_or_error(bytes(damaged)) in (WHOLE, None), f"bit flipped in byte {at}"


async def test_a_damaged_frame_leaves_the_others_readable(raw: bytes) -> None:
    first = len(compress_unit(UNITS[0]).data)
    damaged = bytearray(raw)
    damaged[first + compress_unit(UNITS[1]).frames[0][0] // 2] ^= 16
    reader = Reader(io.BytesIO(bytes(damaged)))
    assert reader.read(0, 7) == b"header\n"
    assert reader.read(len(WHOLE) - 7, 7) == b"footer\n"
    with pytest.raises(FrameBroken, match=f"frame 1 at byte {first} is damaged"):
        reader.read(7, 1)


async def test_a_frame_that_differs_from_the_table_is_told(raw: bytes) -> None:
    table = raw.rindex(struct.pack("<I", 0x184D2A5E))
    changed = bytearray(raw)
    changed[table + 8 + 4] -= 1
    with pytest.raises(FrameBroken, match="says it holds 7 bytes, the seek table says 6"):
        Reader(io.BytesIO(bytes(changed))).read(0, 1)


async def test_a_table_from_the_future_is_refused(raw: bytes) -> None:
    changed = bytearray(raw)
    changed[-5] |= 0x04
    with pytest.raises(NotSeekable, match="newer reader"):
        Reader(io.BytesIO(bytes(changed)))
