"""A PostgreSQL of its own for the tests of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tools.postgres import Postgres, programs

__all__ = ["Postgres", "postgres_server", "running"]


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """A server for as long as the context lasts; skips the test if PostgreSQL is not installed."""
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql-15 (or dnf, brew)")
    server = Postgres(binaries)
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One server for all tests; name this fixture in a conftest to use it."""
    with running() as server:
        yield server
