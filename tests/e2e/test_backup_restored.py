"""A backup that the server made itself is put back after a kill, and its events go on."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiohttp

from tests.integration.test_production_life import WHOLE, output_of
from tests.kit.house import finish
from tests.kit.ports import free_port
from tests.kit.real_server import ROOT, RealServer, far_house


async def windfall(*args: str | Path) -> str:
    """A command as a process of its own; what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", *map(str, args), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_a_backup_is_put_back_after_a_kill_and_every_event_is_there_once(
    tmp_path: Path,
) -> None:
    server = RealServer(tmp_path, free_port(), {"limits.work_per_minute": "100000"})
    await server.start()
    data = tmp_path / "data"
    try:
        async with aiohttp.ClientSession() as session:
            found = far_house(server, session)
            await found.produce(found.definition(reference=0))
            hands = [await found.join(name) for name in ("ada", "bob")]
            for hand in hands:
                for lease in await hand.leases(1):
                    await hand.work(lease)
            status, made = await found.manage("POST", "/backups")
            assert (status, made["state"]) == (201, "whole")
            for hand in hands:
                for lease in await hand.leases(1):
                    await hand.send(lease, lease.first, lease.first + 3)
            await server.kill()
            (data / "windfall.db").write_bytes(b"what a broken disk leaves")
            for rest in ("windfall.db-wal", "windfall.db-shm"):
                (data / rest).unlink(missing_ok=True)
            copy = data / "backups" / made["name"]
            said = await windfall("db", "restore", copy, "--data", data)
            assert "is restored" in said
            assert (data / "windfall.db.damaged").read_bytes() == b"what a broken disk leaves"
            await server.start()
            view = await finish(found, hands)
            assert view["settled"] == 1000
            assert await output_of(found) == WHOLE
            _, checked = await found.manage("POST", "/productions/toy-run/verify")
            assert (checked["ok"], checked["events"]) == (True, 1000)
    finally:
        assert await server.stop() == 0
