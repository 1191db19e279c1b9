"""What became of the events: the output is read whole, and held against what was confirmed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import zstandard

from tools.fleets import payload


async def faults(packed: AsyncIterator[bytes], events: int, seed: int) -> int:
    """How many events of an output are missing, doubled or altered: it is to be one exact text."""
    bad, event, rest = 0, 0, b""
    unpack: Any = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    async for piece in packed:
        lines = (rest + unpack.decompress(piece)).split(b"\n")
        rest = lines.pop()
        for line in lines:
            if event >= events or line + b"\n" != payload.record(event, seed):
                bad += 1
            event += 1
    return bad + abs(events - event) + bool(rest)
