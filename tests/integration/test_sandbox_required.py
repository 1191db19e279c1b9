"""Productions that require a sandbox or the network, and hosts that have it, lose it, gain it."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.kit.house import Hand, House, house
from vmagent.wire import codec
from vmagent.wire import messages as m


async def leases(hand: Hand, sandbox: str, network: bool) -> int:
    """How many leases a host gets that says this of itself; it gives them back."""
    message = m.AskRequest(
        uuid.uuid4().hex, 1, 8000, 8000, classes=hand.classes, sandbox=sandbox, network=network
    )
    status, found = await hand.call("POST", "/api/v1/work", message)
    assert status == 200, found
    reply = codec.build(found, m.AskReply)
    for text in reply.leases:
        lease = codec.decode(text, m.Lease)
        await hand.report(lease, "returned")
    return len(reply.leases)


async def shown(found: House) -> list[str]:
    """The sandbox of each host, as people see it."""
    said = await found.told("/hosts")
    rows: list[dict[str, Any]] = said["hosts"]
    return [row["sandbox"] for row in rows]


@pytest.mark.parametrize(
    ("required", "without", "having"),
    [
        ("sandbox = true", ("none", True), ("bubblewrap", False)),
        ("network = true", ("bubblewrap", False), ("bubblewrap", True)),
    ],
)
async def test_what_a_host_has_by_now_decides_what_it_gets(
    tmp_path: Path, required: str, without: tuple[str, bool], having: tuple[str, bool]
) -> None:
    async with house(tmp_path) as found:
        text = found.definition(events=100, unit=100, reference=0, quorum=1)
        await found.produce(f"{text}\n[requirements]\n{required}\n")
        ada = await found.join("ada")
        assert await leases(ada, "", False) == 0, "an agent that knows of no sandbox has none"
        assert await leases(ada, *without) == 0
        assert await leases(ada, *having) == 1
        assert await shown(found) == [having[0]]
        assert await leases(ada, *without) == 0, "it has gone meanwhile"
