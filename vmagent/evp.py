"""The payload's side of the event pipe: ranges in, finished events out; standard library alone.

The agent puts this file on PYTHONPATH of every payload. Lines are ASCII, intervals half-open::

    payload -> agent   HELLO 1 name | NEXT | EVENT i j nbytes [sizes=a,b,c] + bytes
                       FILE i j path | SKIP i j word | FAIL i j word | AT i
    agent -> payload   RANGE first last | TRIM last | END

stdout and stderr stay free for logs. A record is one granule of events (most often one event).
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator, Mapping, Sequence
from typing import Optional

# A message names the size of each record; the agent takes lines of at most 64 kB.
RECORDS_MOST = 1000


class Range:
    """Events ``[first, last)`` to make; ``last`` is live, it sinks when the agent takes back."""

    def __init__(self, channel: Channel, first: int, last: int) -> None:
        self._channel = channel
        self.first = first
        self._last = last

    @property
    def last(self) -> int:
        """Where the range ends by now; ask before each event (or block of events)."""
        self._channel.poll(self)
        return self._last

    def trim(self, last: int) -> None:
        """End the range earlier; never later."""
        self._last = min(self._last, last)


class Channel:
    """The pipe to the agent, open from the start of the payload to its end."""

    def __init__(self, name: str, environment: Optional[Mapping[str, str]] = None) -> None:
        """Greet the agent: from here on the set-up counts as done when a range is asked for."""
        env = os.environ if environment is None else environment
        self._env = env
        self._read, self._write = int(env["EVP_FD_IN"]), int(env["EVP_FD_OUT"])
        self.seed = int(env.get("EVP_SEED", "1"))
        self.outdir = env.get("EVP_OUTDIR", ".")
        self.cores = int(env.get("EVP_CORES", "1"))
        self.granule = int(env.get("EVP_GRANULE", "1"))
        self.block = int(env.get("EVP_BLOCK", "1"))
        self._heard = b""
        self._over = False
        self._send(f"HELLO 1 {name}\n".encode())

    def input(self, name: str) -> str:
        """The path of an input of the manifest; KeyError if it has none of this name."""
        return self._env[f"EVP_INPUT_{name.upper()}"]

    def ranges(self) -> Iterator[Range]:
        """Every range the agent hands over, until there are no more."""
        while not self._over:
            self._send(b"NEXT\n")
            words = self._line(wait=True)
            while words and words[0] == "TRIM":  # late, for a range that is finished already
                words = self._line(wait=True)
            if not words or words[0] != "RANGE":
                return
            yield Range(self, int(words[1]), int(words[2]))

    def events(self, first: int, last: int, records: Sequence[bytes]) -> None:
        """Events ``[first, last)`` are finished: one record per granule, in order."""
        granule = self.granule
        expected = -(-last // granule) - first // granule
        if len(records) != expected:
            raise ValueError(
                f"events [{first}, {last}) make {expected} records of {granule}, "
                f"given {len(records)}"
            )
        for at in range(0, len(records), RECORDS_MOST):
            part = records[at : at + RECORDS_MOST]
            start = first if at == 0 else (first // granule + at) * granule
            end = min(last, (first // granule + at + len(part)) * granule)
            sizes = ",".join(str(len(record)) for record in part)
            body = b"".join(part)
            self._send(f"EVENT {start} {end} {len(body)} sizes={sizes}\n".encode() + body)

    def skip(self, first: int, last: int, word: str) -> None:
        """Physics leaves these events empty; that is a result."""
        self._send(f"SKIP {first} {last} {word}\n".encode())

    def fail(self, first: int, last: int, word: str) -> None:
        """These events failed here and may work elsewhere; one lower-case word says why."""
        self._send(f"FAIL {first} {last} {word}\n".encode())

    def at(self, event: int) -> None:
        """This event is made now: should the payload die, it died of this one.

        Worth saying where finished events are sent in batches; else the first that is not sent yet
        is taken for it.
        """
        self._send(f"AT {event}\n".encode())

    def file(self, first: int, last: int, path: str) -> None:
        """Events ``[first, last)`` are in this closed file under ``outdir``; the agent eats it."""
        self._send(f"FILE {first} {last} {path}\n".encode())

    def poll(self, current: Range) -> None:
        """Take in what the agent said meanwhile, without waiting."""
        while not self._over:
            words = self._line(wait=False)
            if words is None:
                return
            if words[:1] == ["TRIM"]:
                current.trim(int(words[1]))
            else:  # END, or the agent is gone: nobody wants more
                self._over = True
        current.trim(current.first)

    def _line(self, wait: bool) -> Optional[list[str]]:
        while b"\n" not in self._heard:
            if not wait and not select.select([self._read], [], [], 0)[0]:
                return None
            got = os.read(self._read, 4096)
            if not got:
                self._over = True
                return ["END"]
            self._heard += got
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode("ascii").split()

    def _send(self, message: bytes) -> None:
        view = memoryview(message)
        while view:
            view = view[os.write(self._write, view) :]
