"""The line between one agent and the server: it carries HTTP/1.1, and can be told to spoil it.

What the server acknowledged and the agent's socket took is kept as `Receipt`: the promises that the
server is held to afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

Heard = Callable[[str, str], None]
HEAD_MOST = 65_536
_FRAME = re.compile(r"PUT \S+/productions/(\d+)/frames/(\d+)-(\d+) ")
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d+)")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding:[ \t]*chunked")
_PROBLEM = (
    b"HTTP/1.1 %d %b\r\nContent-Type: application/problem+json\r\nWindfall-Protocol: 1\r\n"
    b"%bContent-Length: %d\r\n\r\n%b"
)


@dataclass(frozen=True)
class Receipt:
    """A frame that was acknowledged: when (monotonic), of which task, which events."""

    at: float
    task: int
    first: int
    last: int


@dataclass(frozen=True)
class Spoil:
    """What is to happen to the next request: the kind of fault, and a draw from 0 to 1."""

    kind: str
    draw: float


@dataclass(eq=False)
class Line:
    """One agent's way to the server; ``port`` is where it listens, on loopback."""

    name: str
    target: int
    heard: Heard = lambda _, __: None
    port: int = 0
    away_until: float = 0.0
    spoils: deque[Spoil] = field(default_factory=deque)
    receipts: list[Receipt] = field(default_factory=list)
    requests: int = 0
    _server: asyncio.Server | None = None
    _open: dict[asyncio.StreamWriter, asyncio.Task[None]] = field(default_factory=dict)

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, limit=HEAD_MOST * 4, backlog=64
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and cut what is open."""
        if self._server is not None:
            self._server.close()
        serving = list(self._open.values())
        self.cut()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    def cut(self) -> None:
        """End every connection at once."""
        for writer in list(self._open):
            writer.transport.abort()

    def go_away(self, seconds: float) -> None:
        """Nothing gets through for so long."""
        self.away_until = time.monotonic() + seconds
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  this runs in one
        self._open[writer] = task
        upstream: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        try:
            while time.monotonic() >= self.away_until and await self._one(reader, writer, upstream):
                pass
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            self._open.pop(writer, None)
            for _, out in upstream:
                out.transport.abort()
            writer.transport.abort()

    async def _one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
    ) -> bool:
        """Carry one request and its answer; False if the connection is to end."""
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        self.requests += 1
        first_line = head.split(b"\r\n", 1)[0].decode("latin-1")
        spoil = None
        if self.spoils and "/commands?" not in first_line:
            spoil = self.spoils.popleft()
            self.heard(spoil.kind, f"{self.name}: {' '.join(first_line.split()[:2])}")
        said = await self._before(spoil, writer, upstream, head, body)
        if said is not None:
            return said
        answer = await self._ask(upstream, head, body)
        return await self._after(spoil, writer, first_line, answer)

    async def _before(
        self,
        spoil: Spoil | None,
        writer: asyncio.StreamWriter,
        upstream: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
        head: bytes,
        body: bytes,
    ) -> bool | None:
        """What a fault does before the server answers; None: go on and ask it."""
        if spoil is None:
            return None
        if spoil.kind == "delay":
            await asyncio.sleep(0.5 + 3 * spoil.draw)
        elif spoil.kind == "answer-503":
            await _say(writer, _problem(503, b"Service Unavailable", b"Retry-After: 1\r\n"))
            return True
        elif spoil.kind == "cut-request":
            _, out = await self._connection(upstream)
            whole = head + body
            out.write(whole[: max(1, int(len(whole) * spoil.draw))])
            await out.drain()
            return False
        elif spoil.kind == "duplicate":
            if spoil.draw < 0.5:  # one after the other
                await self._ask(upstream, head, body)
            else:  # at once, on a connection of its own
                other: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
                twin = asyncio.ensure_future(self._ask(other, head, body))
                twin.add_done_callback(lambda done: _let_go(done, other))
        return None

    async def _after(
        self, spoil: Spoil | None, writer: asyncio.StreamWriter, first_line: str, answer: bytes
    ) -> bool:
        if spoil is not None and spoil.kind == "cut-answer":
            return False
        if spoil is not None and spoil.kind == "truncate":
            writer.write(answer[: max(1, int(len(answer) * spoil.draw * 0.99))])
            await writer.drain()
            writer.close()  # in order, so that what was sent arrives
            await asyncio.sleep(0.05)
            return False
        if spoil is not None and spoil.kind == "answer-500":
            await _say(writer, _problem(500, b"Internal Server Error", b""))
            return True
        await _say(writer, answer)
        self._note(first_line, answer)
        return b"\r\nconnection: close" not in answer[:2000].lower()

    def _note(self, first_line: str, answer: bytes) -> None:
        found = _FRAME.match(first_line)
        if found is None or not answer.startswith(b"HTTP/1.1 200"):
            return
        task = json.loads(answer.partition(b"\r\n\r\n")[2])["task"]["task"]
        self.receipts.append(Receipt(time.monotonic(), task, int(found[2]), int(found[3])))

    async def _connection(
        self, upstream: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not upstream:
            upstream.append(
                await asyncio.open_connection("127.0.0.1", self.target, limit=HEAD_MOST)
            )
        return upstream[0]

    async def _ask(
        self,
        upstream: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
        head: bytes,
        body: bytes,
    ) -> bytes:
        """The whole answer of the server."""
        reader, out = await self._connection(upstream)
        out.write(head + body)
        await out.drain()
        got = await reader.readuntil(b"\r\n\r\n")
        if _CHUNKED.search(got):
            return got + await _chunks(reader)
        return got + await reader.readexactly(_length(got))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """A body in chunks (RFC 9112, 7.1), as it came."""
    got = b""
    while True:
        size = await reader.readuntil(b"\r\n")
        piece = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
        got += size + piece
        if len(piece) == 2:
            return got


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


def _problem(status: int, words: bytes, more: bytes) -> bytes:
    body = json.dumps({"title": words.decode(), "status": status, "code": "unavailable"}).encode()
    return _PROBLEM % (status, words, more, len(body), body)


async def _say(writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.write(answer)
    await writer.drain()


def _let_go(
    done: asyncio.Future[bytes], other: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
) -> None:
    with contextlib.suppress(Exception, asyncio.CancelledError):
        done.result()
    for _, out in other:
        out.transport.abort()
