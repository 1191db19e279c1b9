"""The command line against a whole server, each command a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.domain.roles import ROLES
from tests.kit.house import House, bundle, finish, house

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Terminal:
    """A terminal on the machine of the server."""

    house: House
    place: Path

    async def run(self, *args: str | Path, code: int = 0) -> Any:
        """What a command answers as JSON; it has to end with this code."""
        out, err, ended = await self.said(*args, "--json")
        assert ended == code, (args, out, err)
        return json.loads(out)

    async def said(self, *args: str | Path) -> tuple[str, str, int]:
        """Output, errors and exit code of a command."""
        settings = self.house.settings
        environ = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "PYTHONPATH": str(ROOT),
            "WINDFALL_SERVER": self.house.url,
            "WINDFALL_TOKEN_FILE": str(settings.admin_token),
            "WINDFALL_SERVER_DATA": str(settings.data),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server", *map(str, args)),
            cwd=self.place,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert b"Traceback" not in err, err.decode()
        return out.decode(), err.decode(), process.returncode or 0

    async def production(self, **changes: Any) -> Any:
        """Sign and add the toy payload, then create the toy production."""
        toy = self.place / "toy-1.tar.gz"
        toy.write_bytes(bundle())
        await self.run("payload", "sign", toy, "--key", self.house.release)
        await self.run("payload", "add", toy)
        file = self.place / "run.toml"
        file.write_text(self.house.definition(**changes))
        signing = ("--payload", "toy-1.jws", "--key", self.house.release)
        return await self.run("production", "create", file, *signing, "--no-probe")


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    place = tmp_path / "desk"
    place.mkdir()
    async with house(tmp_path) as found:
        yield Terminal(found, place)


async def test_a_production_is_followed_from_its_file_to_its_output(terminal: Terminal) -> None:
    made = await terminal.production()
    assert made["plan"]["copies"] == 2000
    assert made["production"]["state"] == "active"
    early = await terminal.run("production", "output", "toy-run", "-o", "early", code=4)
    assert early["error"]["problem"] == "output-not-ready"
    hands = [await terminal.house.join(name) for name in ("anna", "bert")]
    await finish(terminal.house, hands)
    over = await terminal.run("production", "show", "toy-run", "--watch")
    assert (over["state"], over["settled"]) == ("done", 1000)
    fetched = await terminal.run("production", "output", "toy-run", "-o", "out.zst")
    assert fetched["digest"] == over["output"]["digest"]
    assert (terminal.place / "out.zst").stat().st_size == over["output"]["size"]
    read = await terminal.run("production", "verify", "toy-run")
    assert (read["ok"], read["events"]) == (True, 1000)
    hosts = await terminal.run("host", "list")
    assert [host["name"] for host in hosts] == ["anna", "bert"]


async def test_a_broken_fetch_of_a_real_output_goes_on(terminal: Terminal) -> None:
    await terminal.production()
    hands = [await terminal.house.join(name) for name in ("anna", "bert")]
    await finish(terminal.house, hands)
    await terminal.run("production", "output", "toy-run", "-o", "whole")
    whole = (terminal.place / "whole").read_bytes()
    show = await terminal.run("production", "show", "toy-run")
    (terminal.place / "again.part").write_bytes(whole[:100])
    (terminal.place / "again.part.etag").write_text(f'"{show["output"]["digest"]}"')
    _, err, code = await terminal.said("production", "output", "toy-run", "-o", "again")
    assert code == 0
    assert "going on after the 100 bytes" in err
    assert (terminal.place / "again").read_bytes() == whole


async def test_a_production_is_paused_resumed_and_aborted(terminal: Terminal) -> None:
    await terminal.production()
    assert (await terminal.run("production", "pause", "toy-run"))["state"] == "paused"
    assert (await terminal.run("production", "resume", "toy-run"))["state"] == "active"
    refused = await terminal.run("production", "release", "toy-run", code=4)
    assert refused["error"]["problem"] == "illegal-move"
    assert (await terminal.run("production", "abort", "toy-run"))["state"] == "aborted"
    missing = await terminal.run("production", "show", "nothing", code=6)
    assert missing["error"]["problem"] == "production-unknown"


async def test_a_payload_signed_by_a_stranger_is_refused(terminal: Terminal) -> None:
    toy = terminal.place / "toy-1.tar.gz"
    toy.write_bytes(bundle())
    await terminal.run("key", "new", "release", "--folder", "stranger")
    await terminal.run("payload", "sign", toy, "--key", "stranger/release.key")
    refused = await terminal.run("payload", "add", toy, code=7)
    assert refused["error"]["problem"] == "unsigned"
    assert await terminal.run("payload", "list") == []


async def test_accounts_and_tokens_are_made_and_revoked(terminal: Terminal) -> None:
    for role in ROLES:
        made = await terminal.run("account", "create", f"a-{role}", "--role", role)
        assert made["role"] == role
    twice = await terminal.run("account", "create", "a-admin", code=4)
    assert twice["error"]["problem"] == "exists"
    token = await terminal.run("account", "token", "a-manager", "--kind", "api", "-o", "t")
    hers = ("--server", terminal.house.url, "--token-file", "t")
    assert (await terminal.run("status", *hers))["hosts_total"] == 0
    forbidden = await terminal.run("account", "list", *hers, code=4)
    assert forbidden["error"]["problem"] == "forbidden"
    await terminal.run("account", "revoke", str(token["id"]))
    revoked = await terminal.run("status", *hers, code=4)
    assert revoked["error"]["problem"] == "token-revoked"
    (row,) = await terminal.run("account", "tokens", "a-manager")
    assert row["revoked_at"] is not None


async def test_a_host_is_told_and_revoked(terminal: Terminal) -> None:
    hand = await terminal.house.join("anna")
    assert (await terminal.run("host", "command", str(hand.id), "drain"))["seq"] > 0
    await terminal.run("host", "revoke", str(hand.id))
    status, problem = await hand.call("POST", "/api/v1/heartbeat", {"tasks": []})
    assert (status, problem["code"]) == (401, "token-revoked")


async def test_a_site_is_made_shown_switched_off_and_on(terminal: Terminal) -> None:
    await terminal.run("account", "create", "hlt")
    token = (await terminal.run("account", "token", "hlt", "--site", "farm"))["token"]
    assert (await terminal.run("account", "tokens", "hlt"))[0]["site"] == "farm"
    status, joined = await terminal.house.enrol(token, "node-1")
    assert status == 201
    assert (await terminal.run("host", "list"))[0]["site"] == "farm"
    stopped = await terminal.run("site", "stop", "farm", "--grace", "1.5", "--reason", "beam")
    assert stopped["hosts"] == 1
    shown = await terminal.run("site", "show", "farm")
    assert (shown["how"], shown["reason"], shown["switch_grace_s"]) == ("stop", "beam", 1.5)
    assert shown["not_answered"] == ["node-1"]
    out, err, code = await terminal.said("site", "show", "farm")
    assert (code, err) == (0, "")
    assert "node-1" in out
    await terminal.run("site", "suspend", "farm", "--hosts", str(joined["host"]))
    await terminal.run("site", "drain", "--account", "hlt")
    await terminal.run("site", "offline", "--all", "--how", "drain")
    (row,) = await terminal.run("site", "list")
    assert (row["mode"], row["how"]) == ("offline", "drain")
    await terminal.run("site", "online", "farm")
    await terminal.run("site", "resume", "farm")
    assert (await terminal.run("site", "show", "farm"))["mode"] == "online"
    await terminal.run("site", "stop", "farm", "--all", code=2)
    await terminal.run("site", "stop", "--all", "--hosts", "1", code=2)
    missing = await terminal.run("site", "stop", "nowhere", code=6)
    assert missing["error"]["problem"] == "site-unknown"


async def test_the_database_is_saved_while_the_server_runs_and_checked_after(
    terminal: Terminal,
) -> None:
    await terminal.production()
    in_use = await terminal.run("db", "check", code=3)
    assert "in use by process" in in_use["error"]["detail"]
    await terminal.run("db", "backup", "copy.db")
    copy = ("--set", f"database.url=sqlite:///{terminal.place}/copy.db")
    assert (await terminal.run("db", "check", *copy))["ok"]
    assert (await terminal.run("db", "upgrade", *copy))["applied"] == []
    with (terminal.place / "copy.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    damaged = await terminal.run("db", "check", *copy, code=1)
    assert damaged["error"]["faults"]


async def test_the_document_of_the_server_is_printed(terminal: Terminal) -> None:
    assert (await terminal.run("openapi"))["openapi"] == "3.1.0"
