"""Routes over real HTTP: who may call, how bodies are limited, and how errors are told."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web

from server.domain.errors import DiskFull
from server.handlers import params
from server.handlers.access import Host, Public, Role, Visitor
from server.handlers.mount import mount, undeclared
from server.handlers.routes import BYTES, HTML, Body, Reply, Route
from tests.kit.served import SomeGate, application, raw, serving, session_of
from vmagent.wire.messages import AskReply, AskRequest, KeyList

ASK = {"ask": "abcdefgh", "slots": 4, "memory_mb": 8000, "disk_mb": 20000}
HOST = {"Authorization": "Bearer host"}


async def ask(request: web.Request, card: str, message: AskRequest) -> AskReply:
    """Answers with what it was handed."""
    return AskReply(float(message.slots), probes=[card])


async def size_of(request: web.Request, body: bytes) -> KeyList:
    """Answers with the size of the body."""
    return KeyList([str(len(body))])


async def who(request: web.Request, caller: Any) -> KeyList:
    """Answers with the caller's role."""
    return KeyList([caller.role])


async def number(request: web.Request) -> KeyList:
    """Answers with the numbers of the address."""
    since = params.query_number(request, "since", 7, 0, 100)
    return KeyList([str(params.path_number(request, "id")), str(since)])


async def made(request: web.Request) -> Reply:
    """Answers with a status and a header of its own."""
    return Reply(KeyList([]), 201, {"Location": "/here"})


async def fail(request: web.Request) -> None:
    """Does what must not happen."""
    raise RuntimeError("the password is apple")


async def fail_on_page(request: web.Request, caller: object) -> None:
    """Does so where people look."""
    raise RuntimeError("the password is apple")


async def fail_late(request: web.Request) -> web.StreamResponse:
    """Does so when half of the answer is out."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"x" * 1000)
    raise RuntimeError("too late")


async def full(request: web.Request) -> None:
    """Refuses for a while."""
    raise DiskFull(30)


ROUTES = [
    Route("POST", "/work", ask, Host(), "x", Body.JSON, AskRequest, AskReply, most=4096,
          slowest=0.3),
    Route("PUT", "/whole", size_of, Public(), "x", Body.WHOLE, reply=KeyList, most=1000),
    Route("POST", "/manage", who, Role("manager"), "x", reply=KeyList),
    Route("GET", f"/things/{{id:{params.ID}}}", number, Public(), "x", reply=KeyList),
    Route("POST", "/things", made, Public(), "x", reply=KeyList, head=False),
    Route("GET", "/things", made, Public(), "x", reply=KeyList, head=True),
    Route("GET", "/fail", fail, Public(), "x"),
    Route("GET", "/page", fail_on_page, Visitor(), "x", media=HTML),
    Route("GET", "/fail-late", fail_late, Public(), "x", media=BYTES),
    Route("GET", "/full", full, Public(), "x"),
]  # fmt: skip


@pytest.fixture
async def place() -> AsyncIterator[tuple[str, int]]:
    """Where the routes are served."""
    async with serving(application(ROUTES), keepalive_timeout=0.5, lingering_time=0.1) as found:
        yield found


class Caller:
    """Sends requests, and gives back status, headers and JSON."""

    def __init__(self, session: ClientSession) -> None:
        """Over this session."""
        self.session = session

    async def __call__(self, method: str, path: str, **more: Any) -> tuple[int, Any, Any]:
        """Send one request."""
        async with self.session.request(method, path, **more) as response:
            text = await response.read()
            assert response.headers["Windfall-Protocol"] == "1"
            return response.status, response.headers, json.loads(text) if text else None


@pytest.fixture
async def call(place: tuple[str, int]) -> AsyncIterator[Caller]:
    """What sends requests to the routes."""
    async with ClientSession(f"http://{place[0]}:{place[1]}") as session:
        yield Caller(session)


async def test_a_host_is_handed_its_card_and_its_message(call: Caller) -> None:
    status, headers, found = await call("POST", "/work", json=ASK, headers=HOST)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert (found["time"], found["probes"]) == (4.0, ["card"])


@pytest.mark.parametrize(
    ("field", "code"),
    [
        (None, "token-missing"),
        ("Basic aG9zdA==", "token-missing"),
        ("host", "token-missing"),
        ("Bearer ", "token-unknown"),
        ("Bearer other", "token-unknown"),
        ("Bearer revoked", "token-revoked"),
        ("Bearer admin", "token-unknown"),
    ],
)
async def test_nobody_else_is_let_in(call: Caller, field: str | None, code: str) -> None:
    given = {} if field is None else {"Authorization": field}
    status, headers, found = await call("POST", "/work", json=ASK, headers=given)
    assert (status, found["code"]) == (401, code)
    assert headers["WWW-Authenticate"] == "Bearer"


async def test_the_scheme_is_read_in_any_case(call: Caller) -> None:
    status, _, _ = await call("POST", "/work", json=ASK, headers={"Authorization": "bEARER  host"})
    assert status == 200


@pytest.mark.parametrize(
    ("role", "status"), [("volunteer", 403), ("manager", 200), ("admin", 200), ("emperor", 403)]
)
async def test_a_role_covers_what_lesser_roles_may(call: Caller, role: str, status: int) -> None:
    found, _, reply = await call("POST", "/manage", headers={"Authorization": f"Bearer {role}"})
    assert found == status
    assert reply == {"keys": [role]} if status == 200 else reply["code"] == "forbidden"


async def test_a_message_with_a_fault_is_refused_with_its_path(call: Caller) -> None:
    status, _, found = await call("POST", "/work", json={**ASK, "slots": 0}, headers=HOST)
    assert (status, found["code"]) == (400, "bad-message")
    assert "$.slots" in found["detail"]


async def test_a_packed_message_is_read_and_a_packed_bomb_is_not(call: Caller) -> None:
    packed = {**HOST, "Content-Encoding": "gzip"}
    small = gzip.compress(json.dumps(ASK).encode())
    status, _, _ = await call("POST", "/work", data=small, headers=packed)
    assert status == 200
    bomb = gzip.compress(b" " * 3_000_000)
    assert len(bomb) < 4096
    status, _, found = await call("POST", "/work", data=bomb, headers=packed)
    assert (status, found["code"]) == (413, "too-large")


async def chunks(amount: int) -> AsyncIterator[bytes]:
    """A body whose length is not said."""
    for _ in range(amount):
        yield b" " * 100


async def test_a_body_above_its_limit_is_refused_said_or_not(call: Caller) -> None:
    for body in (b" " * 5000, chunks(50)):
        status, _, found = await call("POST", "/work", data=body, headers=HOST)
        assert (status, found["code"]) == (413, "too-large")


@pytest.mark.parametrize(("size", "status"), [(0, 200), (1000, 200), (1001, 413)])
async def test_a_body_of_bytes_is_taken_up_to_its_limit(
    call: Caller, size: int, status: int
) -> None:
    found, _, reply = await call("PUT", "/whole", data=b"x" * size)
    assert found == status
    assert reply == {"keys": [str(size)]} if status == 200 else reply["code"] == "too-large"


async def test_a_body_of_bytes_says_its_length_and_comes_as_it_is(call: Caller) -> None:
    status, _, found = await call("PUT", "/whole", data=chunks(1))
    assert (status, found["code"]) == (411, "length-missing")
    coded = {"Content-Encoding": "gzip"}
    status, _, found = await call("PUT", "/whole", data=gzip.compress(b"x"), headers=coded)
    assert (status, found["code"]) == (415, "coding-refused")


async def test_numbers_of_addresses_are_held_to_their_bounds(call: Caller) -> None:
    assert (await call("GET", "/things/12?since=5"))[2] == {"keys": ["12", "5"]}
    assert (await call("GET", "/things/12"))[2] == {"keys": ["12", "7"]}
    for wrong in ("x", "-1", "101", "1e400", ""):
        status, _, found = await call("GET", f"/things/12?since={wrong}")
        assert (status, found["code"]) == (400, "bad-parameter")
        assert found["detail"].startswith("since: ")
    assert (await call("GET", "/things/" + "9" * 19))[0] == 404


async def test_a_handler_may_answer_with_a_status_of_its_own(call: Caller) -> None:
    status, headers, found = await call("POST", "/things")
    assert (status, headers["Location"], found) == (201, "/here", {"keys": []})
    status, headers, found = await call("HEAD", "/things")
    assert (status, headers["Content-Length"], found) == (201, "11", None)


async def test_what_is_no_address_or_no_method_is_a_problem_too(call: Caller) -> None:
    status, headers, found = await call("GET", "/nothing")
    assert (status, found["code"]) == (404, "not-found")
    assert headers["Content-Type"] == "application/problem+json"
    status, headers, found = await call("DELETE", "/things")
    assert (status, found["code"], headers["Allow"]) == (
        405,
        "method-not-allowed",
        "GET, HEAD, POST",
    )


async def test_a_browser_is_shown_a_page_where_programs_get_a_problem(
    place: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    told = [
        ("GET", "/nothing", 404, "There is no page at /nothing"),
        ("GET", "/work", 405, "it only takes what a form sends"),
        ("GET", "/page", 500, "its log says why under"),
    ]
    cookies = {"windfall-session": session_of("volunteer")}
    headers = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with ClientSession(f"http://{place[0]}:{place[1]}", cookies=cookies) as browser:
        for method, path, status, words in told:
            async with browser.request(method, path, headers=headers) as shown:
                text = await shown.text()
                assert (shown.status, shown.content_type) == (status, "text/html"), path
                assert words in text
                assert "apple" not in text
                assert "<strong>anna</strong>" in text, "who is logged in stays so"
                assert shown.headers.get("Allow", "") == ("POST" if status == 405 else "")
    assert "apple" in caplog.text


async def test_a_refusal_for_a_while_says_for_how_long(call: Caller) -> None:
    status, headers, found = await call("GET", "/full")
    assert (status, headers["Retry-After"], found["code"]) == (507, "30", "disk-full")


async def test_a_failure_is_logged_and_not_told(
    call: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    status, _, found = await call("GET", "/fail")
    assert (status, found["code"]) == (500, "internal")
    assert "apple" not in json.dumps(found)
    assert "apple" in caplog.text


async def test_half_an_answer_is_never_made_to_look_whole(place: tuple[str, int]) -> None:
    found = await raw(place, b"GET /fail-late HTTP/1.1\r\nHost: x\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 200")
    assert not found.endswith(b"0\r\n\r\n")
    assert b"problem" not in found


def head(length: int) -> bytes:
    """The head of a request for work."""
    return (
        f"POST /work HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer host\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


async def test_a_body_that_does_not_come_is_given_up(place: tuple[str, int]) -> None:
    found = await raw(place, head(100), b"{")
    assert found.startswith(b"HTTP/1.1 408")
    assert b"too-slow" in found


async def test_a_head_that_does_not_come_is_given_up(place: tuple[str, int]) -> None:
    assert await raw(place, b"POST /work HTTP/1.1\r\nHost:") == b""


async def test_a_reader_that_leaves_in_the_middle_does_no_harm(
    place: tuple[str, int], call: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection(*place)
    writer.write(head(100) + b"{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await call("POST", "/work", json=ASK, headers=HOST))[0] == 200
    assert caplog.text == ""


async def test_what_is_not_http_is_refused_and_ends_the_connection(
    place: tuple[str, int],
) -> None:
    start = b"POST /work HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer host\r\n"
    found = await raw(place, start + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\nxx\r\n")
    assert found.split(b"\r\n")[0].endswith(b" 400 Bad Request")


async def test_a_route_beside_the_table_is_found_out() -> None:
    app = web.Application()
    mount(app, ROUTES, SomeGate())
    assert undeclared(app) == []
    app.router.add_get("/secret", fail_late)
    assert sorted(undeclared(app)) == ["GET /secret", "HEAD /secret"]
