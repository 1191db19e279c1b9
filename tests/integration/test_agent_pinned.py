"""The agent that a context names is the one that the server hands out, and no other."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from server.services.agentfile import AgentDigest
from tests.kit.house import house
from tests.kit.shelves import somebody


async def test_a_rendered_context_names_the_agent_that_the_server_hands_out(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        anna = await somebody(found, "anna")
        wish = {"document": {"agent": {}}, "target": "mime"}
        status, before = await anna.call("POST", "/preview", wish)
        assert status == 200, before
        assert any("no agent to hand out" in word for word in before["warnings"])
        body = b"the agent"
        folder = found.settings.data / "agent"
        folder.mkdir(exist_ok=True)
        (folder / "windfall-agent.pyz").write_bytes(body)
        assert (await found.answer("GET", "/agent/windfall-agent.pyz")).status == 200
        status, after = await anna.call("POST", "/preview", wish)
        assert status == 200, after
        assert hashlib.sha256(body).hexdigest() in str(after["files"])
        assert not any("no agent to hand out" in word for word in after["warnings"])


def test_another_file_in_its_place_has_another_digest(tmp_path: Path) -> None:
    path = tmp_path / "agent"
    digest = AgentDigest(path)
    assert digest() == ""
    path.write_bytes(b"one")
    assert digest() == digest() == hashlib.sha256(b"one").hexdigest()
    (tmp_path / "new").write_bytes(b"two")
    os.replace(tmp_path / "new", path)
    assert digest() == hashlib.sha256(b"two").hexdigest()
    path.unlink()
    assert digest() == ""
