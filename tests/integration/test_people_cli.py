"""Accounts from the command line alone: a password for the first administrator, and the rest."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.integration.test_cli_served import ROOT, Terminal
from tests.integration.test_doors import WORD
from tests.kit.house import house
from tests.kit.surfer import surfer


async def typed(terminal: Terminal, *args: str, lines: str) -> tuple[str, int]:
    """A command that reads from standard input; its errors and its exit code."""
    settings = terminal.house.settings
    environ = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONPATH": str(ROOT),
        "WINDFALL_SERVER": terminal.house.url,
        "WINDFALL_TOKEN_FILE": str(settings.admin_token),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", *args),
        cwd=terminal.place,
        env=environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate(lines.encode())
    return err.decode(), process.returncode or 0


async def test_the_first_administrator_gets_a_password_and_logs_in(tmp_path: Path) -> None:
    async with house(tmp_path) as found, surfer(found.url) as browser:
        terminal = Terminal(found, tmp_path)
        err, code = await typed(terminal, "account", "password", "admin", lines="short\n")
        assert (code, "at least 10 characters" in err) == (4, True)
        err, code = await typed(terminal, "account", "password", "admin", lines=f"{WORD}\n")
        assert (err, code) == ("", 0)
        assert (await browser.log_in("admin", WORD)).status == 303


async def test_people_are_managed_from_the_command_line(tmp_path: Path) -> None:
    async with house(tmp_path) as found, surfer(found.url) as browser:
        terminal = Terminal(found, tmp_path)
        made = await terminal.run("account", "invite", "--role", "operator", "--note", "for ada")
        listed = await terminal.run("account", "invitations")
        assert [each["note"] for each in listed] == ["for ada"]
        await browser.get(made["url"].removeprefix(found.url))
        await browser.get("/link")
        answer = await browser.post("/link", {"name": "ada", "password": WORD})
        assert answer.status == 303
        (session,) = await terminal.run("account", "sessions", "ada")
        assert session["how"] == "new account"
        assert await terminal.run("account", "sessions", "ada", "--end") == {"ended": 1}
        await terminal.run("account", "role", "ada", "volunteer")
        await terminal.run("account", "codes-off", "ada", "--yes")
        await terminal.run("account", "disable", "ada", "--yes")
        assert (await browser.log_in("ada", WORD)).status == 403
        await terminal.run("account", "enable", "ada")
        link = await terminal.run("account", "password", "ada", "--link")
        assert link["url"].startswith(f"{found.url}/link/")
        second = await terminal.run("account", "invite")
        await terminal.run("account", "uninvite", str(second["id"]))
        await terminal.run("account", "uninvite", str(second["id"]), code=6)
        log = await terminal.run("account", "audit", "--subject", "ada")
        deeds = {each["what"] for each in log}
        assert {"account.role", "account.disable", "account.enable", "account.join"} <= deeds


async def test_one_looks_after_ones_own_account_from_the_command_line(tmp_path: Path) -> None:
    public = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    (tmp_path / "id.pub").write_bytes(line + b" ada@home\n")
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    async with house(tmp_path) as found:
        terminal = Terminal(found, tmp_path)
        kept = await terminal.run("me", "profile", "--full-name", "Ada L")
        assert kept == {"mailed": False}
        assert (await terminal.run("me", "show"))["full_name"] == "Ada L"
        lines = f"\n{WORD}\n"
        assert (await typed(terminal, "me", "password", lines=lines))[1] == 0
        assert (await typed(terminal, "me", "password", lines=lines))[1] == 4, "the old is wanted"
        assert await terminal.run("me", "sessions") == []
        await terminal.run("me", "keys", "--add", tmp_path / "id", code=2)
        made = await terminal.run("me", "keys", "--add", tmp_path / "id.pub")
        assert [each["name"] for each in await terminal.run("me", "keys")] == ["ada@home"]
        await terminal.run("me", "keys", "--remove", str(made["id"]))
        assert await terminal.run("me", "keys") == []
