"""On a full disk nothing is half-done, it is told as such, and it goes on when room returns."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.blobs.base import BlobFull, BlobMissing
from server.blobs.local import LocalBlobs
from server.blobs.segment_file import Place
from server.blobs.segments import Segments

DISK = 8 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a tmpfs of 8 MiB")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "windfall-test", str(folder)]
    if subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("needs a machine on which root may mount a tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def fill(segments: Segments, kept: list[Place], size: int) -> None:
    """Append bodies of this size until that fails."""
    while True:
        place = segments.append(os.urandom(size))
        await segments.sync(place)
        kept.append(place)


async def test_segments_say_when_the_disk_is_full_and_go_on_when_room_returns(disk: Path) -> None:
    segments = Segments.open(disk / "log", segment_bytes=1 << 20)
    kept: list[Place] = []
    with pytest.raises(BlobFull):
        await fill(segments, kept, 200_000)
    assert len(kept) >= 30
    for _ in range(3):
        with pytest.raises(BlobFull):
            segments.reserve(200_000)
    rows = [(place.segment, place.offset, place.size) for place in kept]
    starts = [segments.read(number, offset, 9) for number, offset, _ in rows]
    kept.clear()
    assert len(_files(disk)) == 1 + segments.usage().segments, "no half-made segment is left"
    first = rows[0][0]
    assert segments.release(first)
    again = segments.append(b"room again".ljust(200_000))
    await segments.sync(again)
    assert segments.read(again.segment, again.offset, 10) == b"room again"
    for (number, offset, _), start in zip(rows, starts, strict=True):
        if number != first:
            assert segments.read(number, offset, 9) == start
    await segments.close()


async def test_a_disk_that_fills_under_sparse_segments_is_told_too(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", lambda fd, at, size: os.ftruncate(fd, size))
    segments = Segments.open(disk / "log", segment_bytes=4 << 20)
    place = segments.append(bytes(200_000))
    await segments.sync(place)
    (disk / "other").write_bytes(bytes(DISK - (1 << 20)))
    with pytest.raises(BlobFull):
        await fill(segments, [], 100_000)
    with pytest.raises(BlobFull):
        segments.append(b"still full")
    (disk / "other").unlink()
    later = segments.append(b"room again")
    await segments.sync(later)
    assert segments.read(later.segment, later.offset, 10) == b"room again"
    assert segments.read(place.segment, place.offset, 200_000) == bytes(200_000)
    await segments.close()


async def test_a_blob_that_does_not_fit_is_absent_and_fits_later(disk: Path) -> None:
    blobs = LocalBlobs(disk / "blobs")
    await blobs.put("old", b"o" * (5 << 20))
    for body in (b"n" * (4 << 20), _pieces(b"n" * 500_000, 8)):
        with pytest.raises(BlobFull, match="new"):
            await blobs.put("new", body)
        assert _files(disk) == ["old"]
    with pytest.raises(BlobMissing):
        await blobs.get("new")
    await blobs.delete("old")
    await blobs.put("new", b"n" * (4 << 20))
    assert await blobs.get("new") == b"n" * (4 << 20)


async def _pieces(piece: bytes, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield piece
