"""What is refused says why: outputs not there yet, strange names, places that cannot be used."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from server import wiring
from server.blobs.local import LocalBlobs
from server.configure import read
from server.db.errors import StoreUnusable
from server.handlers import keys
from server.services import enrol
from tests.integration.test_leases_over import later
from tests.kit.house import House, house
from vmagent.wire import codec
from vmagent.wire import messages as m


async def test_an_output_that_is_not_there_yet_says_how_far_it_is(found: House) -> None:
    await found.produce(found.definition(events=100, unit=100))
    for method, path in (("GET", "output"), ("POST", "verify")):
        status, said = await found.manage(method, f"/productions/toy-run/{path}")
        assert (status, said["code"]) == (409, "output-not-ready")
        assert "is active, 0 of 100 events settled" in said["detail"]
        assert "ask again when it is done" in said["detail"]


async def test_a_token_that_there_is_not_is_called_a_token(found: House) -> None:
    status, said = await found.manage("POST", "/tokens/99/revoke")
    assert (status, said["code"]) == (404, "issued-token-unknown")
    assert said["detail"].startswith("There is no token 99 here")


async def test_a_production_is_found_by_its_name_and_its_number(found: House) -> None:
    made = await found.produce(found.definition())
    for name in ("toy-run", str(made["id"])):
        assert (await found.show(name))["id"] == made["id"]
    for name in ("no-run", "99", "9" * 40):
        status, said = await found.manage("GET", f"/productions/{name}")
        assert (status, said["code"]) == (404, "production-unknown")


async def test_the_public_page_of_a_production_is_counted_once_a_second(found: House) -> None:
    await found.produce(found.definition())
    look = found.running.app[keys.LOOK]
    now = found.deps.clock()
    found.deps.clock = lambda: now
    first = await look.production("toy-run", 1.0)
    assert await look.production("toy-run", 1.0) is first
    await found.manage("POST", "/productions/toy-run/pause")
    assert (await look.production("toy-run", 1.0)).state == "paused"
    kept = await look.production("toy-run", 1.0)
    later(found, 1.1)
    assert await look.production("toy-run", 1.0) is not kept


async def test_an_unknown_token_writes_nothing(found: House) -> None:
    writes = 0
    write = found.deps.store.write

    async def counting(op: object) -> object:
        nonlocal writes  # of joining alone: duties of the server write at their own times
        writes += getattr(op, "__module__", "") == enrol.__name__
        return await write(op)

    found.deps.store.write = counting
    status, said = await found.enrol("wf1.nobody.knows", "vm")
    assert (status, said["code"], writes) == (401, "token-unknown", 0)


async def test_long_paths_of_a_host_are_refused(found: House) -> None:
    made = await found.token("volunteer")
    for size, wanted in ((257, 400), (256, 201)):
        facts = m.HostFacts(4, 8000, 8000, "x86_64", paths=["/" * size])
        message = m.EnrolRequest("a-request-of-mine", made["token"], "vm", facts)
        status, said = await found.call("POST", "/api/v1/hosts", codec.encode(message), "")
        assert status == wanted, said


async def test_as_many_leases_run_as_there_are_slots_and_the_suspended_say_so(
    found: House,
) -> None:
    await found.produce(found.definition(events=1000, unit=5, reference=0))
    ada = await found.join("ada")
    assert len((await ada.ask(256, slots=2)).leases) == 8
    later(found, 1.1)
    [host] = (await found.manage("GET", "/hosts"))[1]["hosts"]
    assert (host["running"], host["state"]) == (2, "working")
    for name, state in (("suspend", "suspended"), ("resume", "working")):
        await found.manage("POST", f"/hosts/{ada.id}/commands", {"name": name})
        later(found, 1.1)
        [host] = (await found.manage("GET", "/hosts"))[1]["hosts"]
        assert host["state"] == state


async def test_a_host_that_rests_says_why_until_it_asks_again(found: House) -> None:
    ada = await found.join("ada")
    for doing, state in (("suspended", "suspended"), ("", "waiting for work")):
        body = {"tasks": [], "doing": doing, "why": "on-battery" if doing else ""}
        assert (await ada.call("POST", "/api/v1/heartbeat", body))[0] == 200
        later(found, 1.1)
        [host] = (await found.manage("GET", "/hosts"))[1]["hosts"]
        assert (host["state"], host["why"]) == (state, body["why"])
    body = {"tasks": [], "doing": "king", "why": "<b>"}
    assert (await ada.call("POST", "/api/v1/heartbeat", body))[0] == 400
    await ada.call("POST", "/api/v1/heartbeat", {**body, "why": "vanity"})
    later(found, 1.1)
    [host] = (await found.manage("GET", "/hosts"))[1]["hosts"]
    assert host["state"] == "waiting for work"
    await ada.ask()
    later(found, 1.1)
    [host] = (await found.manage("GET", "/hosts"))[1]["hosts"]
    assert host["why"] == ""


async def test_blobs_are_for_their_owner_alone_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        blobs = LocalBlobs(str(tmp_path / "blobs"))
        await blobs.put("a/b/c", b"x")
        await blobs.close()
    finally:
        os.umask(before)
    for path in ((tmp_path / "blobs"), *(tmp_path / "blobs").rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


async def test_blobs_that_cannot_be_opened_make_a_store_unusable(tmp_path: Path) -> None:
    async with house(tmp_path):
        pass
    settings = read(
        {"server.data": str(tmp_path / "data"), "server.port": "0", "blobs.url": "gopher://x"}
    )
    with pytest.raises(StoreUnusable, match="names no place for blobs"):
        async with wiring.running(settings):
            pass


async def test_a_port_that_is_taken_ends_the_command_with_code_3(tmp_path: Path) -> None:
    async with house(tmp_path):
        pass
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "server", "serve", "--data", str(tmp_path / "data")]
        server = await asyncio.create_subprocess_exec(
            *command, "--port", str(port), stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(30):
            _, said = await server.communicate()
    assert server.returncode == 3
    assert f"cannot listen on 127.0.0.1:{port}: another program has this port" in said.decode()
    assert "Traceback" not in said.decode()
