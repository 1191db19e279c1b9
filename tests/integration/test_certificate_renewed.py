"""A certificate that is renewed while the server answers: it is taken, and nobody is hung up on."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server import loops
from server.services.upkeep import watch
from tests.kit.house import House
from tests.kit.ports import free_port
from tests.kit.real_server import RealServer
from tests.kit.tls import certify, tls_house

ANY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ANY.check_hostname, ANY.verify_mode = False, ssl.CERT_NONE
ASKED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Line]:
    """A connection with a handshake of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=ANY)
    yield reader, writer
    writer.close()


def shown(line: Line) -> bytes:
    """The certificate of a connection (DER)."""
    found: bytes = line[1].get_extra_info("ssl_object").getpeercert(binary_form=True)
    return found


async def answered(line: Line, rest: bytes = ASKED) -> bytes:
    """The status of the answer to what is written."""
    reader, writer = line
    writer.write(rest)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(part for part in head.lower().split(b"\r\n") if b"content-length" in part)
    await reader.readexactly(int(length.split(b":")[1]))
    return head.split(b" ", 2)[1]


async def now_shown(port: int) -> bytes:
    """The certificate of a new connection."""
    async with connected(port) as line:
        return shown(line)


def renew(folder: Path, cert: Path, key: Path) -> None:
    """Another pair in place of these, good for 90 days."""
    (folder / "renewed").mkdir(exist_ok=True)
    for old, new in zip(
        (cert, key), certify(folder / "renewed", "127.0.0.1", days=90), strict=True
    ):
        new.replace(old)


async def alerts(found: House) -> dict[str, str]:
    """What is wrong by now, by kind: what is seen no more for 75 seconds is over."""
    before = found.deps.clock
    found.deps.clock = lambda: before() + 100.0
    await watch.once(found.deps)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:
        admin = {"Authorization": f"Bearer {found.admin}"}
        async with session.get(f"{found.url}/api/v1/operations", headers=admin) as reply:
            said: Any = await reply.json()
    return {one["kind"]: one["cause"] for one in said["alerts"]}


async def test_a_renewed_certificate_is_taken_and_a_broken_one_told_without_hanging_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "SWEEP_S", 0.05)
    async with tls_house(tmp_path) as found, connected(found.port) as old:
        cert, key, first = tmp_path / "cert.pem", tmp_path / "key.pem", shown(old)
        assert "ends in 23 hours" in (await alerts(found))["certificate"]
        old[1].write(ASKED[:20])

        async def renewed() -> bool:
            return await now_shown(found.port) != first

        renew(tmp_path, cert, key)
        await found.until(renewed)
        assert await answered(old, ASKED[20:]) == b"200", "begun before, and ended after"
        assert await answered(old) == b"200"

        async def over(kind: str) -> bool:
            return kind not in await alerts(found)

        await found.until(lambda: over("certificate"))
        second, kept = await now_shown(found.port), key.read_bytes()
        key.write_bytes(b"no key")

        async def told() -> str | None:
            return (await alerts(found)).get("certificate-refused")

        assert "is not taken" in await found.until(told)
        assert await now_shown(found.port) == second
        key.write_bytes(kept)

        await found.until(lambda: over("certificate-refused"))
        assert await answered(old) == b"200"


async def test_a_hangup_signal_has_the_server_look_at_its_certificate_at_once(
    tmp_path: Path,
) -> None:
    cert, key = certify(tmp_path, "127.0.0.1")
    options = {"server.tls_cert": str(cert), "server.tls_key": str(key)}
    server = RealServer(tmp_path, free_port(), options)
    process = await server.start()
    try:
        async with connected(server.port) as old:
            for renewals in (1, 2):  # looked at as well when it has not changed
                process.send_signal(signal.SIGHUP)
                async with asyncio.timeout(60):
                    while _taken(server) < renewals:  # noqa: ASYNC110  # nobody tells
                        await asyncio.sleep(0.02)
                if renewals == 1:
                    assert await now_shown(server.port) == shown(old)
                    renew(tmp_path, cert, key)
            assert await now_shown(server.port) != shown(old)
            assert await answered(old) == b"200"
    finally:
        await server.kill()


def _taken(server: RealServer) -> int:
    return (server.folder / "log").read_text().count("certificate taken")
