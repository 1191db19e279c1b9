"""What most of these tests begin with; a module that needs it otherwise has its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.kit.agent_process import AgentProcess, Start, joined
from tests.kit.backroom import Backroom
from tests.kit.house import House, house
from tests.kit.shelves import Somebody, somebody
from tests.kit.vm import Owner, owner


@pytest.fixture
async def found(tmp_path: Path) -> AsyncIterator[House]:
    """A whole server."""
    async with house(tmp_path) as made:
        yield made


@pytest.fixture
def options(pool_url: str) -> dict[str, str]:
    """Settings for a server on each kind of database."""
    return {"database.url": pool_url} if pool_url else {}


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Backroom]:
    """A server without doors, with a clock that is set by hand."""
    async with Backroom(tmp_path) as made:
        yield made


@pytest.fixture
async def ada(found: House) -> Owner:
    """A volunteer who pairs machines."""
    return await owner(found, "ada")


@pytest.fixture
async def anna(found: House) -> Somebody:
    """A volunteer who has contexts."""
    return await somebody(found, "anna")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    """An agent with a folder of its own, as processes that end with the test."""
    made = AgentProcess(tmp_path / "state")
    yield made
    made.kill_all()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Makes a server that says what an agent is to hear, and an agent that has joined it."""
    with joined(tmp_path) as start_one:
        yield start_one
