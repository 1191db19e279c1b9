"""The ingest log keeps what it acknowledged, in shared flushes, and says so when it cannot."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.blobs.base import BlobFailed, BlobFull, BlobMissing
from server.blobs.records import FILE_HEAD, RECORD_HEAD
from server.blobs.segment_file import GATHER, Place
from server.blobs.segments import Segments

SEGMENT = 256 * 1024
LARGEST = SEGMENT - FILE_HEAD - RECORD_HEAD  # that a segment takes


@pytest.fixture
async def segments(tmp_path: Path) -> AsyncIterator[Segments]:
    made = Segments.open(tmp_path / "log", segment_bytes=SEGMENT)
    yield made
    await made.close()


async def keep(segments: Segments, body: bytes) -> Place:
    """Append and flush one body."""
    place = segments.append(body)
    await segments.sync(place)
    return place


def content(segments: Segments, place: Place) -> bytes:
    """What stands on the disk at a place."""
    return segments.read(place.segment, place.offset, place.size)


def sizes_in(folder: Path) -> dict[str, int]:
    """The segment files of a folder and their sizes."""
    return {path.name: path.stat().st_size for path in folder.glob("*.seg")}


@pytest.mark.parametrize("size", [0, 1, 1000, GATHER, GATHER + 1, LARGEST])
async def test_a_body_of_any_size_is_read_back(segments: Segments, size: int) -> None:
    body = os.urandom(size)
    place = await keep(segments, body)
    assert place.size == size
    assert content(segments, place) == body


@pytest.mark.parametrize("size", [5_000, 100_000])
async def test_pieces_of_two_streams_do_not_mix(segments: Segments, size: int) -> None:
    bodies = [os.urandom(size), os.urandom(size)]
    places = [segments.reserve(size), segments.reserve(size)]
    for at in range(0, size, 777):
        for place, body in zip(places, bodies, strict=True):
            place.write(memoryview(body)[at : at + 777])
    await asyncio.gather(*(segments.sync(place) for place in places))
    assert [content(segments, place) for place in places] == bodies


async def test_a_piece_may_be_changed_after_it_was_written(segments: Segments) -> None:
    buffer = bytearray(b"first")
    place = segments.reserve(5)
    place.write(memoryview(buffer))
    buffer[:] = b"other"
    await segments.sync(place)
    assert content(segments, place) == b"first"


async def test_places_never_overlap(segments: Segments) -> None:
    places = [segments.reserve(1 + k * 997 % 60_000) for k in range(200)]
    taken: dict[int, int] = {}
    for place in places:
        assert place.offset >= taken.get(place.segment, 0)
        taken[place.segment] = place.offset + place.size
    assert len(taken) > 5
    assert max(taken.values()) <= SEGMENT


async def test_short_writes_of_the_kernel_tear_nothing(
    segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite, pwritev = os.pwrite, os.pwritev
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:1001], at))
    monkeypatch.setattr(os, "pwritev", lambda fd, run, at: pwritev(fd, run[:1], at))
    bodies = [os.urandom(size) for size in (100_000, 10, 20, 3000)]
    places = [segments.append(body) for body in bodies]
    await asyncio.gather(*(segments.sync(place) for place in places))
    assert [content(segments, place) for place in places] == bodies


async def test_more_bodies_than_one_call_takes_are_all_written(segments: Segments) -> None:
    places = [segments.append(b"%05d" % k) for k in range(3000)]
    await asyncio.gather(*(segments.sync(place) for place in places))
    assert segments.flushes == 1
    assert [content(segments, place) for place in places] == [b"%05d" % k for k in range(3000)]


async def test_too_many_or_too_few_bytes_are_refused(segments: Segments) -> None:
    place = segments.reserve(10)
    with pytest.raises(ValueError, match="11 bytes do not fit into a place of 10"):
        place.write(b"12345678901")
    place.write(b"12345")
    with pytest.raises(ValueError, match="only 5 of the place's 10"):
        await segments.sync(place)
    with pytest.raises(ValueError, match="do not fit into a segment"):
        segments.reserve(LARGEST + 1)


async def test_what_comes_while_one_flush_runs_shares_the_next(
    segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    fdatasync, started, go_on = os.fdatasync, threading.Event(), threading.Event()

    def slow(fd: int) -> None:
        started.set()
        assert go_on.wait(60)
        fdatasync(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    first = segments.sync(segments.append(b"first"))
    assert await asyncio.to_thread(started.wait, 30)
    rest = [segments.sync(segments.append(b"%d" % k)) for k in range(50)]
    assert not first.done()
    go_on.set()
    await asyncio.gather(first, *rest)
    assert (segments.flushes, segments.flushed) == (2, 51)


async def test_what_is_acknowledged_had_been_flushed(
    segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable: dict[int, bytes] = {}
    fdatasync = os.fdatasync

    def snapshot(fd: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        durable[int(path.stem)] = path.read_bytes()
        fdatasync(fd)

    monkeypatch.setattr(os, "fdatasync", snapshot)

    async def stream(size: int) -> None:
        for _ in range(5):
            body = os.urandom(size)
            place = await keep(segments, body)
            kept = durable[place.segment][place.offset : place.offset + size]
            assert kept == body

    await asyncio.gather(*(stream(size) for size in (10, 1000, 20_000, 50_000, 100_000)))


async def test_a_waiter_that_went_away_disturbs_no_other(segments: Segments) -> None:
    gone = segments.sync(segments.append(b"gone"))
    stays = segments.sync(segments.append(b"stays"))
    gone.cancel()
    await stays
    assert (await keep(segments, b"next")).size == 4


@pytest.mark.parametrize(
    ("number", "error", "retry"), [(errno.ENOSPC, BlobFull, None), (errno.EIO, BlobFailed, True)]
)
async def test_a_failed_flush_fails_all_of_its_segment_and_writing_goes_on_in_the_next(
    segments: Segments,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[Exception],
    retry: bool | None,
) -> None:
    good = await keep(segments, b"durable before")
    early = segments.append(b"written, not yet flushed")

    def failing(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", failing)
        with pytest.raises(error) as caught:
            await keep(segments, b"lost")
    assert getattr(caught.value, "retry", None) is retry
    with pytest.raises(error):
        await segments.sync(early)
    after = segments.append(b"on a good segment")
    await segments.sync(after)
    assert after.segment > good.segment
    assert content(segments, after) == b"on a good segment"
    assert content(segments, good) == b"durable before"


@pytest.mark.parametrize("size", [100, 100_000])
async def test_a_failed_write_is_told_and_writing_goes_on_in_the_next_segment(
    segments: Segments, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def failing(fd: int, data: object, at: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", failing)
        patched.setattr(os, "pwritev", failing)
        with pytest.raises(BlobFull):
            await keep(segments, bytes(size))
    place = await keep(segments, b"x" * size)
    assert content(segments, place) == b"x" * size


async def test_a_restart_goes_on_in_a_fresh_segment_and_cuts_what_no_row_names(
    tmp_path: Path,
) -> None:
    first = Segments.open(tmp_path, segment_bytes=SEGMENT)
    place = await keep(first, b"indexed")
    await keep(first, b"flushed but never indexed")
    await first.close()
    used = {place.segment: place.offset + place.size}
    whole = sizes_in(tmp_path)

    again = Segments.open(tmp_path, used, SEGMENT)
    assert again.append(b"").segment > place.segment
    assert sizes_in(tmp_path).items() >= whole.items(), "nothing is cut before it was looked at"
    again.tidy(used)
    assert content(again, place) == b"indexed"
    assert sizes_in(tmp_path)[f"{place.segment:08d}.seg"] == used[place.segment]
    await again.close()


async def test_labels_tell_what_lies_where_and_pass_over_what_was_never_finished(
    tmp_path: Path,
) -> None:
    first = Segments.open(tmp_path, segment_bytes=SEGMENT)
    labels = [b"%096d" % number for number in range(6)]
    bodies = [os.urandom(size) for size in (0, 1, 1000, GATHER + 1, 5000, 70_000)]
    kept, number = [], 0
    for label, body in zip(labels, bodies, strict=True):
        hole = first.reserve(2000)
        hole.write(b"begun and never")
        place = first.append(body)
        await first.sync(place, label)
        kept.append((label, place.offset, place.size))
        number = place.segment
    assert first.scan(number) == kept
    await first.close()
    again = Segments.open(tmp_path, segment_bytes=SEGMENT)
    assert again.found == (number,)
    assert again.scan(number) == kept
    (tmp_path / f"{number:08d}.seg").write_bytes(b"no segment at all".ljust(500))
    assert again.scan(number) == []
    with pytest.raises(BlobMissing):
        again.scan(number + 50)
    await again.close()


async def test_a_body_cannot_pretend_to_be_a_record(tmp_path: Path) -> None:
    segments = Segments.open(tmp_path, segment_bytes=SEGMENT)
    real = await keep(segments, b"real")
    stolen = segments.read(real.segment, real.offset - RECORD_HEAD, RECORD_HEAD + 4)
    other = Segments.open(tmp_path / "other", segment_bytes=SEGMENT)
    hole = other.reserve(len(stolen))
    hole.write(stolen)
    place = await keep(other, stolen)
    assert [found.offset for found in other.scan(place.segment)] == [place.offset]
    await segments.close()
    await other.close()


async def test_a_label_has_its_size(segments: Segments) -> None:
    with pytest.raises(ValueError, match="a label has 96 bytes, this has 5"):
        await segments.sync(segments.append(b"x"), b"short")


async def test_a_used_segment_that_is_gone_or_short_stops_the_start(tmp_path: Path) -> None:
    first = Segments.open(tmp_path, segment_bytes=SEGMENT)
    place = await keep(first, bytes(100))
    await first.close()
    for used in ({place.segment: place.offset + place.size + 1}, {77: 1}):
        with pytest.raises(BlobFailed, match="gone or shorter; put it back"):
            Segments.open(tmp_path, used, SEGMENT)


async def test_two_processes_cannot_share_a_folder(segments: Segments) -> None:
    with pytest.raises(BlobFailed, match="folder of its own"):
        Segments.open(segments.folder)
    await segments.close()
    await Segments.open(segments.folder, segment_bytes=SEGMENT).close()


async def test_a_segment_is_released_only_when_nobody_holds_a_place_in_it(
    segments: Segments,
) -> None:
    place = await keep(segments, bytes(LARGEST))
    old = place.segment
    current = segments.append(bytes(LARGEST))
    assert not segments.release(old), "its row may not be committed yet"
    assert not segments.release(current.segment), "it is being written"
    del place
    assert segments.release(old)
    assert segments.release(old)
    assert not (segments.folder / f"{old:08d}.seg").exists()
    with pytest.raises(BlobMissing):
        segments.read(old, 0, 1)
    await segments.sync(current)
    assert content(segments, current) == bytes(LARGEST)


async def test_reading_past_the_end_is_an_error(segments: Segments) -> None:
    place = await keep(segments, b"abc")
    with pytest.raises(BlobFailed, match="ends 3 bytes before"):
        segments.read(place.segment, SEGMENT - 1, 4)


async def test_closing_flushes_what_waits_and_gives_back_the_room(tmp_path: Path) -> None:
    segments = Segments.open(tmp_path, segment_bytes=SEGMENT)
    waiter = segments.sync(segments.append(b"last words"))
    await segments.close()
    await segments.close()
    assert waiter.done()
    whole = FILE_HEAD + RECORD_HEAD + 10
    assert list(sizes_in(tmp_path).values()) == [whole]
    assert (segments.usage().segments, segments.usage().bytes) == (1, whole)
    with pytest.raises(RuntimeError, match="closed"):
        segments.reserve(1)


async def test_without_fallocate_segments_work_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", missing)
    segments = Segments.open(tmp_path, segment_bytes=SEGMENT)
    place = await keep(segments, b"sparse")
    assert content(segments, place) == b"sparse"
    await segments.close()


async def test_a_segment_that_finds_no_room_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        segments = Segments.open(tmp_path, segment_bytes=SEGMENT)
        with pytest.raises(BlobFull, match="no room for a new segment"):
            segments.reserve(1)
        assert sizes_in(tmp_path) == {}
    assert (await keep(segments, b"room again")).size == 10
    await segments.close()
