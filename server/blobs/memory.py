"""Blobs in memory: a real back-end for tests and demos, gone with the process."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from server.blobs.base import (
    PIECE,
    BlobFull,
    BlobMissing,
    Body,
    Found,
    Stored,
    check_key,
    check_prefix,
    check_range,
)


class MemoryBlobs:
    """Blobs in a dictionary, at most ``room`` bytes in all if that is said."""

    def __init__(self, room: int | None = None) -> None:
        self._room = room
        self._blobs: dict[str, bytes] = {}

    async def put(self, key: str, data: Body) -> Stored:
        """See `Blobs.put`."""
        check_key(key)
        whole = data if isinstance(data, bytes) else b"".join([piece async for piece in data])
        if self._room is not None:
            others = sum(len(blob) for other, blob in self._blobs.items() if other != key)
            if others + len(whole) > self._room:
                raise BlobFull(f"no room for {key!r}: {others} of {self._room} bytes are taken")
        self._blobs[key] = whole
        return Stored(len(whole), hashlib.sha256(whole).hexdigest())

    async def get(self, key: str) -> bytes:
        """See `Blobs.get`."""
        try:
            return self._blobs[check_key(key)]
        except KeyError:
            raise BlobMissing(key) from None

    async def read(self, key: str, offset: int, size: int) -> bytes:
        """See `Blobs.read`."""
        check_range(offset, size)
        return (await self.get(key))[offset : offset + size]

    async def stream(
        self, key: str, offset: int = 0, size: int | None = None, piece: int = PIECE
    ) -> AsyncIterator[bytes]:
        """See `Blobs.stream`."""
        check_range(offset, size)
        blob = await self.get(key)
        end = len(blob) if size is None else min(len(blob), offset + size)
        for at in range(offset, end, piece):
            yield blob[at : min(at + piece, end)]

    async def stat(self, key: str) -> Found:
        """See `Blobs.stat`."""
        return Found(len(await self.get(key)))

    async def delete(self, key: str) -> None:
        """See `Blobs.delete`."""
        self._blobs.pop(check_key(key), None)

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        """See `Blobs.list`."""
        check_prefix(prefix)
        for key in sorted(self._blobs):
            if key.startswith(prefix):
                yield key

    async def sweep(self, older_s: float) -> int:
        """See `Blobs.sweep`: a put that breaks off leaves nothing here."""
        del older_s
        return 0

    async def close(self) -> None:
        """See `Blobs.close`: the blobs stay, for whoever still holds this object."""
