"""A line between an agent and the server: it carries faithfully until it is told to spoil."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import urllib3

from tools.chaoses.proxy import Line, Spoil

FRAME = "/api/v1/productions/3/frames/10-20"
HELD = json.dumps({"task": {"task": 7, "state": "leased"}}).encode()


@dataclass(eq=False)
class Echo:
    """A server that remembers each whole request, and answers as the real one answers a frame."""

    port: int = 0
    heard: list[bytes] = field(default_factory=list)
    chunked: bool = False
    tasks: set[asyncio.Task[None] | None] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the connection ends."""
        self.tasks.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
                self.heard.append(head.split(b" HTTP")[0] + b" " + await reader.readexactly(size))
                if self.chunked:
                    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    writer.write(b"5\r\nfirst\r\n6;x=y\r\nsecond\r\n0\r\n\r\n")
                else:
                    size = len(HELD)
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (size, HELD))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.transport.abort()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    made = Echo()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await asyncio.gather(*(task for task in made.tasks if task), return_exceptions=True)
    await asyncio.sleep(0)


@pytest.fixture
async def line(echo: Echo) -> AsyncIterator[Line]:
    made = Line("agent0", echo.port)
    await made.start()
    yield made
    await made.stop()


async def put(line: Line, path: str = FRAME, method: str = "PUT") -> urllib3.BaseHTTPResponse:
    """Send a body of a thousand bytes."""

    def go() -> urllib3.BaseHTTPResponse:
        with urllib3.PoolManager(retries=False) as pool:
            return pool.request(
                method, f"http://127.0.0.1:{line.port}{path}", body=b"b" * 1000, timeout=20.0
            )

    return await asyncio.to_thread(go)


async def test_what_is_sent_arrives_and_the_acknowledgement_is_kept(line: Line, echo: Echo) -> None:
    assert (await put(line)).data == HELD
    assert (await put(line, "/api/v1/work", "POST")).status == 200
    assert echo.heard[0] == f"PUT {FRAME} ".encode() + b"b" * 1000
    assert [(r.task, r.first, r.last) for r in line.receipts] == [(7, 10, 20)]


async def test_an_answer_in_chunks_is_carried(line: Line, echo: Echo) -> None:
    echo.chunked = True
    assert (await put(line, "/x", "POST")).data == b"firstsecond"


@pytest.mark.parametrize("draw", [0.01, 0.5, 0.99])
async def test_a_request_that_is_cut_does_not_arrive_whole(
    line: Line, echo: Echo, draw: float
) -> None:
    line.spoils.append(Spoil("cut-request", draw))
    with pytest.raises(urllib3.exceptions.HTTPError):
        await put(line)
    assert echo.heard == []
    assert line.receipts == []


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("kind", ["cut-answer", "truncate"])
async def test_an_answer_that_is_cut_is_no_acknowledgement(
    line: Line, echo: Echo, kind: str, draw: float
) -> None:
    line.spoils.append(Spoil(kind, draw))
    with pytest.raises(urllib3.exceptions.HTTPError):
        await put(line)
    assert len(echo.heard) == 1, "the server has it all the same"
    assert line.receipts == []


@pytest.mark.parametrize("draw", [0.1, 0.9])
async def test_a_duplicate_arrives_twice(line: Line, echo: Echo, draw: float) -> None:
    line.spoils.append(Spoil("duplicate", draw))
    assert (await put(line)).data == HELD
    async with asyncio.timeout(90):
        while len(echo.heard) < 2:  # noqa: ASYNC110  nothing tells of the twin
            await asyncio.sleep(0.01)
    assert len(set(echo.heard)) == 1
    assert len(line.receipts) == 1


async def test_refusals_are_made_up_with_and_without_asking(line: Line, echo: Echo) -> None:
    line.spoils += [Spoil("answer-503", 0.5), Spoil("answer-500", 0.5)]
    busy = await put(line)
    assert (busy.status, busy.headers["Retry-After"], echo.heard) == (503, "1", [])
    assert (await put(line)).status == 500
    assert len(echo.heard) == 1
    assert line.receipts == []


async def test_the_long_poll_is_not_wasted_a_fault_on(line: Line) -> None:
    line.spoils.append(Spoil("answer-500", 0.5))
    assert (await put(line, "/api/v1/commands?since=0&wait=5", "GET")).status == 200
    assert len(line.spoils) == 1


async def test_nothing_gets_through_while_it_is_away(line: Line, echo: Echo) -> None:
    line.go_away(3600)
    with pytest.raises(urllib3.exceptions.HTTPError):
        await put(line)
    line.away_until = 0.0
    assert (await put(line)).status == 200
    assert len(echo.heard) == 1
