"""Event i is one line, its number and SHA-256(seed, i); each takes TICKS_MS milliseconds of sleep.

So many of them run beside each other on few cores, and the output shows a lost or doubled event.
With TICKS_TALLY (a pipe with a name) each batch is told there as well once it is made.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from typing import Any

BATCH = 10


def record(seed: int, event: int) -> bytes:
    """The line of an event."""
    return f"{event} {hashlib.sha256(f'{seed} {event}'.encode()).hexdigest()}\n".encode()


def teller() -> int:
    """Where batches are told; -1 if nowhere."""
    try:
        return os.open(os.environ["TICKS_TALLY"], os.O_WRONLY | os.O_NONBLOCK)
    except (KeyError, OSError):
        return -1


def run(channel: Any, pause_s: float, tally: int = -1) -> None:
    """Make every range the agent gives, ten events at a time."""
    for current in channel.ranges():
        at = current.first
        while at < (last := current.last):
            end = min(last, at - at % BATCH + BATCH)
            time.sleep(pause_s * (end - at))
            if tally >= 0:
                os.write(tally, b"%d %d\n" % (at, end))
            channel.events(at, end, [record(channel.seed, event) for event in range(at, end)])
            at = end


def main() -> int:
    """Speak with the agent until it has no more ranges or is gone."""
    import evp

    try:
        run(evp.Channel("ticks"), float(os.environ.get("TICKS_MS", "4")) / 1000, teller())
    except BrokenPipeError:  # nobody is left to work for
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
