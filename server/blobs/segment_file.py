"""One preallocated segment file, the places in it, and their way to the disk."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from server.blobs.base import BlobFailed, BlobFull, BlobTrouble, trouble_of
from server.blobs.descriptor import Descriptor, sync_folder
from server.blobs.records import RECORD_HEAD, file_head, new_mark, record_head

GATHER = 32 * 1024
"""Bodies up to this size wait in memory and are written many at a time.

Measured per 1 kB body, fdatasync after 64 of them: 3.5 us with a write each, 1.4 us with one for
all; per 10 kB 8.4 and 4.3 us; at 100 kB they are equal, and beyond the page faults of what waits
cost more than the calls.
"""

_VECTOR_MOST = 1023  # IOV_MAX of Linux is one more, and two are added at a time
_NO_FALLOCATE = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


class SegmentFile(Descriptor):
    """A segment that is written to. Once a write or a flush failed it is never used again.

    After a failed flush the kernel may forget which pages were not written, and the next flush
    would succeed over lost bytes: so everything not yet flushed in this file fails with it.
    """

    __slots__ = ("failed", "flushing", "mark", "number")

    def __init__(self, path: Path, number: int, flags: int = os.O_RDWR) -> None:
        super().__init__(path, flags)
        self.number = number
        self.mark = new_mark()
        self.failed: OSError | None = None
        # Of two flushes at once only one may be told of a failure, so there is one at a time.
        self.flushing = threading.Lock()


class Place:
    """Room for one frame: bytes ``[offset, offset + size)`` of a segment, behind their head.

    Hold it until its row in the index is committed: a segment is not released while anyone holds a
    place in it. A place that is let go without a row is garbage and costs nothing but its room.
    """

    __slots__ = ("file", "head", "held", "offset", "segment", "size", "written")

    def __init__(self, file: SegmentFile, offset: int, size: int) -> None:
        self.file = file
        self.segment = file.number
        self.offset = offset
        self.size = size
        self.written = 0
        self.head = b""
        self.held: bytes | None = None

    def write(self, piece: bytes | memoryview) -> None:
        """Take the next bytes; `BlobFull` or `BlobFailed` if the disk does not."""
        done = self.written
        count = len(piece)
        if done + count > self.size:
            raise ValueError(f"{done + count} bytes do not fit into a place of {self.size}")
        if self.size <= GATHER:
            taken = piece if type(piece) is bytes else bytes(piece)
            self.held = taken if self.held is None else self.held + taken
        else:
            self._write_now(piece, self.offset + done)
        self.written = done + count

    def label(self, label: bytes) -> None:
        """Say in the head what this is; `ValueError` unless all of it was written."""
        if self.written != self.size:
            raise ValueError(f"only {self.written} of the place's {self.size} bytes were written")
        self.head = record_head(self.file.mark, self.size, label)
        if self.held is None:
            self._write_now(self.head, self.offset - RECORD_HEAD)

    def _write_now(self, piece: bytes | memoryview, at: int) -> None:
        file = self.file
        try:
            if os.pwrite(file.fd, piece, at) != len(piece):
                file.write(piece, at)
        except OSError as error:
            file.failed = error
            raise trouble_in(file, error) from error


def trouble_in(file: SegmentFile, error: OSError) -> BlobTrouble:
    """What a failed segment means for a frame: the next segment may well do."""
    found = trouble_of(error, f"segment {file.number}")
    return found if isinstance(found, BlobFull) else BlobFailed(str(found), retry=True)


def flush(places: Iterable[Place]) -> None:
    """Write what is held and flush every file touched; failures are kept in the files."""
    touched: dict[SegmentFile, None] = {}
    run: list[bytes] = []
    writing: SegmentFile | None = None
    start = end = 0
    for place in places:
        file = place.file
        touched[file] = None
        held = place.held
        if held is None:
            continue
        begin = place.offset - RECORD_HEAD
        if file is not writing or begin != end or len(run) >= _VECTOR_MOST:
            _write_run(writing, run, start, end)
            run, writing, start = [], file, begin
        run.append(place.head)
        run.append(held)
        end = place.offset + place.size
        place.held = None
    _write_run(writing, run, start, end)
    for file in touched:
        with file.flushing:
            if file.failed is None:
                try:
                    os.fdatasync(file.fd)
                except OSError as error:
                    file.failed = error


def _write_run(file: SegmentFile | None, run: list[bytes], start: int, end: int) -> None:
    if file is None or file.failed is not None:
        return
    try:
        done = os.pwritev(file.fd, run, start)
        if done != end - start:
            file.write(memoryview(b"".join(run))[done:], start + done)
    except OSError as error:
        file.failed = error


def create(path: Path, number: int, size: int) -> SegmentFile:
    """A new segment of which every byte has its place on the disk; nothing is left if it fails."""
    room = os.statvfs(path.parent)
    if room.f_bavail * room.f_frsize < size:
        raise OSError(errno.ENOSPC, "less than a whole segment is free")
    file = SegmentFile(path, number, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        try:
            os.posix_fallocate(file.fd, 0, size)
        except OSError as error:
            if error.errno not in _NO_FALLOCATE:
                raise
            os.ftruncate(file.fd, size)
        file.write(file_head(file.mark), 0)
        os.fsync(file.fd)
        sync_folder(path.parent)
    except OSError:
        path.unlink()
        raise
    return file
