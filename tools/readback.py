"""Reads a merged HepMC3 output back with the experiments' own library, as columns of numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy
import numpy.typing
import zstandard
from pyhepmc import GenEvent
from pyhepmc.io import ReaderAscii, pyiostream

Ints = numpy.typing.NDArray[numpy.int64]
Floats = numpy.typing.NDArray[numpy.float64]

BATCH = 2000
BUFFER = 1 << 18
END = b"HepMC::Asciiv3-END_EVENT_LISTING\n"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
BEAM, FINAL = 4, 1


class Unreadable(ValueError):
    """The output is not a whole HepMC3 listing."""

    def __init__(self, path: Path, fault: str) -> None:
        super().__init__(f"{path} is not a whole HepMC3 listing: {fault}")
        self.path = path
        self.fault = fault


@dataclass(frozen=True)
class Batch:
    """Some events, a column per quantity: ``event`` is a particle's event in the batch. GeV."""

    numbers: Ints
    event: Ints
    pid: Ints
    status: Ints
    px: Floats
    py: Floats
    pz: Floats
    e: Floats

    def beams(self) -> tuple[Floats, Floats]:
        """Total energy and momentum along z of each event's beams."""
        here = self.status == BEAM
        event, events = self.event[here], len(self.numbers)
        energy = numpy.bincount(event, self.e[here], events).astype(numpy.float64)
        return energy, numpy.bincount(event, self.pz[here], events).astype(numpy.float64)


class _Tap(io.RawIOBase):
    """A stream that counts the E lines and keeps the end of what flows through it."""

    def __init__(self, stream: IO[bytes] | zstandard.ZstdDecompressionReader) -> None:
        self._stream = stream
        self.tail = b"\n"
        self.events = 0
        self.fault = ""

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # pyiostream's call
        """Pass the bytes on; damage is kept, because no error gets through the C++ in between."""
        try:
            got = self._stream.read(len(buffer))
        except zstandard.ZstdError as broken:
            self.fault = str(broken)
            return 0
        self.events += (self.tail[-2:] + got).count(b"\nE ")
        self.tail = (self.tail + got)[-64:]
        buffer[: len(got)] = got
        return len(got)


def batches(path: Path) -> Iterator[Batch]:
    """The events of a listing, zstd or plain, in the order they stand in the file."""
    with path.open("rb") as file:
        packed = file.read(4) == ZSTD_MAGIC
        file.seek(0)
        decompressor = zstandard.ZstdDecompressor()
        tap = _Tap(decompressor.stream_reader(file, read_across_frames=True) if packed else file)
        events = 0
        for batch in _batches(tap):
            events += len(batch.numbers)
            yield batch
    if tap.fault:
        raise Unreadable(path, tap.fault)
    if not tap.tail.rstrip(b"\n").endswith(END.rstrip(b"\n")):
        raise Unreadable(path, "it does not end with the END_EVENT_LISTING line")
    if events != tap.events:
        raise Unreadable(path, f"pyhepmc reads {events} of its {tap.events} events")


def _batches(stream: _Tap) -> Iterator[Batch]:
    source = pyiostream(stream, BUFFER)  # a name of its own: the reader does not keep it alive
    reader = ReaderAscii(source)
    event = GenEvent()
    numbers: list[int] = []
    columns: list[tuple[numpy.typing.NDArray[numpy.generic], ...]] = []
    while reader.read_event(event) and not reader.failed():
        particles = event.numpy.particles
        if not len(particles.pid):  # what HepMC3 makes of the footer
            break
        numbers.append(event.event_number)
        columns.append(
            tuple(getattr(particles, name) for name in ("pid", "status", "px", "py", "pz", "e"))
        )
        if len(numbers) == BATCH:
            yield _batch(numbers, columns)
            numbers, columns = [], []
    if numbers:
        yield _batch(numbers, columns)


def _batch(
    numbers: list[int], columns: list[tuple[numpy.typing.NDArray[numpy.generic], ...]]
) -> Batch:
    sizes = [len(each[0]) for each in columns]
    joined = [numpy.concatenate([each[k] for each in columns]) for k in range(6)]
    return Batch(
        numpy.array(numbers, numpy.int64),
        numpy.repeat(numpy.arange(len(numbers)), sizes),
        joined[0].astype(numpy.int64),
        joined[1].astype(numpy.int64),
        *(column.astype(numpy.float64) for column in joined[2:]),
    )
