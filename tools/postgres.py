"""A private PostgreSQL for tests and tools: its own folder, its own socket, never root."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

_USER = "windfall"
# Speed only: no test cuts the power of this server.
FAST = "-c fsync=off -c full_page_writes=off"
_OPTIONS = "-c listen_addresses= -c max_connections=60"


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

    def __init__(self, binaries: Path, options: str = FAST, within: str | None = None) -> None:
        """Make a cluster in a folder of its own, and start it. Raises RuntimeError."""
        self.binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="windfall-pg-", dir=within))
        self._numbers = itertools.count(1)
        self._options = f"{_OPTIONS} {options} -c unix_socket_directories={self.folder}"
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        data, words = self.folder / "data", ("-E", "UTF8", "--no-locale", "--no-sync")
        self._run("initdb", "-D", data, "-A", "trust", "-U", _USER, *words)
        self.start()

    def start(self) -> None:
        """Start it; again, after `stop`."""
        data, log = self.folder / "data", self.folder / "log"
        self._run("pg_ctl", "-D", data, "-w", "-l", log, "-o", self._options, "start")

    def stop(self) -> None:
        """End the server at once, as by kill -9."""
        self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")

    def remove(self) -> None:
        """End it, and remove its folder."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder)

    def new_database(self, like: str = "template1") -> str:
        """The address of a database of its own: empty, or a copy of one that nobody is in."""
        name = f"test{next(self._numbers)}"
        self.run("createdb", "-T", like, name)
        return f"postgresql://{_USER}@/{name}?host={self.folder}"

    def run(self, program: str, *args: str | Path) -> None:
        """Run a client's program on this server. Raises RuntimeError with its words."""
        self._run(program, "-h", self.folder, "-U", _USER, *args)

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
                env={
                    "PATH": f"{self.binaries}:/usr/bin:/bin",
                    "HOME": str(self.folder),
                    "LC_ALL": "C",
                },
                timeout=60,
                check=False,
            )
            said.seek(0)
            if done.returncode != 0:
                raise RuntimeError(f"{program}: {said.read().decode(errors='replace')}")
