"""What a payload says on its pipe, piece by piece: bytes in, messages out, nothing believed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional, Union

from vmagent.wire import frames

LINE_MOST = 65_536
WORD = re.compile(r"^[a-z0-9][a-z0-9_.-]{0,63}$")
NUMBER = re.compile(r"^[0-9]{1,19}$")


class Misbehaved(Exception):
    """The payload did what a payload must not do."""

    def __init__(self, word: str, why: str) -> None:
        self.word, self.why = word, why
        super().__init__(f"{word}: {why}")


@dataclass(frozen=True)
class Hello:
    """The payload is there and speaks version 1."""

    name: str


@dataclass(frozen=True)
class Next:
    """The payload can take a range."""


@dataclass(frozen=True)
class Events:
    """Events that are finished, a record for each granule; empty ones are left out by physics."""

    first: int
    last: int
    records: tuple[bytes, ...]


@dataclass(frozen=True)
class OutFile:
    """Events that are finished, in a file."""

    first: int
    last: int
    path: str
    sizes: Optional[tuple[int, ...]]


@dataclass(frozen=True)
class Fail:
    """Events that failed here."""

    first: int
    last: int
    word: str


@dataclass(frozen=True)
class At:
    """The event that is being made."""

    event: int


Message = Union[Hello, Next, Events, OutFile, Fail, At]


@dataclass
class _Body:
    first: int
    last: int
    size: int
    sizes: tuple[int, ...]


class Parser:
    """Reads the payload's side of the pipe; `Misbehaved` at the first thing out of order."""

    def __init__(self, granule: int, event_bytes: int) -> None:
        self._granule, self._event_bytes = granule, event_bytes
        self._buffer = bytearray()
        self._body: Optional[_Body] = None
        self._greeted = False

    def feed(self, raw: bytes) -> Iterator[Message]:
        """The messages complete by now."""
        self._buffer += raw
        at = 0
        try:
            while True:
                if self._body is not None:
                    if len(self._buffer) - at < self._body.size:
                        return
                    body, self._body = self._body, None
                    yield _events(body, self._buffer, at)
                    at += body.size
                    continue
                end = self._buffer.find(b"\n", at)
                if end < 0 or end - at > LINE_MOST:
                    if len(self._buffer) - at > LINE_MOST:
                        raise Misbehaved("garbage", f"a line of more than {LINE_MOST} bytes")
                    return
                line = bytes(self._buffer[at:end])
                at = end + 1
                message = self._line(line)
                if message is not None:
                    yield message
        finally:
            del self._buffer[:at]

    @property
    def unfinished(self) -> bool:
        """Whether the pipe stopped inside a message."""
        return bool(self._buffer) or self._body is not None

    def _line(self, line: bytes) -> Optional[Message]:
        try:
            words = line.decode("ascii").split(" ")
        except UnicodeDecodeError as error:
            raise _garbage(line) from error
        if not self._greeted:
            if len(words) < 2 or words[:2] != ["HELLO", "1"]:
                raise Misbehaved("garbage", f"HELLO 1 comes first, not {line[:60]!r}")
            self._greeted = True
            return Hello(" ".join(words[2:])[:100])
        if words == ["NEXT"]:
            return Next()
        if len(words) == 2 and words[0] == "AT" and NUMBER.match(words[1]):
            return At(int(words[1]))
        if len(words) < 4 or not (NUMBER.match(words[1]) and NUMBER.match(words[2])):
            raise _garbage(line)
        first, last = int(words[1]), int(words[2])
        if not 0 < last - first <= frames.EVENTS_MOST:
            raise Misbehaved("lied", f"no interval of events: {line[:60]!r}")
        if words[0] == "EVENT":
            self._body = self._announced(first, last, words, line)
            return None
        if words[0] == "FILE":
            return OutFile(first, last, words[3], _sizes(words[4:], line))
        if words[0] in ("SKIP", "FAIL") and len(words) == 4 and WORD.match(words[3]):
            if words[0] == "FAIL":
                return Fail(first, last, words[3])
            return Events(first, last, (b"",) * frames.record_count(first, last, self._granule))
        raise _garbage(line)

    def _announced(self, first: int, last: int, words: list[str], line: bytes) -> _Body:
        if not NUMBER.match(words[3]):
            raise _garbage(line)
        size, count = int(words[3]), frames.record_count(first, last, self._granule)
        most = min(self._event_bytes * (last - first), frames.FRAME_MOST // 2)
        if size > most:
            raise Misbehaved("flooded", f"events [{first}, {last}) of {size} bytes, at most {most}")
        sizes = _sizes(words[4:], line)
        if sizes is None:
            sizes = (size,) if count == 1 else (0,) * count
        if len(sizes) != count or sum(sizes) != size:
            raise Misbehaved(
                "lied",
                f"events [{first}, {last}) are {count} records of {size} bytes in all, "
                f"sizes= says {len(sizes)} of {sum(sizes)}",
            )
        return _Body(first, last, size, sizes)


def _events(body: _Body, buffer: bytearray, at: int) -> Events:
    records = []
    for size in body.sizes:
        records.append(bytes(buffer[at : at + size]))
        at += size
    return Events(body.first, body.last, tuple(records))


def _sizes(words: list[str], line: bytes) -> Optional[tuple[int, ...]]:
    found = None
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise _garbage(line)
        if key == "sizes":
            parts = value.split(",")
            if not all(NUMBER.match(part) for part in parts):
                raise _garbage(line)
            found = tuple(int(part) for part in parts)
    return found


def _garbage(line: bytes) -> Misbehaved:
    return Misbehaved("garbage", f"not a line of the pipe: {line[:60]!r}")
