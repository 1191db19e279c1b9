"""Each database of the suite, and a store in an empty one."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from server.db.choose import connect
from server.db.group import Counts
from server.db.migrate import OpenStore


class CountingStore(OpenStore):
    """Both stores count what their writer does."""

    counts: Counts


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes the address of another empty database each time."""
    if request.param == "postgres":
        yield request.getfixturevalue("postgres_server").new_database
    else:
        numbers = itertools.count(1)
        yield lambda: f"sqlite:///{tmp_path}/test{next(numbers)}.db"


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    """The address of an empty database."""
    return new_url()


@pytest.fixture
async def store(url: str) -> AsyncIterator[CountingStore]:
    """A store with one table: notes of a number and a text that is not null and not twice."""
    opened = cast(CountingStore, await connect(url))
    await opened.write(
        lambda tx: tx.run(
            opened.dialect.ddl(
                "CREATE TABLE notes (id {id}, number {bigint}, text TEXT NOT NULL UNIQUE)"
            )
        )
    )
    yield opened
    await opened.close()
