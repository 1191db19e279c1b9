"""A program that reads one unit of a production and counts: `python -m server.plotter`.

It is a process of its own because it reads much text, which would hold up the server, and because
strangers' programs wrote that text. The first line of its input is the plots (JSON); then come the
compressed events. It answers with one line: how many events, and what is in each bin.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from typing import BinaryIO

import msgspec
import zstandard

from server.domain.physics import Plot, Sheet

PIECE = 1 << 20
CONTENT_MOST = 1 << 28  # bytes of a unit that are read; the events beyond are not counted
RECORD_MOST = 1 << 26  # bytes in which there must be the end of an event
MEMORY = 1 << 30
CPU_S = 600
NICE = 10


def events(stream: BinaryIO) -> Iterator[bytes]:
    """Whole events, many at a time."""
    text, seen = b"", 0
    while seen < CONTENT_MOST and (piece := stream.read(PIECE)):
        seen += len(piece)
        text += piece
        cut = text.rfind(b"\nE ") + 1
        if cut:
            yield text[:cut]
            text = text[cut:]
        elif len(text) > RECORD_MOST:
            raise ValueError(f"{RECORD_MOST} bytes without the beginning of an event")
    if seen < CONTENT_MOST:
        yield text


def count(plots: list[Plot], source: BinaryIO) -> Sheet:
    """Count the events of a compressed unit. Raises ZstdError, ValueError."""
    sheet = Sheet.empty(plots)
    decompressor = zstandard.ZstdDecompressor()
    with decompressor.stream_reader(source, read_across_frames=True) as stream:
        for text in events(stream):
            sheet.read(plots, text)
    return sheet


def main() -> None:
    """Read the plots and the unit from standard input, and answer on standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    os.nice(NICE)
    plots = msgspec.json.decode(sys.stdin.buffer.readline(), type=list[Plot])
    sys.stdout.buffer.write(msgspec.json.encode(count(plots, sys.stdin.buffer)))


if __name__ == "__main__":
    main()
