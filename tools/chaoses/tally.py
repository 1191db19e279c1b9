"""What payloads really compute, told by themselves through a pipe with a name.

A payload in a sandbox may write to its own folder alone, and that is emptied. A named pipe in a
folder that it is shown read-only takes its words all the same, so what was computed and then lost
with a killed payload, spool or machine is counted as well.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path

COPIES = 2  # of each event, as many as the quorum of ticks
PROBED = 10  # its reference events, which every agent makes before it works
LOOK_S = 0.5


class Tally:
    """Counts the events of every batch ("first last") that a payload says it has made."""

    def __init__(self, folder: Path) -> None:
        """The pipe lies in this folder, which is made."""
        folder.mkdir(mode=0o755)
        self.folder, self.path = folder, folder / "computed"
        os.mkfifo(self.path)
        self.path.chmod(0o666)  # a sandbox has another user
        self.computed = 0
        self._over = False
        # Open for both, so that it never ends while payloads come and go.
        self._end = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._read, name="tally", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        rest = b""
        while True:
            ready, _, _ = select.select([self._end], [], [], LOOK_S)
            if not ready:
                if self._over:
                    return
                continue
            *lines, rest = (rest + os.read(self._end, 65_536)).split(b"\n")
            self.computed += sum(batches(lines))

    def close(self) -> int:
        """All that was said is counted; how many events were computed."""
        self._over = True
        self._thread.join()
        os.close(self._end)
        return self.computed

    def again(self, events: int) -> int:
        """Of a production of so many events, how many were computed more often than needed."""
        return self.computed - COPIES * (events - PROBED)


def batches(lines: list[bytes]) -> Iterator[int]:
    """The events of each batch, without the reference events: a probe makes these too."""
    for line in lines:
        first, last = (int(word) for word in line.split(b" "))
        yield max(0, last - max(first, PROBED))
