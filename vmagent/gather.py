"""Finished events of one range, checked, and cut into frames."""

from __future__ import annotations

from dataclasses import dataclass

from vmagent.intervals import Intervals
from vmagent.pipe import Misbehaved
from vmagent.wire import frames

RECORD_MOST = frames.FRAME_MOST - 65_536
FAILURES_MOST = 1000  # what a report can tell


@dataclass(frozen=True)
class Failed:
    """Events the payload could not make, and its word why."""

    first: int
    last: int
    word: str


class Gather:
    """Takes records in any order; hands out frames of neighbours."""

    def __init__(self, first: int, last: int, granule: int, held: Intervals) -> None:
        """Of ``[first, last)`` the events in ``held`` are not wanted again."""
        self.first, self.last, self.granule = first, last, granule
        self._given_last = last
        self.done = Intervals(held)
        self.failures: list[Failed] = []
        self._failed = Intervals()
        self._pending: dict[int, bytes] = {}
        self.pending_bytes = 0

    def add(self, first: int, last: int, records: tuple[bytes, ...]) -> int:
        """Take in finished events; how many of them were wanted. `Misbehaved` if not to be had."""
        self._check(first, last)
        if records and max(map(len, records)) > RECORD_MOST:
            raise Misbehaved("flooded", f"a record of more than {RECORD_MOST} bytes")
        self.done.add(first, last)
        wanted, event = 0, first
        for record in records:
            upto = event - event % self.granule + self.granule
            if event < self.last:  # else taken back meanwhile: somebody else has it
                self._pending[event] = record
                self.pending_bytes += len(record) + 4
                wanted += 1
            event = upto
        return wanted

    def fail(self, first: int, last: int, word: str) -> None:
        """Take in that these events failed."""
        self._check(first, last)
        self._failed.add(first, last)
        before = self.failures[-1] if self.failures else None
        if before is not None and (before.last, before.word) == (first, word):
            self.failures[-1] = Failed(before.first, last, word)
        elif len(self.failures) >= FAILURES_MOST:
            raise Misbehaved("event-failed", f"more than {FAILURES_MOST} runs of events failed")
        else:
            self.failures.append(Failed(first, last, word))

    def _check(self, first: int, last: int) -> None:
        if first < self.first or last > self._given_last:
            raise Misbehaved(
                "lied", f"events [{first}, {last}) are not of [{self.first}, {self._given_last})"
            )
        whole = first % self.granule == 0 and (last % self.granule == 0 or last == self._given_last)
        if not whole:
            raise Misbehaved("lied", f"[{first}, {last}) is not whole granules of {self.granule}")
        if self.done.overlaps(first, last) or self._failed.overlaps(first, last):
            raise Misbehaved("lied", f"events of [{first}, {last}) came before")

    def trim(self, last: int) -> None:
        """The range ends here now; what is beyond is not wanted."""
        if last >= self.last:
            return
        self.last = max(self.first, last)
        for event in [event for event in self._pending if event >= self.last]:
            self.pending_bytes -= len(self._pending.pop(event)) + 4

    def gaps(self) -> list[tuple[int, int]]:
        """What is neither done nor failed yet."""
        settled = Intervals([*self.done, *self._failed]) if self.failures else self.done
        return list(settled.missing(self.first, self.last))

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return not self.gaps()

    def cut(self, most_bytes: int) -> list[tuple[int, int, bytes]]:
        """Everything pending as frames (first, last, bytes), each of about ``most_bytes``."""
        found: list[tuple[int, int, bytes]] = []
        run: list[bytes] = []
        start = end = size = 0
        for event in sorted(self._pending):
            record = self._pending[event]
            full = size + len(record) > most_bytes or end - start + self.granule > _EVENTS
            if run and (event != end or full):
                found.append((start, end, frames.encode(start, end, run)))
                run = []
            if not run:
                start, size = event, 0
            run.append(record)
            size += len(record) + 4
            end = min(event + self.granule, self._given_last)
        if run:
            found.append((start, end, frames.encode(start, end, run)))
        self._pending, self.pending_bytes = {}, 0
        return found


_EVENTS = frames.EVENTS_MOST
