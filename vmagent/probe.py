"""The numerical class of this host for a manifest: the digest of its reference events."""

from __future__ import annotations

import hashlib
import json
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from vmagent import files
from vmagent.errors import PayloadFailed
from vmagent.gap import Job
from vmagent.gather import Gather
from vmagent.intervals import Intervals
from vmagent.pipe import Misbehaved
from vmagent.runner import Outcome
from vmagent.wire import statements

LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class Class:
    """What a probe found: class digest, seconds of wall time and bytes for each event."""

    digest: str
    seconds_per_event: float
    bytes_per_event: float


class Reference:
    """Holds the reference events in memory; timed from when they are asked for, set-up apart."""

    def __init__(self, manifest: statements.Manifest) -> None:
        granule, wanted = manifest.granule, min(manifest.reference, manifest.events)
        self.last = min(manifest.events, -(-wanted // granule) * granule)
        self._gather = Gather(0, self.last, granule, Intervals())
        self._records: dict[int, bytes] = {}
        self._granule = granule
        self._begun = time.monotonic()
        self._ended = self._begun

    def gaps(self) -> list[tuple[int, int]]:
        """What is still to do."""
        return self._gather.gaps()

    def begin(self) -> None:
        """The payload is set up: its time runs from here."""
        self._begun = self._ended = time.monotonic()

    def add(self, first: int, last: int, records: tuple[bytes, ...]) -> None:
        """Events are finished."""
        self._gather.add(first, last, records)
        for k, record in enumerate(records):
            self._records[first // self._granule + k] = record
        self._ended = time.monotonic()

    def fail(self, first: int, last: int, word: str) -> None:
        """A reference event that fails makes the whole probe fail."""
        raise Misbehaved("event-failed", f"reference events [{first}, {last}): {word}")

    def at(self, event: int) -> None:
        """Of no reference event it is asked of which it died."""

    def trim(self, last: int) -> None:
        """Nobody takes reference events back."""

    def room(self) -> bool:
        """There is always room for these few."""
        return True

    def flush(self, force: bool) -> None:
        """Nothing is passed on before the end."""

    def found(self, wall_s: float) -> Class:
        """The class, once every event is there: each record counts with its u32 length."""
        total = hashlib.sha256()
        size = 0
        for number in range(-(-self.last // self._granule)):
            record = self._records[number]
            total.update(LENGTH.pack(len(record)))
            total.update(record)
            size += len(record)
        seconds = max(1e-9, min(wall_s, self._ended - self._begun))
        events = max(1, self.last)  # a manifest may ask for none
        return Class(total.hexdigest(), seconds / events, size / events)


def job(digest: str, manifest: statements.Manifest, bundle: Path) -> tuple[Job, Reference]:
    """The job that makes the reference events."""
    reference = Reference(manifest)
    return Job(0, digest, manifest, bundle, reference), reference


def judge(outcome: Outcome, reference: Reference) -> Class:
    """The class that a probe found; `PayloadFailed` if it did not come to its end."""
    if outcome.word != "done":
        raise PayloadFailed(f"{outcome.word}: {outcome.why}", outcome.log)
    return reference.found(outcome.wall_s)


class Classes:
    """Classes found by earlier probes, kept on disk: a manifest is probed once on a host."""

    MOST = 256

    def __init__(self, home: Path) -> None:
        self._path = home / "classes.json"
        self._found: dict[str, Class] = {}
        try:
            for manifest, value in json.loads(self._path.read_bytes()).items():
                self._found[manifest] = Class(str(value[0]), float(value[1]), float(value[2]))
        except (OSError, ValueError, TypeError, IndexError, AttributeError):
            self._found = {}

    def get(self, manifest: str) -> Optional[Class]:
        """The class found earlier for a manifest."""
        return self._found.get(manifest)

    def put(self, manifest: str, found: Class) -> None:
        """Keep a class."""
        self._found.pop(manifest, None)
        kept = [*self._found.items(), (manifest, found)][-self.MOST :]
        self._found = dict(kept)
        plain = {m: [c.digest, c.seconds_per_event, c.bytes_per_event] for m, c in kept}
        files.write(self._path, json.dumps(plain).encode())

    def digests(self) -> dict[str, str]:
        """Manifest to class digest, as the server is told."""
        return {manifest: found.digest for manifest, found in self._found.items()}
