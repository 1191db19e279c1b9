"""Output formats: what a merge writes can be read again, event by event, whatever the reads."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.services import formats


class Dripping:
    """A stream that gives a few bytes at a time, as decompressors may."""

    def __init__(self, raw: bytes, size: int) -> None:
        self._raw = io.BytesIO(raw)
        self._size = size

    def read(self, size: int, /) -> bytes:
        """Fewer than asked for."""
        return self._raw.read(min(size, self._size))


def hepmc3(number: int, particles: int) -> bytes:
    """An event's text; the particles' lines hold what could be mistaken for the next event."""
    lines = "".join(f"P {k + 1} 0 11 0 0 {k} 1E 5 4\n" for k in range(particles))
    return f"E {number} 1 {particles}\nU GEV MM\n{lines}".encode()


def whole(name: str, records: list[bytes]) -> bytes:
    """An output as the merge writes it."""
    chosen = formats.find(name)
    return chosen.header + b"".join(records) + chosen.footer


@given(st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 4))), st.integers(1, 300))
def test_hepmc3_events_come_back_with_their_numbers(
    events: list[tuple[int, int]], size: int
) -> None:
    records = [hepmc3(*event) for event in events]
    raw = whole("hepmc3", records)
    found = list(formats.find("hepmc3").events(Dripping(raw, size)))
    assert found == list(zip([number for number, _ in events], records, strict=True))


@given(st.lists(st.binary(max_size=20)), st.integers(1, 50))
def test_records_come_back_without_their_lengths(records: list[bytes], size: int) -> None:
    raw = b"".join(struct.pack(">I", len(record)) + record for record in records)
    found = list(formats.find("records").events(Dripping(raw, size)))
    assert found == [(None, record) for record in records]


@given(st.lists(st.text("ab \r", max_size=9)), st.integers(1, 50))
def test_lines_come_back_with_their_ends(lines: list[str], size: int) -> None:
    records = [f"{line}\n".encode() for line in lines]
    found = list(formats.find("lines").events(Dripping(b"".join(records), size)))
    assert found == [(None, record) for record in records]


def test_raw_bytes_pass_whole() -> None:
    found = formats.find("raw").events(Dripping(b"abcdefg", 3))
    assert b"".join(piece for _, piece in found) == b"abcdefg"


@pytest.mark.parametrize(
    ("name", "raw", "fault"),
    [
        ("hepmc3", b"", "begins with b''"),
        ("hepmc3", b"HepMC::Version 2.06.09\n", "begins with"),
        ("hepmc3", whole("hepmc3", [hepmc3(0, 2)])[:-40], "END_EVENT_LISTING"),
        ("hepmc3", whole("hepmc3", [b"noise\n", hepmc3(0, 2)]), "begins with an E line"),
        ("hepmc3", whole("hepmc3", [b"E -1 0 0\n"]), "begins with an E line"),
        ("lines", b"whole\nhalf", "no end"),
        ("records", b"\0\0\0\5abc", "7 bytes into an event"),
        ("records", b"\0\0", "2 bytes into an event"),
    ],
)
def test_a_broken_output_says_what_is_broken(name: str, raw: bytes, fault: str) -> None:
    with pytest.raises(formats.BadOutput, match=fault) as error:
        list(formats.find(name).events(io.BytesIO(raw)))
    assert error.value.name == name


def test_only_formats_that_tell_numbers_say_so() -> None:
    numbered = {name for name, each in formats.FORMATS.items() if each.numbered}
    counted = {name for name, each in formats.FORMATS.items() if each.counted}
    assert numbered == {"hepmc3"}
    assert counted == {"hepmc3", "lines", "records"}


def test_an_unknown_format_names_those_that_exist() -> None:
    with pytest.raises(formats.UnknownFormat, match="'root' is not known: use one of hepmc3, "):
        formats.find("root")
