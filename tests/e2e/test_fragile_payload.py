"""A payload that dies of one event everywhere: real agents of three accounts make all others."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from tests.kit.agent_process import ROOT, AgentProcess
from tests.kit.house import House, house

BAD = 137
ACCOUNTS = ("ada", "bob", "cat")
# It sends its events in batches, and says at which it is: else the first of the batch is blamed.
SCRIPT = f"""
import evp, os, signal, sys
channel = evp.Channel("fragile")
for part in channel.ranges():
    first = part.first
    while first < part.last:
        last = min(part.last, first + 50)
        records = []
        for event in range(first, last):
            channel.at(event)
            if event == {BAD}:
                print("Tracker::fit: no hits in event", event, flush=True)
                os.kill(os.getpid(), signal.SIGSEGV)
            records.append(b"event %d of %d\\n" % (event, channel.seed))
        channel.events(first, last, records)
        first = last
"""


async def join(found: House, folder: Path, account: str) -> AgentProcess:
    """A real agent of this account, at work."""
    token = (await found.token(account))["token"]
    agent = AgentProcess(folder / account)
    said = ("--server", found.url, "--token-file", "-", "--name", account)
    done = await asyncio.to_thread(agent.call, "join", *said, stdin=token)
    assert done.returncode == 0, done.stderr
    agent.start()
    return agent


def shown(found: House) -> dict[str, object]:
    """What `windfall production show` says."""
    tokens = str(found.settings.admin_token)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "server", "production", "show", "toy-run", "--json"),
            *("--server", found.url, "--token-file", tokens),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.timeout(150)
async def test_one_event_is_set_aside_and_all_others_are_made_once(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        text = found.definition(events=300, unit=300, quorum=2, reference=4)
        await found.produce(text, SCRIPT.encode())
        agents = [await join(found, tmp_path, account) for account in ACCOUNTS]
        try:
            view = await found.until(lambda: over(found), 120.0)
        finally:
            for agent in agents:
                agent.kill_all()
        assert (view["settled"], view["set_aside"]) == (299, 1)
        told = await asyncio.to_thread(shown, found)
        assert told["set_aside_events"] == view["set_aside_events"]
        [event] = view["set_aside_events"]
        assert (event["first"], event["last"], event["accounts"]) == (BAD, BAD + 1, 3)
        assert event["line"] == f"Tracker::fit: no hits in event {BAD}"
        _, body = await found.manage("GET", "/productions/toy-run/output")
        made = zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read()
        wanted = [b"event %d of 7\n" % event for event in range(300) if event != BAD]
        assert made == b"".join(wanted)
        _, checked = await found.manage("POST", "/productions/toy-run/verify")
        assert (checked["ok"], checked["events"], checked["set_aside"]) == (True, 299, 1)


async def over(found: House) -> dict[str, object] | None:
    """The production, once it is done."""
    view = await found.show()
    return view if view["state"] == "done" else None


HUNGRY = """
import evp
channel = evp.Channel("hungry")
for part in channel.ranges():
    for event in range(part.first, part.last):
        held = bytearray(b"x") * ((300 if event == 5 else 1) << 20)
        channel.events(event, event + 1, [b"event %d of %d\\n" % (event, channel.seed)])
"""


@pytest.mark.timeout(150)
async def test_a_payload_that_wants_memory_gets_it_within_the_signed_bound(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        text = found.definition(events=20, unit=20, quorum=1, reference=0)
        bounds = "[limits]\nmemory_mb = 150\nmemory_mb_most = 600\n"
        await found.produce(text.replace("[limits]\n", bounds), HUNGRY.encode())
        agent = await join(found, tmp_path, "ada")
        try:
            view = await found.until(lambda: over(found), 120.0)
        finally:
            agent.kill_all()
        assert (view["settled"], view["set_aside"]) == (20, 0)
        raised = await found.rows("SELECT memory_mb FROM memory")
        assert raised in ([(300,)], [(600,)])
        [group] = view["failures"]
        assert (group["kind"], group["action"]) == ("memory", "retry-with-more-memory")
