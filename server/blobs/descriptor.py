"""An open file that is closed when nobody holds it any more."""

from __future__ import annotations

import os
import weakref
from pathlib import Path


class Descriptor:
    """An open file for threads: it stays open while any of them is inside one of its methods.

    Closing by hand while another thread reads would let that thread read from whatever file is
    given the same number next. The mode of a new file is 0600: frames are nobody else's business.
    Whoever takes ``fd`` out holds the object as long.
    """

    __slots__ = ("__weakref__", "fd")

    def __init__(self, path: Path, flags: int) -> None:
        self.fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
        weakref.finalize(self, os.close, self.fd)

    def write(self, data: bytes | memoryview, offset: int) -> None:
        """Write all of it there, however little the kernel takes at a time."""
        done = os.pwrite(self.fd, data, offset)
        if done < len(data):
            rest = memoryview(data)[done:]
            while rest:
                offset += done
                done = os.pwrite(self.fd, rest, offset)
                rest = rest[done:]

    def read(self, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes from there, fewer only at the end of the file."""
        data = os.pread(self.fd, size, offset)
        if len(data) == size:
            return data
        pieces = [data]
        while data and size > len(data):
            offset += len(data)
            size -= len(data)
            data = os.pread(self.fd, size, offset)
            pieces.append(data)
        return b"".join(pieces)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
