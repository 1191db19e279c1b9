"""Payloads that try to get out of a real bubblewrap, of root and of a plain user."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import hostile_payloads, prying_payloads
from vmagent import files, sandbox

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
BWRAP = shutil.which("bwrap")
NEEDS = pytest.mark.skipif(BWRAP is None, reason="bubblewrap is not installed")


class Prison:
    """A state folder of a user, in whose name payloads are run in a sandbox or without."""

    def __init__(self, folder: Path, user: int) -> None:
        self.folder, self.user = folder, user
        for name, text in (
            ("identity.json", "the token"),
            ("tasks/7/lease.json", "{}"),
            ("work/slot-1/out/0-1.txt", "another task"),
            ("bundles/other/main.py", "another payload"),
        ):
            place = folder / "state" / name
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.write_text(text)
        (folder / "private").mkdir(mode=0o700)
        (folder / "private" / "letter").write_text("dear")
        (folder / "open").mkdir()
        (folder / "open").chmod(0o777)
        for place in (folder, *folder.rglob("*")):
            os.chown(place, user, user)

    def run(self, story: str, box: str = "require", **asked: Any) -> dict[str, str]:
        """Run this payload; how it ended, and what it said."""
        state, limits = self.folder / "state", asked.pop("limits", {})
        told = {
            "STATE": str(state),
            "PRIVATE": str(self.folder / "private"),
            "OPEN": str(self.folder / "open"),
            **asked.pop("environment", {}),
        }
        order = {
            **{"folder": str(state), "stories": [story], "limits": limits, "sandbox": box},
            **{"environment": told, **asked},
        }
        mine = self.user == os.geteuid()
        done = subprocess.run(
            [
                *(sys.executable if mine else "/usr/bin/python3", "-B", "-m"),
                *("tests.kit.hostile_payloads", json.dumps(order)),
            ],
            capture_output=True,
            text=True,
            timeout=90,
            cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}", "LAIR_SECRET": "in memory"},
            user=None if mine else self.user,
            extra_groups=None if mine else [],
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, str] = json.loads(done.stdout)[0]
        return found

    def got(self, story: str, box: str = "require", **asked: Any) -> set[str]:
        """What a prying payload says it got."""
        ended = self.run(story, box, **asked)
        assert ended["word"] == "done", ended
        return set(json.loads(ended["record"]))


def prison_of(user: int) -> Iterator[Prison]:
    """A folder where a user may be, and nobody else."""
    if user != os.geteuid() and not hostile_payloads.others_can_run(ROOT):
        pytest.skip("as root: needs /usr/bin/python3 and a checkout others may read")
    folder = Path(tempfile.mkdtemp(prefix="windfall-prison-", dir="/tmp"))
    folder.chmod(0o700)
    yield Prison(folder, user)
    files.remove(folder)


@pytest.fixture(params=["root", "user"])
def prison(request: pytest.FixtureRequest) -> Iterator[Prison]:
    """An agent of root, and one of a plain user."""
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("only root can run as root")
    user = 0 if request.param == "root" else NOBODY if os.geteuid() == 0 else os.geteuid()
    yield from prison_of(user)


@pytest.fixture
def users_prison() -> Iterator[Prison]:
    """An agent of a plain user."""
    yield from prison_of(NOBODY if os.geteuid() == 0 else os.geteuid())


@NEEDS
def test_a_payload_in_a_sandbox_reads_nothing_of_agent_home_or_others(prison: Prison) -> None:
    assert prison.got(prying_payloads.READS) == set()


def test_without_a_sandbox_the_same_payload_reads_them(users_prison: Prison) -> None:
    got = users_prison.got(prying_payloads.READS, "off")
    assert {"identity.json", "tasks/7/lease.json", "work/slot-1/out/0-1.txt", "home"} <= got


@NEEDS
def test_a_payload_in_a_sandbox_writes_to_its_own_folder_alone(prison: Prison) -> None:
    assert prison.got(prying_payloads.WRITES) == set()
    assert list((prison.folder / "open").iterdir()) == []


@NEEDS
def test_a_payload_in_a_sandbox_is_not_root_and_its_preloads_never_run_as_root(
    prison: Prison,
) -> None:
    asked = {"LD_PRELOAD": "/windfall/home/work/evil.so"}
    ended = prison.run(prying_payloads.PRELOADED, environment=asked)
    assert ended["word"] == "done"
    assert ended["record"] == asked["LD_PRELOAD"]
    cannot = "object '/windfall/home/work/evil.so' from LD_PRELOAD cannot be preloaded"
    assert ended["log"].count(cannot) == 1, "the loader looked for it for the payload alone"


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[dict[str, str]]:
    """Servers that say hi: on loopback, under an abstract name, and at a path."""
    name, path = f"windfall-{os.getpid()}", folder / "open" / "socket"
    servers = [socket.socket(), socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
    addresses: list[Any] = [("127.0.0.1", 0), f"\0{name}", str(path)]
    for server, address in zip(servers, addresses, strict=True):
        server.bind(address)
        server.listen()
    path.chmod(0o777)

    def greet(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = server.accept()
                line.sendall(b"hi")
                line.close()

    threads = [threading.Thread(target=greet, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    yield {"PORT": str(servers[0].getsockname()[1]), "NAME": name, "SOCKET": str(path)}
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@NEEDS
def test_a_payload_in_a_sandbox_reaches_no_network_not_even_loopback(prison: Prison) -> None:
    with listening(prison.folder) as environment:
        assert prison.got(prying_payloads.CALLS_OUT, environment=environment) == set()
        got = prison.got(prying_payloads.CALLS_OUT, environment=environment, network=True)
        assert "loopback" in got


@NEEDS
def test_a_payload_in_a_sandbox_cannot_signal_or_trace_the_agent(prison: Prison) -> None:
    assert prison.got(prying_payloads.SIGNALS) == set()


def test_without_a_sandbox_the_same_payload_can_signal_the_agent(users_prison: Prison) -> None:
    assert "signal 0" in users_prison.got(prying_payloads.SIGNALS, "off")


@NEEDS
def test_nothing_in_a_sandbox_outlives_its_payload(prison: Prison) -> None:
    mark = f"left-behind-{os.getpid()}-{prison.user}"
    environment = {"MARK": mark, "PYTHON": "/usr/bin/python3"}
    ended = prison.run(prying_payloads.KILLS_ALL, environment=environment)
    assert ended["word"] == "crashed"
    assert ended["why"] == "signal 9"
    assert running(mark) == []


def running(mark: str) -> list[str]:
    """The processes that have this word in their command line."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (place / "cmdline").read_bytes().split(b"\0"):
                found.append(place.name)
    return found


@NEEDS
@pytest.mark.parametrize("place", ["/tmp", "/dev/shm", "/windfall/home/out"])
def test_no_place_that_a_sandbox_may_write_to_is_without_a_limit(
    users_prison: Prison, place: str
) -> None:
    asked: dict[str, Any] = {"limits": {"disk_mb": 8}, "environment": {"PLACE": place}}
    assert users_prison.run(prying_payloads.FILLS, **asked)["word"] == "disk"


@NEEDS
def test_a_fork_bomb_in_a_sandbox_ends(users_prison: Prison) -> None:
    ended = users_prison.run(hostile_payloads.FORKS_FOR_EVER, limits={"memory_mb": 100_000})
    assert ended["why"].endswith("processes"), ended


@NEEDS
def test_folders_that_are_shown_hide_the_state_folder_all_the_same(prison: Prison) -> None:
    shown = str(prison.folder)
    got = prison.got(prying_payloads.READS, shown=shown)
    assert not {name for name in got if "identity" in name or "task" in name or "slot" in name}
    assert "/" not in got, "where the state folder is there is nothing"


@NEEDS
@pytest.mark.skipif(not os.access("/usr/local", os.W_OK), reason="needs a folder in /usr")
def test_a_state_folder_in_usr_is_hidden_too() -> None:
    state = Path(tempfile.mkdtemp(dir="/usr/local", prefix="windfall-state-"))
    try:
        (state / "identity.json").write_text("the token")
        state.chmod(0o755)
        box, found = sandbox.find("auto", state)
        assert box is not None, found
    finally:
        files.remove(state)


@NEEDS
def test_the_sandbox_of_root_is_that_of_another_user(tmp_path: Path) -> None:
    box, found = sandbox.find("auto", tmp_path)
    assert box is not None, found
    assert "works" in found
    wanted = sandbox.DROPPED if os.geteuid() == 0 else sandbox.OWN
    assert box.way == wanted
    assert list(tmp_path.iterdir()) == [], "the trial leaves nothing behind"


@NEEDS
def test_a_root_without_rights_to_give_away_has_a_sandbox_too(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be such a root")
    box = sandbox.Sandbox(str(BWRAP), tmp_path, sandbox.MAPPED)
    assert sandbox._tried(box) == ""


def test_a_bubblewrap_that_fails_is_not_used_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "bwrap"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent))
    box, found = sandbox.find("auto", tmp_path)
    assert box is None
    assert "No permissions to create new namespace" in found
    assert "namespaces" in found.rpartition(";")[2] or "sysctl" in found


def test_a_machine_without_bubblewrap_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    box, found = sandbox.find("auto", tmp_path)
    assert (box, sandbox.plain_word(box)) == (None, "none")
    assert "apt-get install bubblewrap" in found
