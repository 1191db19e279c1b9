"""Re-reads a merged output: its digest, and every event exactly once and in order.

Events set aside are not to be found in it; all others are.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from server.blobs.seekable import FrameBroken, NotSeekable, Reader
from server.db.productions import Production
from server.domain import definition as definitions
from server.domain.errors import OutputNotReady
from server.domain.intervals import Intervals
from server.services import aside, formats, merge
from server.services.deps import Deps


@dataclass(frozen=True)
class Verified:
    """What was found; ``events`` counts what can be counted in the production's format.

    ``expected`` are all events but those ``set_aside``.
    """

    ok: bool
    events: int
    expected: int
    in_order: bool
    digest: str
    size: int
    faults: list[str]
    set_aside: int = 0


async def verify(deps: Deps, row: Production) -> Verified:
    """Read the output from its back-end again, whole. Raises OutputNotReady."""
    if row.output_size is None or row.output_digest is None:
        raise OutputNotReady(row.name, row.state, row.events_settled, row.events)
    with tempfile.TemporaryDirectory(prefix="windfall-verify-") as folder:
        path = Path(folder) / "output"
        sha, size = hashlib.sha256(), 0
        with path.open("wb") as file:
            async for piece in merge.stream(deps, row, 0, row.output_size):
                sha.update(piece)
                size += len(piece)
                await asyncio.to_thread(file.write, piece)
        apart = Intervals((part.first, part.last) for part in await aside.of(deps, row.id))
        return await asyncio.to_thread(_read, row, apart, path, sha.hexdigest(), size)


class _Stream:
    """A seekable file read from its beginning to its end."""

    def __init__(self, reader: Reader) -> None:
        self._pieces, self._rest = reader.stream(), b""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""
        if not self._rest:
            self._rest = next(self._pieces, b"")
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def _read(row: Production, apart: Intervals, path: Path, digest: str, size: int) -> Verified:
    faults = []
    if digest != row.output_digest:
        faults.append(f"digest: {digest}, but {row.output_digest} was merged; restore the blob")
    form = formats.find(definitions.parse(row.definition).format)
    events, in_order, wanted = 0, True, row.events - apart.events
    following = (event for a, b in apart.missing(0, row.events) for event in range(a, b))
    try:
        with Reader(path) as reader:
            for number, _ in form.events(_Stream(reader)):
                in_order = in_order and (number is None or number == next(following, None))
                events += 1
    except (formats.BadOutput, FrameBroken, NotSeekable) as error:
        faults.append(f"content: {error}")
    if form.counted and events != wanted:
        faults.append(f"events: {events} found, {wanted} wanted")
    if not in_order:
        faults.append("order: the events do not stand in order, each once")
    return Verified(not faults, events, wanted, in_order, digest, size, faults, apart.events)
