"""A program that reads one unit of a production and counts: `python -m server.plotter EVENTS`.

It is a process of its own because it reads much text, which would hold up the server, and because
strangers' programs wrote that text: it has nothing of the server's environment, and opens, writes
and starts nothing once it reads. The first line of its input is the plots (JSON); then come the
compressed events, of which there are EVENTS at most. It answers with one line: how many events, and
what is in each bin.
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
CPU_S = 600
NICE = 10
LIMITS = (
    (resource.RLIMIT_AS, 1 << 30),
    (resource.RLIMIT_CPU, CPU_S),
    (resource.RLIMIT_NOFILE, 3),  # no more than it has: its input, its output, its complaints
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_NPROC, 0),
    (resource.RLIMIT_CORE, 0),
)


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


def count(plots: list[Plot], source: BinaryIO, most: int) -> Sheet:
    """Count the events of a compressed unit, at most so many. Raises ZstdError, ValueError."""
    sheet = Sheet.empty(plots)
    decompressor = zstandard.ZstdDecompressor()
    with decompressor.stream_reader(source, read_across_frames=True) as stream:
        for text in events(stream):
            # Looked at before: an empty event takes three bytes, which a kilobyte unpacks to.
            if sheet.events + text.count(b"\nE ") + text.startswith(b"E ") > most:
                raise ValueError(f"more than the {most} events that the unit has")
            sheet.read(plots, text)
    return sheet


def main() -> None:
    """Read the plots and the unit from standard input, and answer on standard output."""
    os.nice(NICE)
    plots = msgspec.json.decode(sys.stdin.buffer.readline(), type=list[Plot])
    for limit, most in LIMITS:
        resource.setrlimit(limit, (most, most))
    found = count(plots, sys.stdin.buffer, int(sys.argv[1]))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
