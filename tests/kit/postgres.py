"""A private PostgreSQL for tests: its own folder, its own socket, never root."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

OLDEST = 13  # pg_current_xact_id_if_assigned
_USER = "windfall"
# Speed only: no test cuts the power of this server.
_OPTIONS = "-c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=60"


def programs() -> Path | None:
    """The folder with initdb and pg_ctl; Debian keeps them off PATH."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else []
    for pattern in (
        "usr/lib/postgresql/*/bin",
        "usr/pgsql-*/bin",
        "opt/homebrew/opt/postgresql@*/bin",
    ):
        found += sorted(Path("/").glob(pattern), reverse=True)
    return next((folder for folder in found if (folder / "initdb").exists()), None)


class Postgres:
    """A running server, which makes databases."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        """Make a cluster in the folder, and start it."""
        self.binaries = binaries
        self.folder = folder
        self._numbers = itertools.count(1)
        data = folder / "data"
        self._run("initdb", "-D", data, "-A", "trust", "-U", _USER, "-E", "UTF8", "--no-locale")
        options = f"{_OPTIONS} -c unix_socket_directories={folder}"
        self._run("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")

    def new_database(self) -> str:
        """The address of an empty database of its own."""
        name = f"test{next(self._numbers)}"
        self._run("createdb", "-h", self.folder, "-U", _USER, name)
        return f"postgresql://{_USER}@/{name}?host={self.folder}"

    def stop(self) -> None:
        """End the server at once."""
        self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *args: str | Path) -> None:
        command = [str(self.binaries / program), *map(str, args)]
        if os.geteuid() == 0:  # initdb and postgres refuse root
            command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
        # Not through pipes: the server would inherit them, and their end would never come.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": f"{self.binaries}:/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C"},
                timeout=60,
                check=False,
            )
            said.seek(0)
            if done.returncode != 0:
                raise RuntimeError(f"{program}: {said.read().decode(errors='replace')}")


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """A server for as long as the context lasts; skips the test if PostgreSQL is not installed."""
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql-15 (or dnf, brew)")
    folder = Path(tempfile.mkdtemp(prefix="windfall-pg-"))
    try:
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        server = Postgres(binaries, folder)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One server for all tests; name this fixture in a conftest to use it."""
    with running() as server:
        yield server
