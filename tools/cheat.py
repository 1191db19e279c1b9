"""An agent whose owner cheats: it is the real agent, but some of the events it sends are altered.

Used by the demonstration and by tests, to see that such events never reach an output.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence

from vmagent.wire import frames

EVERY = 50  # one event in so many is altered
_honest = frames.encode


def altered(record: bytes) -> bytes:
    """The record with its last digit changed: the smallest lie there is."""
    for at in range(len(record) - 1, -1, -1):
        if 48 <= record[at] <= 57:
            return record[:at] + bytes([48 + (record[at] - 47) % 10]) + record[at + 1 :]
    return record + b"0"


def encode(first: int, last: int, records: Sequence[bytes]) -> bytes:
    """A frame in which the first event of each run of `EVERY` is a lie."""
    each = max(1, (last - first) // max(1, len(records)))
    changed = [
        altered(record) if (first + k * each) % EVERY < each else record
        for k, record in enumerate(records)
    ]
    return _honest(first, last, changed)


if __name__ == "__main__":
    frames.encode = encode
    sys.argv[0] = "windfall-agent"
    runpy.run_module("vmagent", run_name="__main__")
