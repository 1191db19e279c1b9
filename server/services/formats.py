"""Output formats by name: what stands around the events of a merged file, and how to re-read it.

A merged output is ``header + records in event order + footer``. Records are a payload's own bytes;
a format only says what they look like, so that a merge can be verified by reading it again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

CHUNK = 1 << 20
LENGTH = struct.Struct(">I")

HEPMC3_HEADER = b"HepMC::Version 3.02.05\nHepMC::Asciiv3-START_EVENT_LISTING\n"
HEPMC3_FOOTER = b"HepMC::Asciiv3-END_EVENT_LISTING\n\n"

Events = Iterator[tuple[int | None, bytes]]


class Stream(Protocol):
    """Anything bytes can be read from: a file, a decompressor."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...


class UnknownFormat(LookupError):
    """No output format has this name."""

    def __init__(self, name: str) -> None:
        known = ", ".join(sorted(FORMATS))
        super().__init__(f"output format {name!r} is not known: use one of {known}")
        self.name = name


class BadOutput(ValueError):
    """These bytes are not an output of the format they claim."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(f"not a whole {name} output: {fault}")
        self.name = name
        self.fault = fault


@dataclass(frozen=True)
class Format:
    """A named output format.

    ``events`` reads a whole output, header and footer included, and yields its events with their
    numbers. ``numbered``: the bytes of an event tell its number (else None is given). ``counted``:
    one item is one event (else the items are just pieces). `BadOutput` is raised while reading.
    """

    name: str
    header: bytes
    footer: bytes
    numbered: bool
    counted: bool
    events: Callable[[Stream], Events]


def find(name: str) -> Format:
    """The format of this name, or `UnknownFormat`."""
    try:
        return FORMATS[name]
    except KeyError:
        raise UnknownFormat(name) from None


def _hepmc3(stream: Stream) -> Events:
    """HepMC3 Asciiv3 (gitlab.cern.ch/hepmc/HepMC3): an event runs from its E line to the next."""
    text = _after(stream, HEPMC3_HEADER, "hepmc3")
    while chunk := stream.read(CHUNK):
        text += chunk
        # Only E lines begin with this letter, so everything before the last of them is whole.
        cut = text.rfind(b"\nE ") + 1
        yield from _split(text[:cut])
        text = text[cut:]
    if not text.endswith(HEPMC3_FOOTER):
        raise BadOutput("hepmc3", "it does not end with the END_EVENT_LISTING line")
    yield from _split(text[: -len(HEPMC3_FOOTER)])


def _after(stream: Stream, header: bytes, name: str) -> bytes:
    """Read past the header; what was read beyond it comes back."""
    got = b""
    while len(got) < len(header) and (chunk := stream.read(CHUNK)):
        got += chunk
    if not got.startswith(header):
        raise BadOutput(name, f"it begins with {got[: len(header)]!r}, not with {header!r}")
    return got[len(header) :]


def _split(text: bytes) -> Iterator[tuple[int, bytes]]:
    """Whole HepMC3 events with the numbers their E lines give."""
    if not text:
        return
    head, *more = text.removesuffix(b"\n").split(b"\nE ")
    for event in (head + b"\n", *(b"E " + rest + b"\n" for rest in more)):
        words = event[:64].split(None, 2)
        if len(words) < 2 or words[0] != b"E" or not words[1].isdigit():
            raise BadOutput("hepmc3", f"an event begins with an E line, not with {event[:40]!r}")
        yield int(words[1]), event


def _lines(stream: Stream) -> Events:
    """One line is one event; where the event's number stands in it is the payload's affair."""
    rest = b""
    while chunk := stream.read(CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield None, line + b"\n"
    if rest:
        raise BadOutput("lines", f"the last line has no end: {rest[:40]!r}")


def _records(stream: Stream) -> Events:
    """Each event is a big-endian u32 length and as many bytes; the payload writes both."""
    rest = b""
    while chunk := stream.read(CHUNK):
        rest += chunk
        at = 0
        while len(rest) >= (body := at + LENGTH.size):
            end = body + LENGTH.unpack_from(rest, at)[0]
            if len(rest) < end:
                break
            yield None, rest[body:end]
            at = end
        rest = rest[at:]
    if rest:
        raise BadOutput("records", f"it ends {len(rest)} bytes into an event")


def _raw(stream: Stream) -> Events:
    """Bytes nobody looks into, in pieces of any size."""
    while chunk := stream.read(CHUNK):
        yield None, chunk


FORMATS = {
    known.name: known
    for known in (
        Format("hepmc3", HEPMC3_HEADER, HEPMC3_FOOTER, numbered=True, counted=True, events=_hepmc3),
        Format("lines", b"", b"", numbered=False, counted=True, events=_lines),
        Format("records", b"", b"", numbered=False, counted=True, events=_records),
        Format("raw", b"", b"", numbered=False, counted=False, events=_raw),
    )
}
