"""Two agents with one identity, as of a copied machine: noticed, and one of them is told to go."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from server.domain.match import Facts
from server.services.cards import INSTANCES, TWINS, HostCard
from tests.kit.house import Hand, house
from vmagent.wire import messages as m


def host() -> HostCard:
    """A host that nobody has heard yet."""
    return HostCard(1, 1, "ada", "vm", Facts(4, 8000, 8000, "x86_64", ()), 0.0)


async def beat(hand: Hand, instance: str) -> tuple[int, Any]:
    """A sign of life of an agent with this host's token."""
    return await hand.call("POST", "/api/v1/heartbeat", m.HeartbeatRequest(instance=instance))


async def test_of_two_that_speak_in_turn_the_older_is_told_to_join_anew(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        hand = await found.join("vm-1")
        await beat(hand, "first")
        told = []
        for _ in range(TWINS):
            assert (await beat(hand, "second"))[0] == 200
            told.append(await beat(hand, "first"))
        assert [status for status, _ in told] == [200] * (TWINS - 1) + [401]
        assert told[-1][1]["code"] == "token-cloned"
        ask = m.AskRequest(uuid.uuid4().hex, 1, 8000, 8000, instance="first")
        status, said = await hand.call("POST", "/api/v1/work", ask)
        assert (status, said["code"]) == (401, "token-cloned")
        assert (await beat(hand, "second"))[0] == 200
        [shown] = (await found.manage("GET", "/hosts"))[1]["hosts"]
        assert shown["state"] == "cloned"


async def test_an_agent_started_anew_is_believed_and_so_is_one_that_says_nothing(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as found:
        hand = await found.join("vm-1")
        for number in range(3 * INSTANCES):
            assert (await beat(hand, f"start-{number}"))[0] == 200
            assert (await beat(hand, ""))[0] == 200
        [shown] = (await found.manage("GET", "/hosts"))[1]["hosts"]
        assert shown["state"] != "cloned"


@pytest.mark.parametrize("late", [1, 2, 50])
def test_requests_of_an_ended_agent_that_come_late_are_no_clone(late: int) -> None:
    card = host()
    card.speaks("first", 1.0)
    card.speaks("second", 2.0)
    assert all(card.speaks("first", 3.0) for _ in range(late)), "not in turn with the newer"
    assert card.cloned_at == 0.0


def test_what_is_remembered_of_older_agents_is_bounded() -> None:
    card = host()
    for number in range(1000):
        card.speaks(f"start-{number}", float(number))
    assert len(card.older) == INSTANCES
