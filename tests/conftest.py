"""What holds for every test: hypothesis draws the same examples each time; what stays is left be.

A test that fails once in a hundred runs stops whoever comes next, not who broke it. To look for
what nobody has found yet: ``pytest --hypothesis-profile=search --hypothesis-seed=N``.
"""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.kit import postgres
from tests.kit.pg_proxy import Proxy

settings.register_profile("house", derandomize=True, print_blob=True)
settings.register_profile("search", derandomize=False, print_blob=True, max_examples=500)
settings.load_profile("house")

postgres_server = postgres.postgres_server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def pool_url(request: pytest.FixtureRequest) -> str:
    """A database of each kind with all tables; "" for the file that a server makes itself."""
    if request.param == "sqlite":
        return ""
    server: postgres.Postgres = request.getfixturevalue("postgres_server")
    return server.new_pool()


@pytest.fixture
async def proxy(postgres_server: postgres.Postgres, tmp_path: Path) -> AsyncIterator[Proxy]:
    """What a server reaches PostgreSQL through that is to lose its connection."""
    proxy = Proxy(postgres_server.folder, tmp_path)
    async with proxy.running():
        yield proxy


def pytest_collection_finish() -> None:
    """From now on the collector looks at what tests make, and not at the modules they are in."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def plain_umask() -> Iterator[None]:
    """Each test begins with the usual umask: a server that starts in this process narrows it."""
    before = os.umask(0o022)
    yield
    os.umask(before)
