"""The server and the agents of a run: processes of their own, started, ended and watched."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from tools.chaoses import shim
from tools.chaoses.database import Database, Postgres, Sqlite
from tools.chaoses.proxy import Line
from tools.chaoses.shim import Control
from tools.demonstration.stage import ROOT, StageFailed, descendants, end, windfall

PACKAGES = ("server", "vmagent", "contexts", "web", "tools")
RUN = ["--grace", "2", "--flush-s", "0.3", "--poll-s", "5", "--reserve-mb", "0"]
START_S = 60.0
TALLY = "tally"  # the folder beside those of the agents in which payloads tell what they make
OFTEN = {"limits.work_per_minute": "100000", "leases.retry_s": "0.5", "blobs.segment_mb": "1"}


def free_port() -> int:
    """A port of loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def gone(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a process ends within this time."""
    until = asyncio.get_running_loop().time() + seconds
    while process.poll() is None:
        if asyncio.get_running_loop().time() >= until:
            return False
        await asyncio.sleep(0.02)
    return True


@dataclass(eq=False)
class Server:
    """The server: its data folder stays, its processes come and go on the same port."""

    folder: Path
    shim: Path | None = None
    port: int = field(default_factory=free_port)
    tree: Path = ROOT
    process: subprocess.Popen[bytes] | None = None
    control: Control | None = None
    starts: int = 0
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))
    postgres: Postgres | None = None

    @property
    def database(self) -> Database:
        """What it keeps its tables in."""
        return self.postgres or Sqlite(self.data / "windfall.db")

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "disk" / "data"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def prepare(self) -> None:
        """Folders and keys."""
        (self.folder / "disk").mkdir(parents=True)
        windfall("init", "--release-key", self.folder / "keys" / "release.key", data=self.data)
        if self.shim is not None:
            self.control = Control(self.folder / "control", self.folder / "disk")

    async def start(self) -> None:
        """Start it and wait until it answers. Raises StageFailed."""
        self.launch()
        until = asyncio.get_running_loop().time() + START_S
        while asyncio.get_running_loop().time() < until:
            if not self.alive:
                raise StageFailed(f"the server ended at its start; see {self.folder}/server.log")
            if await asyncio.to_thread(self._answers):
                return
            await asyncio.sleep(0.05)
        raise StageFailed(f"the server does not answer; see {self.folder}/server.log")

    def launch(self) -> None:
        """Start its process."""
        self.starts += 1
        extra = {} if self.control is None or self.shim is None else (
            self.control.environment(self.shim)
        )  # fmt: skip
        settings = {"server.data": str(self.data), "server.url": self.url, **OFTEN}
        sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "server", "serve", "--port", str(self.port), *sets],
                cwd=self.tree, env={**self.bare(), **extra}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def bare(self) -> dict[str, str]:
        """The environment in which the sources of the release that runs are found."""
        where = {"PYTHONPATH": str(self.tree)}
        if self.database.url:
            where["WINDFALL_DATABASE_URL"] = self.database.url
        return {**shim.environment(), **where}

    def _answers(self) -> bool:
        try:
            found = self.pool.request("GET", f"{self.url}/openapi.json", timeout=2.0)
        except urllib3.exceptions.HTTPError:
            return False
        return bool(found.status == 200)

    def command(self, *words: str | Path, extra: dict[str, str] | None = None) -> Any:
        """A command of the release that runs, on the data folder. Raises StageFailed."""
        done = subprocess.run(
            [sys.executable, "-m", "server", *map(str, words), "--data", str(self.data), "--json"],
            cwd=self.tree, env={**self.bare(), **(extra or {})}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise StageFailed(f"windfall {' '.join(map(str, words))}: {done.stderr or done.stdout}")
        return json.loads(done.stdout)

    def ask(self, *words: str | Path) -> Any:
        """A command of the administrator to the running server."""
        token = self.data / "admin.token"
        return windfall(*words, "--server", self.url, "--token-file", token)

    def get(self, path: str, token: str | None = None) -> dict[str, Any]:
        """Ask the server; as its administrator, or with a host's token. Raises StageFailed."""
        token = token or (self.data / "admin.token").read_text().strip()
        try:
            reply = self.pool.request(
                "GET", f"{self.url}/api/v1/{path}", timeout=10.0,
                headers={"Authorization": f"Bearer {token}"},
            )  # fmt: skip
        except urllib3.exceptions.HTTPError as error:
            raise StageFailed(f"{path}: {error}") from error
        if reply.status != 200:
            raise StageFailed(f"{path}: {reply.status} {reply.data[:300]!r}")
        return dict(json.loads(reply.data))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Have the server do something as its administrator. Raises StageFailed."""
        token = (self.data / "admin.token").read_text().strip()
        reply = self.pool.request(
            "POST", f"{self.url}/api/v1/{path}", body=json.dumps(body).encode(), timeout=30.0,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )  # fmt: skip
        if reply.status != 201:
            raise StageFailed(f"{path}: {reply.status} {reply.data[:300]!r}")
        return dict(json.loads(reply.data))

    def produce(self, events: int, seed: int, tally: Path | None = None) -> str:
        """Sign and create a production of ticks, which tells a tally what it makes; its name."""
        source, folder = ROOT / "tools" / "payloads" / "ticks", self.folder / "production"
        text = (source / "production.toml").read_text()
        for name, value in (("events", events), ("seed", seed)):
            text = re.sub(rf"(?m)^{name} = \d+$", f"{name} = {value}", text, count=1)
        if tally is not None:
            told = f"[environment]\nTICKS_TALLY = {json.dumps(str(tally))}\n"
            text = text.replace("[environment]\n", told)
        shutil.copytree(source, folder / "payload", ignore=shutil.ignore_patterns("__*", "*.toml"))
        definition, bundle = folder / "production.toml", folder / "payload.tar.gz"
        definition.write_text(text)
        key, jws = self.folder / "keys" / "release.key", folder / "payload.jws"
        windfall("payload", "pack", folder / "payload", "-o", bundle)
        windfall(
            "payload", "sign", bundle, "--name", "ticks", "--version", "1", "--key", key, "-o", jws
        )
        self.ask("payload", "add", bundle, "--statement", jws)
        manifest = folder / "production.jws"
        windfall("production", "sign", definition, "--payload", jws, "--key", key, "-o", manifest)
        made = self.ask(
            "production", "create", definition, "--manifest", manifest, "--bundle", bundle, "--yes"
        )
        return str(made["production"]["name"])

    async def stop(self) -> None:
        """End it kindly; by force if it takes too long."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            if not await gone(self.process, 20):
                end(self.process)


@dataclass(eq=False)
class Agent:
    """One machine: a state folder that stays, a line to the server, processes that come and go."""

    number: int
    folder: Path
    server: Server
    line: Line | None
    program: list[str]
    slots: int = 1
    shim: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    control: Control | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        """Its name, and that of its account."""
        return f"agent{self.number}"

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.folder / "disk" / "state"

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def token(self) -> str:
        """The host's token."""
        return str(json.loads((self.state / "identity.json").read_text())["token"])

    def join(self, token: str) -> None:
        """Become a host of this server. Raises StageFailed."""
        (self.folder / "disk").mkdir(parents=True)
        if self.shim is not None:
            self.control = Control(self.folder / "control", self.folder / "disk")
        url = self.server.url if self.line is None else f"http://127.0.0.1:{self.line.port}"
        done = subprocess.run(
            [*self.program, "--state", str(self.state), "join", "--server", url, "--name",
             self.name, "--token-file", "-", "--slots", str(self.slots)],
            input=token, capture_output=True, text=True, check=False, env=self._environment(),
        )  # fmt: skip
        if done.returncode:
            raise StageFailed(f"{self.name} could not join: {done.stderr.strip()}")

    def _environment(self) -> dict[str, str]:
        shown = f"/cvmfs:{self.folder.parent / TALLY}"
        return {**shim.environment(), "PYTHONPATH": str(ROOT), "WINDFALL_SANDBOX_PATHS": shown}

    def launch(self, state: Path | None = None) -> subprocess.Popen[bytes]:
        """Start an agent on the state folder, or on a copy of it (that one without the shim)."""
        extra = {}
        if state is None and self.control is not None and self.shim is not None:
            extra = self.control.environment(self.shim)
        with (self.folder / "agent.log").open("ab") as log:
            return subprocess.Popen(
                [*self.program, "--state", str(state or self.state), "run", *RUN,
                 "--slots", str(self.slots)],
                env={**self._environment(), **extra}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def start(self) -> None:
        """Switch the machine on."""
        self.process = self.launch()

    def payloads(self) -> list[int]:
        """The process numbers of its payloads."""
        found = []
        for pid in descendants(self.process.pid) if self.process is not None else []:
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"payload.py" in words:
                found.append(pid)
        return found

    def kill(self) -> None:
        """Pull the plug."""
        if self.process is not None:
            end(self.process)


async def enlist(
    server: Server, number: int, program: list[str], *, folder: Path, slots: int,
    line: Line | None = None, preload: Path | None = None,
) -> Agent:  # fmt: skip
    """A machine with an account of its own."""
    agent = Agent(number, folder, server, line, program, slots, preload)

    def go() -> None:
        server.post("accounts", {"name": agent.name, "role": "volunteer"})
        agent.join(server.post(f"accounts/{agent.name}/tokens", {"kind": "enrol"})["token"])

    await asyncio.to_thread(go)
    return agent


def copy_tree(target: Path) -> Path:
    """The sources, as another release would lie there."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, target / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return target


async def until_done(
    server: Server, name: str, seconds: float, each: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """The production when it is done. Raises StageFailed if it is held or takes too long.

    ``each`` is told how it stands, again and again (nothing, while the server does not answer).
    """
    until = asyncio.get_running_loop().time() + seconds
    view: dict[str, Any] = {}
    while asyncio.get_running_loop().time() < until:
        try:
            view = await asyncio.to_thread(server.get, f"productions/{name}")
        except StageFailed as error:
            if ": 401 " in str(error):
                raise
            each(view)
            await asyncio.sleep(0.5)
            continue
        each(view)
        if view["state"] == "done":
            return view
        if view["state"] not in ("active", "merging"):
            raise StageFailed(f"the production is {view['state']}: {view['reason']}")
        await asyncio.sleep(0.25)
    raise StageFailed(f"not done after {seconds:g} s: {view.get('settled')} events settled")
