"""Frames that are durable in the segments and wait for their rows in the table.

A frame is acknowledged when its bytes and its label are on the disk. The label has all that its row
has, and after a crash the row is made of it (`server.services.recover`): so rows can be written
many at a time. Every transaction begins with those that wait, so whoever looks from inside of one
sees all frames that were acknowledged.
"""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING

from server.blobs.segments import LABEL_BYTES, Place
from server.db import frames, segments
from server.db.base import Store, Tx
from server.db.frames import NewFrame

if TYPE_CHECKING:
    from server.services.deps import Deps

MOST = 50_000  # frames that may wait: if no transaction succeeds, no more are acknowledged

_LABEL = struct.Struct(">QQQQQQQd32s")
assert _LABEL.size <= LABEL_BYTES  # noqa: S101


def label_of(row: NewFrame) -> bytes:
    """What stands with a frame in its segment."""
    return _LABEL.pack(
        row.production, row.unit, row.task, row.host, row.account, row.first, row.last,
        row.received_at, row.digest,
    ).ljust(LABEL_BYTES, b"\0")  # fmt: skip


def of_label(label: bytes, place: tuple[int, int, int]) -> NewFrame:
    """The row of a frame with this label at (segment, offset, size)."""
    *whose, at, digest = _LABEL.unpack_from(label)
    return NewFrame._make((*whose, *place, digest, at))


class FrameLog:
    """The frames that wait for their rows, with their places: a segment stays while one is here."""

    def __init__(self) -> None:
        """None waits."""
        self._waiting: list[tuple[NewFrame, Place]] = []
        self._under_way: list[tuple[NewFrame, Place]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, row: NewFrame, place: Place) -> None:
        """One that is durable."""
        self._waiting.append((row, place))

    async def lead(self, tx: Tx) -> None:
        """The beginning of a transaction: every row that waits is written."""
        taken, self._waiting = self._waiting, []
        self._under_way = taken
        if taken:
            tx.on_abort(partial(self._again, taken))
            await frames.add(tx, [row for row, _ in taken])

    def _again(self, taken: list[tuple[NewFrame, Place]]) -> None:
        self._waiting = taken + self._waiting

    async def empty(self, store: Store) -> None:
        """Write what waits."""
        if self._waiting:
            await store.write(_nothing)


async def _nothing(tx: Tx) -> None:
    """A transaction for its beginning alone."""


async def close_segments(deps: Deps) -> None:
    """Note of which segments every frame has its row, so that no start looks into them again."""
    quiet = deps.segments.quiet()
    await deps.frames.empty(deps.store)

    async def write(tx: Tx) -> None:
        await segments.close(tx, quiet - await segments.closed(tx))

    await deps.store.write(write)
