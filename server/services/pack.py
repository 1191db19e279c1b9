"""Writes the settled events of a unit, in order and each exactly once, as compressed bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from server.blobs.seekable import compress_unit
from server.blobs.segments import Segments
from server.db.frames import FrameRow
from server.services.frameread import read_pieces, record_starts
from server.services.trouble import Unreadable


@dataclass(frozen=True)
class Packed:
    """Compressed bytes, and how many bytes they stand for."""

    data: bytes
    content: int


def pack_unit(
    segments: Segments,
    granule: int,
    rows: Iterable[FrameRow],
    chosen: Iterable[tuple[int, int, int]],
) -> Packed:
    """The unit's bytes: of each settled interval (first, last, task) the records of its task.

    Raises BlobFailed, Unreadable.
    """
    parts = sorted(chosen)
    tasks = {task for _, _, task in parts}
    found: dict[tuple[int, int], bytes] = {}
    for row, piece in read_pieces(segments, (r for r in rows if r.task in tasks)):
        if piece is None:
            continue
        records = zip(record_starts(row, granule, len(piece.lengths)), piece.records(), strict=True)
        for (first, _), record in records:
            found.setdefault((row.task, first), record)
    content = b"".join(_in_order(parts, granule, found))
    return Packed(compress_unit(content).data, len(content))


def _in_order(
    parts: list[tuple[int, int, int]], granule: int, found: dict[tuple[int, int], bytes]
) -> Iterator[bytes]:
    for first, last, task in parts:
        event = first
        while event < last:
            if (task, event) not in found:
                raise Unreadable(f"event {event} of task {task} cannot be read any more")
            yield found[task, event]
            event = min(last, event - event % granule + granule)
