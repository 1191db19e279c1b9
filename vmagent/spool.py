"""The finished frames of one task on disk until the server holds them.

A file of records: ``WSP1``, u32 length, SHA-256 of the frame, the frame. Frames are appended; a
tail torn by a crash fails its length or digest and is dropped when the file is opened again. What
the server has acknowledged is forgotten at once and leaves the disk when the file is emptied or
rewritten.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from vmagent import files
from vmagent.intervals import Intervals
from vmagent.wire import frames

HEAD = struct.Struct(">4sI32s")
MAGIC = b"WSP1"
# Below this, rewriting a file costs more than the room it gives back is worth.
REWRITE_LEAST = 32 * 1024 * 1024


@dataclass(frozen=True)
class Held:
    """One frame in the file: its events and where it lies."""

    first: int
    last: int
    at: int
    length: int


class Spool:
    """The frames of one task that the server does not hold yet; safe between threads."""

    def __init__(self, path: Path) -> None:
        """Open the file (made if missing) and drop a torn tail."""
        self.path = path
        self._lock = threading.Lock()
        fresh = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._held: dict[tuple[int, int], Held] = {}
        self._end = 0
        self.torn = self._read_all()
        if fresh:
            files.sync_folder(path.parent)

    def _read_all(self) -> int:
        size = os.fstat(self._file).st_size
        while self._end + HEAD.size <= size:
            found = self._record_at(self._end, size)
            if found is None:
                break
            self._held[found.first, found.last] = found
            self._end = found.at + found.length
        if self._end < size:
            os.ftruncate(self._file, self._end)
        return size - self._end

    def _record_at(self, at: int, size: int) -> Optional[Held]:
        magic, length, digest = HEAD.unpack(os.pread(self._file, HEAD.size, at))
        start = at + HEAD.size
        if magic != MAGIC or start + length > size or length < frames.HEAD.size:
            return None
        raw = os.pread(self._file, length, start)
        if hashlib.sha256(raw).digest() != digest:
            return None
        _, first, events, _ = frames.HEAD.unpack_from(raw)
        return Held(first, first + events, start, length)

    def append(self, first: int, last: int, raw: bytes) -> Held:
        """Keep a frame; once this returns it survives a crash. OSError: the disk is full."""
        record = HEAD.pack(MAGIC, len(raw), hashlib.sha256(raw).digest()) + raw
        with self._lock:
            at = self._end
            try:
                _write_at(self._file, record, at)
                os.fdatasync(self._file)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, at)
                raise
            held = Held(first, last, at + HEAD.size, len(raw))
            self._held[first, last] = held
            self._end = at + len(record)
            return held

    def next(self) -> Optional[Held]:
        """The oldest frame not yet acknowledged."""
        with self._lock:
            return next(iter(self._held.values()), None)

    def read(self, held: Held) -> bytes:
        """The bytes of a frame."""
        with self._lock:
            now = self._held.get((held.first, held.last), held)  # a rewrite may have moved it
            return os.pread(self._file, now.length, now.at)

    def acknowledge(self, held: Held) -> None:
        """The server holds this frame: let it go."""
        with self._lock:
            if self._file >= 0:
                self._held.pop((held.first, held.last), None)
                self._shrink()

    def drop_held(self, server_holds: Intervals) -> int:
        """Let go of every frame that the server holds whole; how many."""
        with self._lock:
            before = len(self._held)
            left = [h for h in self._held.values() if not server_holds.covers(h.first, h.last)]
            self._held = {(h.first, h.last): h for h in left}
            if self._file >= 0:  # its task may have been dropped meanwhile
                self._shrink()
            return before - len(self._held)

    def _shrink(self) -> None:
        if not self._held:
            os.ftruncate(self._file, 0)
            self._end = 0
            return
        live = sum(HEAD.size + h.length for h in self._held.values())
        if self._end - live < REWRITE_LEAST or self._end < 2 * live:
            return
        self._rewrite()

    def _rewrite(self) -> None:
        path = self.path.with_suffix(".new")
        fresh = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        moved: dict[tuple[int, int], Held] = {}
        at = 0
        try:
            for span, held in self._held.items():
                raw = os.pread(self._file, HEAD.size + held.length, held.at - HEAD.size)
                _write_at(fresh, raw, at)
                moved[span] = Held(held.first, held.last, at + HEAD.size, held.length)
                at += len(raw)
            os.fsync(fresh)
            os.replace(path, self.path)
        except OSError:  # no room to tidy up in: go on with the long file
            os.close(fresh)
            files.remove(path)
            return
        os.close(self._file)
        self._file, self._held, self._end = fresh, moved, at
        files.sync_folder(self.path.parent)

    @property
    def unsent(self) -> int:
        """Bytes the server does not hold yet."""
        with self._lock:
            return sum(held.length for held in self._held.values())

    def __iter__(self) -> Iterator[Held]:
        with self._lock:
            return iter(list(self._held.values()))

    def close(self) -> None:
        """Let go of the file, not of what is in it; reading and appending fail from now on."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
            self._file = -1


def _write_at(handle: int, raw: bytes, at: int) -> None:
    view = memoryview(raw)
    while view:
        done = os.pwrite(handle, view, at)
        view, at = view[done:], at + done
