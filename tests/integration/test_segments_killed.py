"""A process killed while it writes segments loses nothing that it had acknowledged."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from server.blobs.segments import Segments

SEGMENT = 1 << 20
WRITER = """
import asyncio, hashlib, os, random, sys
from server.blobs.segments import Segments

async def stream(segments, seed):
    source = random.Random(seed)
    while True:
        body = source.randbytes(source.choice([10, 1_000, 20_000, 70_000]))
        place = segments.reserve(len(body))
        for at in range(0, len(body), 9_000):
            place.write(body[at:at + 9_000])
            await asyncio.sleep(0)
        await segments.sync(place)
        digest = hashlib.sha256(body).hexdigest()
        os.write(1, b"%d %d %d %s\\n" % (place.segment, place.offset, place.size, digest.encode()))

async def main():
    segments = Segments.open(sys.argv[1], segment_bytes=1 << 20)
    await asyncio.gather(*(stream(segments, seed) for seed in range(16)))

asyncio.run(main())
"""


def killed_writer(folder: Path, acknowledged: int) -> list[bytes]:
    """What a process had said to be durable when it was killed, after at least so many lines."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(acknowledged)]
        child.send_signal(signal.SIGKILL)
        lines += [line for line in child.stdout if line.endswith(b"\n")]
    assert child.returncode == -signal.SIGKILL
    return lines


def segments_in(folder: Path) -> dict[int, int]:
    """The segments of a folder and their sizes."""
    return {int(path.stem): path.stat().st_size for path in folder.glob("*.seg")}


@pytest.mark.parametrize("acknowledged", [1, 200, 600])
async def test_what_was_acknowledged_before_a_kill_is_there_after_it(
    tmp_path: Path, acknowledged: int
) -> None:
    lines = killed_writer(tmp_path, acknowledged)
    rows = [(int(s), int(o), int(n), d.decode()) for s, o, n, d in map(bytes.split, lines)]
    used: dict[int, int] = {}
    for number, offset, size, _ in rows:
        used[number] = max(used.get(number, 0), offset + size)
    segments = Segments.open(tmp_path, used, SEGMENT)
    for number, offset, size, digest in rows:
        assert hashlib.sha256(segments.read(number, offset, size)).hexdigest() == digest
    place = segments.append(b"life goes on")
    assert place.segment > max(used)
    await segments.sync(place)
    found = {(n, f.offset, f.size) for n in segments.found for f in segments.scan(n)}
    assert found >= {row[:3] for row in rows}, "their labels tell of them"
    segments.tidy(used)
    for number in set(segments.found) - set(used):
        assert segments.release(number)
    await segments.close()
    end = place.offset + place.size
    assert segments_in(tmp_path) == {**used, place.segment: end}, "and no other file"
