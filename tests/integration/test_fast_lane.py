"""The short way answers as the long way does: the same bytes to servers with it and without."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from server.domain.throttle import Minute
from server.handlers.lane import Lane
from server.handlers.plain import read
from server.services.ingest import Arrival
from tests.kit.house import Hand, House, content_digest, frame, frame_path, house
from tests.kit.served import deaf, until
from vmagent.wire import codec
from vmagent.wire import messages as m

BYE = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
SEEDS = range(4)
ROUNDS = 25


@dataclass(frozen=True)
class Side:
    """A server, a host of it and its lease."""

    found: House
    hand: Hand
    lease: m.Lease


def believe(found: House, hand: Hand, token: str) -> None:
    """Give a host this token: what is sent to both sides is the same to the last byte then."""
    registry, digest = found.deps.registry, hashlib.sha256(token.encode()).digest()
    registry.add_host(registry.drop_host(hand.id), digest)
    hand.token = token


@pytest.fixture
async def sides(tmp_path: Path) -> AsyncIterator[list[Side]]:
    """With the lane, and without."""
    async with AsyncExitStack() as stack:
        made = []
        for name in ("true", "false"):
            options = {"server.fast_lane": name, "limits.json_bytes": "20000"}
            options["limits.beats_per_minute"] = "100000"
            found = await stack.enter_async_context(house(tmp_path / name, **options))
            await found.produce(found.definition(events=4000, unit=2000, reference=0))
            hand = await found.join("ada")
            [lease] = await hand.leases()
            made.append(Side(found, hand, lease))
            believe(found, hand, made[0].hand.token)
        assert made[0].lease.first == made[1].lease.first
        yield made


def request(head: str, token: str, body: bytes = b"", *headers: str) -> bytes:
    """A request as an agent writes it."""
    lines = [
        f"{head} HTTP/1.1", "Host: x", "Accept-Encoding: identity",
        f"Authorization: Bearer {token}", f"Content-Length: {len(body)}", *headers,
    ]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def ask(number: int) -> bytes:
    """A body that asks for work."""
    return codec.encode(m.AskRequest(f"ask-{number:09d}", 1, 8000, 8000, None, {}, 1))


def a_frame(side: Side, at: int, count: int, size: int) -> bytes:
    """A frame inside of the lease."""
    first = side.lease.first + at
    body = frame(first, first + count, lambda event: bytes([event % 251]) * size)
    path = frame_path(side.lease.production, first, first + count)
    return request(f"PUT {path}", side.hand.token, body, f"Content-Digest: {content_digest(body)}")


async def answers(side: Side, pieces: list[bytes]) -> list[tuple[int, Any]]:
    """Every answer on a connection that these bytes were written to, piece by piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", side.found.port)
    found: list[tuple[int, Any]] = []
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)
        async with asyncio.timeout(90):
            while line := await reader.readline():
                status = int(line.split()[1])
                found.append((status, await _body(reader)))
    except (ConnectionError, asyncio.IncompleteReadError):
        found.append((0, ("reset", "")))
    finally:
        writer.close()
    return found


async def _body(reader: asyncio.StreamReader) -> Any:
    length, kind = 0, ""
    while (line := (await reader.readline()).strip()) != b"":
        name, _, value = line.decode("latin-1").partition(": ")
        if name.lower() == "content-length":
            length = int(value)
        elif name.lower() == "content-type":
            kind = value
    raw = await reader.readexactly(length)
    if "json" not in kind:
        return kind, raw.decode()
    said = json.loads(raw)
    return kind, said


def gist(answer: tuple[int, Any]) -> tuple[int, Any]:
    """What has to be equal, whatever of the garbage before was taken for a request."""
    status, said = answer
    if not isinstance(said, tuple) or not isinstance(said[1], dict):
        return status, said[0]
    kind, found = said
    return status, (kind, sorted(found), found.get("code"), found.get("detail"))


HEADERS = [
    b"Expect: 100-continue", b"Connection: close", b"Connection: keep-alive",
    b"Connection: Upgrade", b"Content-Encoding: gzip", b"X-Any: thing", b" folded",
    b"Transfer-Encoding: chunked", b"X-Odd: \xff\xfe", b"X-Empty:", b"X: a\x00b",
    b"Upgrade: h2c", b"X-Long: " + b"y" * 100, b"X-Long: " + b"y" * 5000,
    b"X-Long: " + b"y" * 9000, b"TE: trailers", b"Authorization: Bearer other",
    b"Content-Length: 3",
]  # fmt: skip


def spoil(chance: random.Random, raw: bytes) -> bytes:
    """The same request with one thing changed."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    at = chance.randrange(len(lines))
    line, path = lines[at], first.split(b" ")[1]
    cut = chance.randrange(len(body) + 1)
    odd = chance.choice([b"0", b"7", b"1000000000", b"-1"])
    changed = chance.choice(
        [
            [first, *lines, line],
            [first, *lines[:at], line.upper(), *lines[at + 1 :]],
            [first, *lines[:at], *lines[at + 1 :]],
            [first, *lines, line.replace(b": ", chance.choice([b":", b" : ", b":\t ", b"; "]))],
            *[[first, *lines[:at], chance.choice(HEADERS), *lines[at:]]] * 4,
            [first.replace(b"/1.1", chance.choice([b"/1.0", b"/1.2", b"1.1"])), *lines],
            [chance.choice([b"get", b"PATCH", b"DELETE", b"HEAD"]) + first[4:], *lines],
            [first.replace(path, path + chance.choice([b"/", b"?a=b", b"%20", b"0"])), *lines],
            [first, *(re.sub(rb"Length: \d+", b"Length: " + odd, each) for each in lines)],
            [first, *lines, *(b"X-%d: y" % k for k in range(chance.choice([10, 40, 90])))],
            [chance.choice([b"\r\n", b" ", b"\r\n\r\n"]) + first, *lines],
        ]
    )
    bodies = [body, body, body, body[:cut], body[:cut] + b"!" + body[cut + 1 :], body + b"zz"]
    end = chance.choice([b"\r\n"] * 9 + [b"\n"])
    return end.join(changed) + end + end + chance.choice(bodies)


def missing(raw: bytes) -> int:
    """How many bytes of the body of a request do not come; 0 of more than is taken of any."""
    said = re.search(rb"(?i)content-length[: \t]*(\d+)", raw)
    wanted = (int(said[1]) if said else 0) - len(re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[1])
    return wanted if 0 < wanted < 10**6 else 0


def alike(one: list[Any], other: list[Any]) -> bool:
    """Whether both say the same.

    What came before something that is no HTTP in one read, aiohttp drops unanswered, and then
    closes on what it has not read, which may cost the other end an answer: then the last word has
    to be the same, and what was said before it as far as it was.
    """
    if one == other:
        return True
    broken, reset = (400, "text/plain; charset=utf-8"), (0, "reset")
    ended = [said[:-1] for said in (one, other) if said and said[-1] in (broken, reset)]
    if reset in one + other:
        ended = [[each for each in said if each != reset] for said in (one, other)]
    least = min(map(len, ended), default=0)
    return len(ended) == 2 and ended[0][:least] == ended[1][:least]


def pieces_of(chance: random.Random, raw: bytes) -> list[bytes]:
    """The bytes in one or a few writes, cut anywhere."""
    cuts = sorted(chance.randrange(len(raw)) for _ in range(chance.choice([0, 0, 1, 3])))
    return [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True) if a < b]


def some(chance: random.Random, number: int) -> Callable[[Side], bytes]:
    """One of the requests that come all the time, or another."""
    which, size = chance.randrange(6), chance.choice([10, 900, 60_000])
    if which < 2:
        at = chance.randrange(10)
        return lambda side: a_frame(side, at * 10, 10, size // 10)
    if which == 2:
        return lambda side: request("POST /api/v1/work", side.hand.token, ask(number))
    if which == 3:
        return lambda side: request(
            "POST /api/v1/heartbeat", side.hand.token,
            codec.encode(m.HeartbeatRequest([m.Progress(side.lease.task, number % 10)])),
        )  # fmt: skip
    if which == 4:
        return lambda side: request(f"GET /api/v1/tasks/{side.lease.task}", side.hand.token)
    return lambda side: request("GET /api/v1/keys", side.hand.token).replace(b"keys", b"none")


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_is_sent_both_ways_answer_alike(sides: list[Side], seed: int) -> None:
    for round_ in range(ROUNDS):
        told = []
        for side in sides:
            chance = random.Random(f"{seed}.{round_}")
            raw, short = b"", 0
            for k in range(chance.choice([1, 1, 2, 4])):
                one = some(chance, 1000 * round_ + k)(side)
                one = spoil(chance, one) if chance.random() < 0.4 else one
                raw, short = raw + one, max(missing(one), short - len(one))
            if short > len(BYE):  # else both would rightly wait for minutes
                raw += b"z" * short
            found = await answers(side, pieces_of(chance, raw + BYE))
            told.append([gist(answer) for answer in found])
        assert alike(*told), f"seed {seed}, round {round_}: {told[0]} and {told[1]}"
        card = [side.found.deps.registry.hosts[side.hand.id] for side in sides]
        for each in card:
            each.asks, each.unproven = Minute(), Minute()


async def test_frames_in_any_pieces_are_whole_and_the_connection_goes_on(sides: list[Side]) -> None:
    side, chance = sides[0], random.Random(5)
    reader, writer = await asyncio.open_connection("127.0.0.1", side.found.port)
    for number, size in enumerate([1, 1000, 5_000, 60_000, 90_000, 3, 90_000]):
        raw = a_frame(side, number * 10, 10, size)
        for piece in pieces_of(chance, raw):
            writer.write(piece)
            await asyncio.sleep(0.002)
        assert (await reader.readline()).split()[1] == b"200"
        _, said = await _body(reader)
        assert said["task"]["held"] == [[0, number * 10 + 10]]
    writer.close()


async def test_requests_written_at_once_are_answered_in_their_order(sides: list[Side]) -> None:
    side = sides[0]
    raw = b"".join(a_frame(side, number * 2, 2, 2000) for number in range(40))
    found = await answers(side, [raw, BYE])
    assert [status for status, _ in found] == [200] * 41
    held = [said["task"]["held"] for _, (_, said) in found[:-1]]
    assert held == [[[0, number * 2 + 2]] for number in range(40)]


async def test_the_rest_of_a_refused_body_is_dropped_and_the_next_request_answered(
    sides: list[Side],
) -> None:
    side = sides[0]
    raw = a_frame(side, 0, 10, 60_000).replace(b"WFF1", b"WFF9")
    cut = raw.index(b"\r\n\r\n") + 40_000
    found = await answers(side, [raw[:cut], raw[cut:], a_frame(side, 0, 10, 60_000), BYE])
    assert [status for status, _ in found] == [400, 200, 200]
    assert found[0][1][1]["code"] == "bad-frame"


async def test_a_body_that_does_not_come_is_not_waited_for(
    sides: list[Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.handlers.hot.SLOWEST_S", 0.3)
    found = await answers(sides[0], [a_frame(sides[0], 0, 10, 60_000)[:30_000]])
    assert [status for status, _ in found] == [408]
    assert not sides[0].found.deps.frames._waiting


async def test_who_goes_away_in_the_midst_leaves_nothing_behind(sides: list[Side]) -> None:
    side = sides[0]
    for cut in (300, 30_000):
        _, writer = await asyncio.open_connection("127.0.0.1", side.found.port)
        writer.write(a_frame(side, 0, 10, 60_000)[:cut])
        await writer.drain()
        writer.close()
    found = await answers(side, [a_frame(side, 0, 10, 60_000), BYE])
    assert [status for status, _ in found] == [200, 200]
    assert await side.found.rows("SELECT first, last FROM frames") == [(0, 10)]


async def test_a_server_that_stops_still_answers_what_it_has_begun(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition(events=400, unit=200, reference=0))
        hand = await found.join("ada")
        [lease] = await hand.leases()
        side = Side(found, hand, lease)
        sync, begun, go_on = found.deps.segments.sync, asyncio.Event(), asyncio.Event()

        async def slow(*args: Any) -> None:
            begun.set()
            await go_on.wait()
            await sync(*args)

        found.deps.segments.sync = slow
        reader, writer = await asyncio.open_connection("127.0.0.1", found.port)
        writer.write(a_frame(side, 0, 10, 10))
        await begun.wait()
        asyncio.get_running_loop().call_later(0.5, go_on.set)
    assert (await reader.readline()).split()[1] == b"200"
    writer.close()


async def test_a_server_that_stops_waits_for_no_body_whose_sender_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, begun = Arrival.piece, asyncio.Event()

    def piece(arrival: Arrival, data: bytes) -> None:
        begun.set()
        real(arrival, data)

    monkeypatch.setattr(Arrival, "piece", piece)
    monkeypatch.setattr("server.wiring.SHUTDOWN_S", 3600.0)  # whoever waits, waits too long
    async with house(tmp_path) as found:
        await found.produce(found.definition(events=400, unit=200, reference=0))
        hand = await found.join("ada")
        [lease] = await hand.leases()
        _, writer = await asyncio.open_connection("127.0.0.1", found.port)
        writer.write(a_frame(Side(found, hand, lease), 0, 10, 60_000)[:30_000])
        await begun.wait()
        asyncio.get_running_loop().call_later(0.3, writer.close)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(found.url)


async def test_of_requests_written_without_end_little_is_held(
    sides: list[Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 0
    real = Lane._hold

    def hold(self: Lane, data: bytes) -> None:
        nonlocal most
        real(self, data)
        most = max(most, sum(map(len, self._held)))

    monkeypatch.setattr(Lane, "_hold", hold)
    side, count = sides[0], 3000
    raw = request("POST /api/v1/heartbeat", side.hand.token, b"{}" + b" " * 2000)
    reader, writer = await asyncio.open_connection("127.0.0.1", side.found.port)
    writer.write(raw * count + BYE)
    answers = await reader.read()  # more signs of life than a host may give in a minute
    assert answers.count(b"HTTP/1.1 200 ") + answers.count(b"HTTP/1.1 429 ") == count + 1
    writer.close()
    assert 0 < most < 1_000_000


async def test_who_reads_no_answers_gets_no_more_of_them(
    sides: list[Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    transports: list[Any] = []
    real = web.RequestHandler.connection_made

    def made(self: web.RequestHandler, transport: asyncio.BaseTransport) -> None:
        transports.append(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        real(self, transport)

    monkeypatch.setattr(web.RequestHandler, "connection_made", made)
    for side in sides:
        beat = codec.encode(m.HeartbeatRequest([m.Progress(side.lease.task, 0)]))
        raw = request("POST /api/v1/heartbeat", side.hand.token, beat)
        transports.clear()
        reader = await deaf(("127.0.0.1", side.found.port), raw * 4000)  # answers of 1 MB
        await until(lambda: any(one.get_write_buffer_size() > 50_000 for one in transports))
        await asyncio.sleep(0.3)  # time to write more, which it must not do
        assert transports[-1].get_write_buffer_size() < 200_000
        transports[-1].abort()
        reader.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\x00\r\n\r\n", b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-%d: y\r\n" * 2 % (1, 1) + b"\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-A%s: y\r\n" % (b"b" * k) for k in range(40)) + b"\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n\r\n",
        b"GET http://x/ HTTP/1.1\r\n\r\n", b"GET /%41 HTTP/1.1\r\n\r\n",
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_not_read(raw: bytes) -> None:
    assert read(raw) is None


def test_a_line_of_spaces_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.handlers.plain.HEAD_MOST", 2**30)
    # Their number squared would take a day.
    assert read(b"GET / HTTP/1.1\r\nHost: x\r\nA:%b\x01\r\n\r\n" % (b" " * 3_000_000)) is None


def test_a_plain_head_is_read_whole() -> None:
    found = read(b"PUT /a/1-2 HTTP/1.1\r\nHost: x\r\nCONTENT-length: 12\r\nEmpty:\r\n\r\nbody")
    assert found is not None
    assert (found.method, found.path, found.size, found.body_at) == (b"PUT", b"/a/1-2", 12, 60)
    assert found.headers == {b"host": b"x", b"content-length": b"12", b"empty": b""}
