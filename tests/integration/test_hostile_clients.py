"""Hosts and strangers that mean harm, against a whole server on its port."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from server.services.cards import REVOKED_MOST, Registry
from tests.kit.house import House, house

pytestmark = pytest.mark.filterwarnings("error")
ESCAPES = "\x1b[2J\x1b]0;owned\x07\n<script>alert(1)</script>"
MARKUP = "<script>alert(1)</script>"


async def raw(found: House, request: bytes) -> bytes:
    """What the server answers to these bytes before it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", found.port)
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(90):
        answer = await reader.read(65_536)
    writer.close()
    return answer


def get(path: str, *headers: bytes) -> bytes:
    lines = [f"GET {path} HTTP/1.1".encode(), b"Host: x", b"Connection: close", *headers]
    return b"\r\n".join([*lines, b"", b""])


@pytest.mark.parametrize("token", [b"\xff\xfe", b"\xed\xa0\x80", "é".encode(), b"\x80" * 500])
@pytest.mark.parametrize("path", ["/api/v1/commands?wait=0", "/api/v1/status"])
async def test_a_token_of_odd_bytes_is_no_token_and_no_fault(
    tmp_path: Path, token: bytes, path: str
) -> None:
    async with house(tmp_path) as found:
        answer = await raw(found, get(path, b"Authorization: Bearer " + token))
        assert answer.startswith(b"HTTP/1.1 401 "), answer
        assert b'"token-missing"' in answer


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Transfer-Encoding: chunked, identity",
        b"Content-Length: +4",
        b"Content-Length: 4 ",
        b"Content-Length : 4",
    ],
)
async def test_no_second_request_is_smuggled_in_a_body(tmp_path: Path, head: bytes) -> None:
    async with house(tmp_path) as found:
        inner = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        body = b"0\r\n\r\n" if b"chunked" in head else b""
        request = b"POST /api/v1/hosts HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n" + body + inner
        answer = await raw(found, request)
        assert answer.split(b" ", 2)[1] == b"400"
        assert b'"status":"ok"' not in answer


async def test_what_a_host_calls_itself_harms_no_page(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        made = await found.token("volunteer")
        status, said = await found.enrol(made["token"], ESCAPES)
        assert (status, said["code"]) == (400, "bad-input")
        assert "characters that cannot be printed" in said["detail"]
        status, _ = await found.enrol(made["token"], MARKUP)
        assert status == 201
        page = (await found.answer("GET", "/")).body.decode()
        assert "<script>alert" not in page
        listed = await found.answer("GET", "/api/v1/hosts", token=found.admin)
        assert json.loads(json.dumps(listed.body))["hosts"][0]["name"] == MARKUP


async def test_joining_again_and_again_leaves_no_more_behind_than_fits(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        made = await found.token("volunteer")
        answers = [await found.enrol(made["token"], "vm", "the-same-request") for _ in range(5)]
        assert {body["host"] for _, body in answers} == {1}
        old = await found.call("GET", "/api/v1/commands?wait=0", None, answers[0][1]["token"])
        assert (old[0], old[1]["code"]) == (401, "token-revoked")
        assert len(found.deps.registry.by_hash) == 1


def test_revoked_tokens_are_remembered_up_to_a_bound() -> None:
    recent = Registry().revoked
    for number in range(REVOKED_MOST + 10):
        recent[number.to_bytes(32, "big")] = None
    assert len(recent) == REVOKED_MOST
    assert (9).to_bytes(32, "big") not in recent
    assert (10).to_bytes(32, "big") in recent


async def test_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        data = found.settings.data
        assert data.stat().st_mode & 0o077 == 0
        assert found.settings.admin_token.stat().st_mode & 0o077 == 0
        for key in data.rglob("*.key"):
            assert key.stat().st_mode & 0o077 == 0
