"""The ingest log: frames of all streams in shared, preallocated files under one group flush."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import queue
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from server.blobs.base import BlobFailed, BlobMissing, trouble_of
from server.blobs.descriptor import Descriptor
from server.blobs.records import FILE_HEAD, LABEL_BYTES, RECORD_HEAD, Found, scan
from server.blobs.segment_file import Place, SegmentFile, create, flush, trouble_in

__all__ = ["LABEL_BYTES", "NO_LABEL", "Found", "Place", "Segments", "Usage"]

SEGMENT_BYTES = 256 * 1024 * 1024
_SUFFIX = ".seg"
NO_LABEL = bytes(LABEL_BYTES)
_Group = tuple[list[Place], list[asyncio.Future[None]]]


@dataclass(frozen=True)
class Usage:
    """How many segments there are, the bytes they take, and the bytes free on their disk."""

    segments: int
    bytes: int
    free: int


class Segments:
    """Segment files of one process in one folder; made by `Segments.open`.

    The index is not here: it is the caller's rows of (segment, offset, length, digest). What has
    neither a row nor a label does not exist. The way of a frame, all on the event loop::

        place = segments.append(body)            # or reserve(size) and place.write(piece)...
        await segments.sync(place, label)        # durable from here on, and found again
        ... write the row, soon ...

    After a crash `scan` finds by their labels the frames whose rows were not written. ``flushes``
    and ``flushed`` count the groups and the places that were made durable; ``found`` are the
    segments that were there before.
    """

    def __init__(self, folder: Path, sizes: dict[int, int], segment_bytes: int) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.flushes = 0
        self.flushed = 0
        self.found = tuple(sorted(sizes))
        self._sizes = sizes
        self._next = max(sizes, default=0) + 1
        self._lock = _lock(folder)
        self._file: SegmentFile | None = None
        self._end = 0
        self._limit = 0  # where `reserve` has to think: at half of a segment, and at its end
        self._ahead: Future[SegmentFile] | None = None
        self._preparing = ThreadPoolExecutor(1, "segment-ahead")
        self._writing: weakref.WeakValueDictionary[int, SegmentFile] = weakref.WeakValueDictionary()
        self._flusher = _Flusher(self)
        self._closed = False

    @classmethod
    def open(
        cls,
        folder: Path | str,
        used: Mapping[int, int] | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Segments:
        """The segments in a folder, of which ``used`` says the end of the last live frame in each.

        Writing goes on in a fresh segment. `BlobFailed` if a used segment is gone or too short, or
        if another process has the folder.
        """
        path = Path(folder).absolute()
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        segments = cls(path, _sizes(path), segment_bytes)
        try:
            segments._check(used or {})
        except BaseException:
            segments._unlock()
            raise
        segments._prepare()
        return segments

    def tidy(self, used: Mapping[int, int]) -> None:
        """Cut the segments that were found here behind their last live frame."""
        for number in self.found:
            end = used.get(number, 0)
            if self._sizes.get(number, 0) > end > 0:
                os.truncate(self._path(number), end)
                self._sizes[number] = end

    def reserve(self, size: int) -> Place:
        """A place for ``size`` bytes; `BlobFull` or `BlobFailed` if there is none, this time."""
        offset = self._end + RECORD_HEAD
        file = self._file
        if offset + size > self._limit or file is None or file.failed is not None:
            file = self._advance(size)
            offset = self._end + RECORD_HEAD
        self._end = offset + size
        return Place(file, offset, size)

    def append(self, body: bytes) -> Place:
        """Reserve a place and write its whole content."""
        place = self.reserve(len(body))
        place.write(body)
        return place

    def sync(self, place: Place, label: bytes = NO_LABEL) -> asyncio.Future[None]:
        """Await it: the place is durable then. Whatever comes while one flush runs shares the next.

        `BlobFull` or `BlobFailed`: it is not durable; write it again to a new place. `ValueError`
        if it was not written whole.
        """
        place.label(label)
        return self._flusher.submit(place)

    def scan(self, segment: int) -> list[Found]:
        """What the labels of a segment tell, from any thread; `BlobMissing`, `BlobFailed`."""
        try:
            return list(scan(self._path(segment)))
        except FileNotFoundError:
            raise BlobMissing(f"segment {segment}") from None
        except OSError as error:
            raise trouble_of(error, f"segment {segment}") from error

    def read(self, segment: int, offset: int, length: int) -> bytes:
        """These bytes, from any thread; `BlobMissing`, or `BlobFailed` if some are not there."""
        try:
            data = Descriptor(self._path(segment), os.O_RDONLY).read(length, offset)
        except FileNotFoundError:
            raise BlobMissing(f"segment {segment}") from None
        except OSError as error:
            raise trouble_of(error, f"segment {segment}") from error
        if len(data) != length:
            raise BlobFailed(
                f"segment {segment} ends {length - len(data)} bytes before {offset + length}",
                retry=False,
            )
        return data

    def release(self, segment: int) -> bool:
        """Delete a segment without live frames; False if it may still get some: ask again later."""
        if segment in self._writing:
            return False
        self._path(segment).unlink(missing_ok=True)
        self._sizes.pop(segment, None)
        return True

    def numbers(self) -> tuple[int, ...]:
        """The segments there are, the one prepared ahead included."""
        return tuple(self._sizes)

    def quiet(self) -> set[int]:
        """The segments that nobody writes to any more."""
        return {number for number in tuple(self._sizes) if number not in self._writing}

    def usage(self) -> Usage:
        """What the segments take on the disk, the one prepared ahead included."""
        room = os.statvfs(self.folder)
        return Usage(len(self._sizes), sum(self._sizes.values()), room.f_bavail * room.f_frsize)

    async def close(self) -> None:
        """Finish what is being flushed and give back the room not used; closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._limit = 0
        await self._flusher.close()
        await asyncio.to_thread(self._give_back)

    def _advance(self, size: int) -> SegmentFile:
        """Called at half of a segment, at its end, and after its failure."""
        if self._closed:
            raise RuntimeError("these segments were closed")
        if FILE_HEAD + RECORD_HEAD + size > self.segment_bytes:
            raise ValueError(f"{size} bytes do not fit into a segment of {self.segment_bytes}")
        file, needed = self._file, RECORD_HEAD + size
        if file is None or file.failed is not None or self._end + needed > self.segment_bytes:
            file = self._file = self._take()
            self._end = FILE_HEAD
        self._limit = self.segment_bytes // 2
        if self._end + needed > self._limit:
            self._limit = self.segment_bytes
            self._prepare()
        return file

    def _take(self) -> SegmentFile:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            with contextlib.suppress(OSError):  # there may be room by now
                return ahead.result()
        try:
            return self._create(self._number())
        except OSError as error:
            raise trouble_of(error, "a new segment") from error

    def _prepare(self) -> None:
        if self._ahead is None:
            self._ahead = self._preparing.submit(self._create, self._number())

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _create(self, number: int) -> SegmentFile:
        file = create(self._path(number), number, self.segment_bytes)
        self._writing[number] = file
        self._sizes[number] = self.segment_bytes
        return file

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}{_SUFFIX}"

    def _check(self, used: Mapping[int, int]) -> None:
        for number, end in used.items():
            if self._sizes.get(number, -1) < end:
                raise BlobFailed(
                    f"{self._path(number)} should hold {end} bytes, but is gone or shorter; put "
                    "it back, or take its frames out of the index",
                    retry=False,
                )

    def _give_back(self) -> None:
        self._preparing.shutdown()
        if self._ahead is not None and self._ahead.exception() is None:
            number = self._ahead.result().number
            self._ahead = None
            self._writing.pop(number, None)
            self.release(number)
        if self._file is not None:
            os.ftruncate(self._file.fd, self._end)
            self._sizes[self._file.number] = self._end
            self._file = None
        self._unlock()

    def _unlock(self) -> None:
        fcntl.flock(self._lock.fd, fcntl.LOCK_UN)  # at once, whoever still holds this object


class _Flusher:
    """One helper thread that flushes whatever came while it was flushing."""

    def __init__(self, counts: Segments) -> None:
        self._counts = counts
        self._queue: queue.SimpleQueue[_Group | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._places: list[Place] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._busy = False
        self._idle: asyncio.Future[None] | None = None

    def submit(self, place: Place) -> asyncio.Future[None]:
        """Queue a place for the next group; see `Segments.sync`."""
        loop = self._loop
        if loop is None:
            loop = self._start()
        waiter = loop.create_future()
        self._places.append(place)
        self._waiters.append(waiter)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._kick)  # not at once: what this turn of the loop adds comes along
        return waiter

    async def close(self) -> None:
        """Wait until nothing is queued, then end the thread."""
        if self._loop is None or self._thread is None:
            return
        if self._busy:
            self._idle = self._loop.create_future()
            await self._idle
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(
            target=self._run, args=(loop,), name="segment-flush", daemon=True
        )
        self._thread.start()
        return loop

    def _kick(self) -> None:
        places, self._places = self._places, []
        waiters, self._waiters = self._waiters, []
        self._counts.flushes += 1
        self._counts.flushed += len(places)
        self._queue.put((places, waiters))

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while (group := self._queue.get()) is not None:
            flush(group[0])
            try:
                loop.call_soon_threadsafe(self._answer, *group)
            except RuntimeError:  # the loop was closed under us: nobody waits any more
                return

    def _answer(self, places: list[Place], waiters: list[asyncio.Future[None]]) -> None:
        if self._places:
            self._kick()
        else:
            self._busy = False
            if self._idle is not None:
                self._idle.set_result(None)
        for place, waiter in zip(places, waiters, strict=True):
            if waiter.done():
                continue
            if place.file.failed is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(trouble_in(place.file, place.file.failed))
        places.clear()  # the thread still holds the list, and a place keeps its segment


def _sizes(folder: Path) -> dict[int, int]:
    return {int(path.stem): path.stat().st_size for path in folder.glob(f"[0-9]*{_SUFFIX}")}


def _lock(folder: Path) -> Descriptor:
    lock = Descriptor(folder / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
            raise
        raise BlobFailed(
            f"{folder} is in use by another process; each server process needs a folder of its own",
            retry=False,
        ) from None
    return lock
