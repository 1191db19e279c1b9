"""Frames that are durable in the segments and wait for their rows in the table.

A frame is acknowledged when its bytes and its label are on the disk. The label has all that its row
has, and after a crash the row is made of it (`recover`): so rows can be written many at a time.
Every transaction begins with those that wait, so whoever looks from inside of one sees all frames
that were acknowledged.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import struct
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from server.blobs.segments import LABEL_BYTES, Place, Segments
from server.db import frames, segments, units
from server.db.base import Store, Tx
from server.db.frames import NewFrame

if TYPE_CHECKING:
    from server.services.deps import Deps

log = logging.getLogger("windfall.frames")
MOST = 50_000  # frames that may wait: if no transaction succeeds, no more are acknowledged

_LABEL = struct.Struct(">QQQQQQQd32s")
assert _LABEL.size <= LABEL_BYTES  # noqa: S101


def label_of(row: NewFrame) -> bytes:
    """What stands with a frame in its segment."""
    return _LABEL.pack(
        row.production, row.unit, row.task, row.host, row.account, row.first, row.last,
        row.received_at, row.digest,
    ).ljust(LABEL_BYTES, b"\0")  # fmt: skip


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


async def recover(deps: Deps) -> None:
    """Index the frames of which a crash left only the labels, and cut the segments behind them."""
    closed = await deps.store.read(segments.closed)
    gone = closed.difference(deps.segments.found)
    if gone:  # their numbers are given again: what comes into those is not closed
        await deps.store.write(lambda tx: segments.forget(tx, gone))
    left = [number for number in deps.segments.found if number not in closed]
    if left:
        known = await deps.store.read(lambda tx: frames.places(tx, min(left)))
        rows = await asyncio.to_thread(lambda: list(_labelled(deps.segments, left, known)))
        await deps.store.write(lambda tx: _index_again(tx, rows, left))
        if rows:
            log.warning("frames found again", extra={"action": "recover", "frames": len(rows)})
    deps.segments.tidy(await deps.store.read(frames.segments))


async def _index_again(tx: Tx, rows: list[NewFrame], left: list[int]) -> None:
    await frames.find_again(tx, rows)
    for production, unit in {(row.production, row.unit) for row in rows}:
        units.mark(tx, production, unit)
    await segments.close(tx, left)


def _labelled(
    kept: Segments, numbers: list[int], known: set[tuple[int, int]]
) -> Iterator[NewFrame]:
    """The frames that are whole and have no row."""
    for number in numbers:
        for found in kept.scan(number):
            if (number, found.offset) in known or not any(found.label):
                continue
            *whose, at, digest = _LABEL.unpack_from(found.label)
            raw = kept.read(number, found.offset, found.size)
            if hashlib.sha256(raw).digest() == digest:
                where = (number, found.offset, found.size)
                yield NewFrame._make((*whose, *where, digest, at))


async def close_segments(deps: Deps) -> None:
    """Note of which segments every frame has its row, so that no start looks into them again."""
    quiet = deps.segments.quiet()
    await deps.frames.empty(deps.store)

    async def write(tx: Tx) -> None:
        await segments.close(tx, quiet - await segments.closed(tx))

    await deps.store.write(write)
