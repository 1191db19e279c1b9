"""The agent's side of the event pipe, for tests: starts a payload, gives ranges, takes events."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

ROOT = Path(__file__).resolve().parents[2]
# As the agent's guard does it: the pipe lies on descriptors 3 and 4.
LAY_PIPE = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 16) for end in sys.argv[1:3]]
for end, place in zip(ends, (3, 4)):
    os.dup2(end, place)
os.closerange(5, 64)
os.execvp(sys.argv[3], sys.argv[3:])
"""
PAYLOADS = ROOT / "tools" / "payloads"


@dataclass(frozen=True)
class Message:
    """One message of a payload: its words, and for EVENT the records that came with it."""

    words: tuple[str, ...]
    records: tuple[bytes, ...] = ()

    @property
    def kind(self) -> str:
        """The first word."""
        return self.words[0]

    @property
    def interval(self) -> tuple[int, int]:
        """The events it speaks of."""
        return int(self.words[1]), int(self.words[2])


@dataclass
class Taken:
    """What a payload handed over: records by their first event, and what it said of the others."""

    records: dict[int, bytes] = field(default_factory=dict)
    failed: list[tuple[int, int, str]] = field(default_factory=list)
    skipped: list[tuple[int, int, str]] = field(default_factory=list)

    def joined(self) -> bytes:
        """All records in event order, end to end."""
        return b"".join(self.records[first] for first in sorted(self.records))

    def take(self, message: Message, granule: int) -> None:
        """Note a message; the same events twice are a fault of the payload."""
        first, last = message.interval
        if message.kind == "EVENT":
            at = first
            for record in message.records:
                assert at not in self.records, f"event {at} came twice"
                assert at < last, f"more records than events in {message.words}"
                self.records[at] = record
                at += granule - at % granule
            assert at >= last, f"fewer records than events in {message.words}"
        elif message.kind == "FAIL":
            self.failed.append((first, last, message.words[3]))
        else:
            self.skipped.append((first, last, message.words[3]))


class PipeDriver:
    """A payload process with its pipe; a context manager that leaves no process behind."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        outdir: Path,
        seed: int = 1,
        granule: int = 1,
        block: int = 1,
        inputs: Mapping[str, Path] | None = None,
        log: IO[bytes] | None = None,
    ) -> None:
        """Start the command in ``outdir``; its stdout and stderr go to ``log`` if there is one."""
        from_agent, self._write = os.pipe()
        self._read, to_agent = os.pipe()
        self._heard = b""
        self.granule = granule
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", LAY_PIPE, str(from_agent), str(to_agent), *command],
            pass_fds=(from_agent, to_agent),
            cwd=outdir,
            start_new_session=True,
            env={
                **{k: os.environ[k] for k in ("PATH", "HOME", "LANG") if k in os.environ},
                "PYTHONPATH": str(ROOT / "vmagent"),
                "EVP_FD_IN": "3",
                "EVP_FD_OUT": "4",
                "EVP_SEED": str(seed),
                "EVP_OUTDIR": str(outdir),
                "EVP_CORES": "1",
                "EVP_GRANULE": str(granule),
                "EVP_BLOCK": str(block),
                **{f"EVP_INPUT_{name}": str(path) for name, path in (inputs or {}).items()},
            },
            stdout=log,
            stderr=log,
        )
        os.close(from_agent)
        os.close(to_agent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.hang_up()
        os.close(self._read)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def hang_up(self) -> None:
        """Close the agent's end of what the payload reads, as the agent's death would."""
        if self._write >= 0:
            os.close(self._write)
            self._write = -1

    def processes(self) -> set[int]:
        """The payload and everything it started, as far as it still runs."""
        found = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                except OSError:  # it ended meanwhile
                    continue
                state, _, _, session = stat.rpartition(")")[2].split()[:4]
                if int(session) == self.process.pid and state not in "ZX":
                    found.add(int(entry.name))
        return found

    def say(self, line: str) -> None:
        """Send a line: RANGE, TRIM or END."""
        os.write(self._write, f"{line}\n".encode())

    def hear(self, within: float = 30.0) -> Message | None:
        """The payload's next message; None when it has closed its end."""
        until = time.monotonic() + within
        while b"\n" not in self._heard:
            if not self._more(until):
                return None
        line, _, self._heard = self._heard.partition(b"\n")
        words = tuple(line.decode("ascii").split())
        if words[0] != "EVENT":
            return Message(words)
        size = int(words[3])
        while len(self._heard) < size:
            assert self._more(until), f"the payload ended inside {line!r}"
        body, self._heard = self._heard[:size], self._heard[size:]
        return Message(words, _cut(body, words[4:]))

    def wait(self, kind: str) -> Message:
        """The next message, which must be of this kind."""
        message = self.hear()
        assert message is not None, f"the payload ended, {kind} was expected"
        assert message.kind == kind, f"{kind} was expected, not {message.words}"
        return message

    def run(self, ranges: Sequence[tuple[int, int]]) -> Taken:
        """Greet, give every range in turn, end; the payload must finish cleanly."""
        taken = Taken()
        self.wait("HELLO")
        self.wait("NEXT")
        for first, last in ranges:
            self.say(f"RANGE {first} {last}")
            while (message := self.hear()) is not None and message.kind != "NEXT":
                taken.take(message, self.granule)
            assert message is not None, f"the payload ended in [{first}, {last})"
        self.say("END")
        assert self.hear() is None
        assert self.process.wait(60) == 0
        return taken

    def _more(self, until: float) -> bool:
        """Read on; False at the end of the stream."""
        ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
        assert ready, "the payload says nothing"
        got = os.read(self._read, 1 << 20)
        self._heard += got
        return bool(got)


def _cut(body: bytes, extra: Sequence[str]) -> tuple[bytes, ...]:
    """The records in the bytes of an EVENT: one, or as its ``sizes=`` tells."""
    for word in extra:
        if word.startswith("sizes="):
            sizes = [int(size) for size in word.removeprefix("sizes=").split(",")]
            assert sum(sizes) == len(body), "the sizes do not add up"
            ends = [sum(sizes[: k + 1]) for k in range(len(sizes))]
            return tuple(body[end - size : end] for size, end in zip(sizes, ends, strict=True))
    return (body,)


def python(*path: str) -> list[str]:
    """The command of a Python payload under tools/payloads."""
    return [sys.executable, str(PAYLOADS.joinpath(*path))]
