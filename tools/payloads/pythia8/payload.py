"""Pythia 8 on the event pipe: event i has the same bytes however a production was split.

The production's seed is the offset of its events in Pythia's seeds: event i is generated from seed
``1 + offset + i``, so no two events share one and another production takes another offset. Because
a few processes (soft QCD with diffraction) carry something over from one event to the next, blocks
of events are generated in children forked from the state right after initialization, each block
always from its start. Needs the wheel ``pythia8mc==8.317.2`` and Linux; input CARD is a card of
settings. Records are HepMC3 Asciiv3 (GeV, mm): both beams, one vertex and the final state, with 12
significant digits (an event's sums move by less than 1e-9 GeV; all 17 cost a quarter more bytes).
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import struct
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 8.317
SEED_MOST = 899_999_999
# Maxima found at initialization depend on its seed, so it is one for all hosts and productions.
INIT_SEED = 19_780_503
BLOCK = 100
TRIES = 10
# Longer batches gain nothing; what is not written yet is what a kill loses.
BATCH_S = 0.02
LOOK_S = 0.05
LENGTH = struct.Struct(">I")
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def generator(card: str) -> Any:
    """Pythia initialized from the card at this path; SystemExit says what is wrong with it."""
    try:
        import pythia8mc
    except ImportError as missing:
        raise SystemExit(
            f"pythia8mc cannot be imported by {sys.executable} ({missing}); "
            "install it: pip install --only-binary :all: pythia8mc==8.317.2"
        ) from missing
    pythia = pythia8mc.Pythia("", False)
    pythia.readString("Print:quiet = on")
    if not pythia.readFile(card):
        raise SystemExit(f"the card {card} has a line that Pythia does not take, see above")
    pythia.readString("Random:setSeed = on")
    pythia.readString(f"Random:seed = {INIT_SEED}")
    # Other versions give other events: they would only lose every comparison.
    if abs(pythia.settings.parm("Pythia:versionNumber") - VERSION) > 1e-6:
        raise SystemExit(f"this payload is for Pythia {VERSION}; install pythia8mc==8.317.2")
    if not pythia.init():
        raise SystemExit(f"Pythia does not initialize with the card {card}, see above")
    return pythia


def generate(pythia: Any, seed: int, number: int) -> bytes:
    """Event ``number`` as HepMC3 text; nothing if Pythia gives it up for good."""
    pythia.rndm.init(1 + seed + number)
    for _ in range(TRIES):
        if pythia.next():
            return hepmc3(pythia.event, number)
    return b""


def hepmc3(event: Any, number: int) -> bytes:
    """A Pythia event record as one HepMC3 Asciiv3 event: beams and final state."""
    finals = event.nFinal()
    lines = [""] * finals
    left, at = finals, event.size()
    while left:  # the final state stands at the end: half of the record is never looked at
        at -= 1
        particle = event[at]
        if particle.isFinal():
            left -= 1
            lines[left] = _line(left + 3, -1, particle, 1)
    beams = _line(1, 0, event[1], 4) + _line(2, 0, event[2], 4)
    head = f"E {number} 1 {finals + 2}\nU GEV MM\n{beams}V -1 0 [1,2]\n"
    return (head + "".join(lines)).encode()


def _line(identity: int, vertex: int, p: Any, status: int) -> str:
    """A P line. %-formatting on purpose: this runs 20 times per event and is the fastest way."""
    return "P %d %d %d %.12g %.12g %.12g %.12g %.12g %d\n" % (  # noqa: UP031
        (identity, vertex, p.id(), p.px(), p.py(), p.pz(), p.e(), p.m(), status)
    )


class Block:
    """A child that generates one block's events up to a limit; its records are read from a pipe."""

    def __init__(self, generate: Callable[[int], bytes], start: int, first: int, last: int) -> None:
        """Fork: generate ``[start, last)`` and hand over the events from ``first`` on."""
        parent = os.getpid()
        self._read, write = os.pipe()
        self._heard = b""
        self._child = os.fork()
        if self._child == 0:
            status = 1
            try:
                _leave_with(parent)
                # Not to hold the agent's pipe open: it would wait for a payload that is gone.
                os.closerange(3, write)
                os.closerange(write + 1, 256)
                _write_events(generate, start, first, last, write)
                status = 0
            finally:
                os._exit(status)
        os.close(write)

    def records(self) -> list[bytes] | None:
        """What is finished since the last call, after a short wait; None once the child is done."""
        if not select.select([self._read], [], [], LOOK_S)[0]:
            return []
        got = os.read(self._read, 1 << 20)
        if not got:
            return None
        data = self._heard + got
        at, found = 0, []
        while len(data) - at >= LENGTH.size:
            body = at + LENGTH.size
            end = body + LENGTH.unpack_from(data, at)[0]
            if end > len(data):
                break
            found.append(data[body:end])
            at = end
        self._heard = data[at:]
        return found

    def stop(self) -> None:
        """End the child whatever it is doing, and leave nothing of it behind."""
        os.close(self._read)
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)


def _leave_with(parent: int) -> None:
    """Have the kernel end this process when its parent dies (Linux, prctl(2))."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)


def _write_events(
    generate: Callable[[int], bytes], start: int, first: int, last: int, write: int
) -> None:
    batch: list[bytes] = []
    due = time.monotonic() + BATCH_S
    for number in range(start, last):
        record = generate(number)
        if number < first:
            continue
        batch += (LENGTH.pack(len(record)), record)
        if time.monotonic() >= due or number + 1 == last:
            view = memoryview(b"".join(batch))
            while view:
                view = view[os.write(write, view) :]
            batch.clear()
            due = time.monotonic() + BATCH_S


def relay(channel: Any, current: Any, block: Block, at: int, end: int) -> int:
    """Hand a block's events ``[at, end)`` to the agent; returns where it stopped.

    That is before ``end`` if the agent took events back, or if the child died (its event is
    reported as failed with the rest of the block, which cannot be had without it).
    """
    granule = channel.granule
    whole: list[bytes] = []
    try:
        while at < (end := min(end, current.last)):
            records = block.records()
            if records is None:
                channel.fail(at, end, "block-died")
                return end
            whole += records
            # Records go out as whole granules; the last of a range may be a short one.
            have = at + len(whole)
            ready = end if have >= end else have - have % granule
            if ready > at:
                _send(channel, at, ready, whole)
                del whole[: ready - at]
                at = ready
        return at
    finally:
        block.stop()


def _send(channel: Any, first: int, last: int, events: list[bytes]) -> None:
    granule = channel.granule
    records = []
    at = first
    while at < last:
        upto = min(last, at - at % granule + granule)
        records.append(b"".join(events[at - first : upto - first]))
        at = upto
    channel.events(first, last, records)


def run(channel: Any, generate: Callable[[int], bytes]) -> None:
    """Generate every range the agent gives, block by block."""
    size = channel.block if channel.block > 1 else BLOCK
    size = -(-size // channel.granule) * channel.granule
    limit = SEED_MOST - channel.seed
    for current in channel.ranges():
        at = current.first
        while at < current.last:
            if at >= limit:
                channel.fail(at, current.last, "seeds-used-up")
                break
            start = at - at % size
            end = min(start + size, current.last, limit)
            if end <= at:
                break
            at = relay(channel, current, Block(generate, start, at, end), at, end)


def main() -> int:
    """Speak with the agent until it has no more ranges or is gone."""
    import evp

    try:
        channel = evp.Channel("pythia8")
        if not 0 <= channel.seed < SEED_MOST:
            raise SystemExit(f"seed {channel.seed}: the offset in Pythia's seeds is 0..{SEED_MOST}")
        pythia = generator(channel.input("CARD"))
        run(channel, lambda number: generate(pythia, channel.seed, number))
    except BrokenPipeError:  # nobody is left to work for
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
