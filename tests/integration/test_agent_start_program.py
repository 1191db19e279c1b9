"""The program that brings the agent to a machine, really run as root in a sandbox of its own."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from contexts import joining
from contexts.part import Machine
from tests.kit.waiting import until

RECORDER = """
import json, os, pathlib, sys, time
state = pathlib.Path(os.environ["WINDFALL_STATE"])
words = sys.argv[1:]
given = sys.stdin.read() if "join" in words else ""
told = [os.getuid(), os.environ.get("WINDFALL_SLOTS"), words, given, os.getpid(),
        os.environ.get("WINDFALL_TOKEN"), os.environ.get("WINDFALL_RELEASE_KEY")]
(state / ("call-%d" % time.time_ns())).write_text(json.dumps(told))
if "join" in words:
    code = int(given.split("-")[-1]) if "fail" in given else 0
    if not code:
        (state / "identity.json").write_text("{}")
    sys.exit(code)
"""
"""Stands for the agent: writes down how it was called; a token ``fail-7`` makes its join fail."""
KEPT = ("group", "gshadow", "ld.so.cache", "login.defs", "passwd", "shadow", "nsswitch.conf")


def packed() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), RECORDER)
    return out.getvalue()


@dataclass
class Machinery:
    """A system that may be changed: folders of its own in place of those that the program uses."""

    folder: Path
    url: str

    def __post_init__(self) -> None:
        for name in ("etc/default", "opt", "lib", "log", "local/bin", "run"):
            (self.folder / name).mkdir(parents=True)
        for name in KEPT:
            shutil.copy(f"/etc/{name}", self.folder / "etc" / name)

    def place(self, machine: Machine, **options: str) -> None:
        """Put the files of a context in their places."""
        start = joining.script(machine.server, machine.agent_sha256)
        for path, mode, text in joining.placed(machine, start, options):
            to = self.path(path)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_text(text)
            to.chmod(int(mode, 8))

    def path(self, path: str) -> Path:
        """Where a file of the machine lies."""
        for own, name in (("/etc/", "etc/"), ("/usr/local/", "local/"), ("/var/lib/", "lib/")):
            if path.startswith(own):
                return self.folder / name / path.removeprefix(own)
        return self.folder / path.lstrip("/")

    def start(
        self, path: str = "/usr/bin:/bin:/usr/sbin:/sbin", *first: str, **told: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the program to its end."""
        binds = {"/etc": "etc", "/opt": "opt", "/var/lib": "lib", "/var/log": "log"}
        words = [
            *(
                shutil.which("bwrap") or "",
                "--ro-bind",
                "/",
                "/",
                "--dev",
                "/dev",
                "--proc",
                "/proc",
            )
        ]
        for place, name in (binds | {"/usr/local": "local", "/run": "run"}).items():
            words += ["--bind", str(self.folder / name), place]
        return subprocess.run(
            [*words, *first, "--die-with-parent", "--", "/bin/sh", joining.START],
            env={"PATH": path, **told},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def calls(self) -> list[list[object]]:
        """How the agent was called: user, slots, words, standard input."""
        told = sorted(self.path("/var/lib/windfall-agent").glob("call-*"))
        return [json.loads(path.read_text()) for path in told if path.stat().st_size]


@pytest.fixture
def machinery(tmp_path: Path) -> Iterator[Machinery]:
    if os.getuid() != 0 or shutil.which("bwrap") is None:
        pytest.skip("runs as root in bubblewrap (apt-get install bubblewrap)")
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    body = packed()

    class Pool(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/agent/windfall-agent.pyz" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pool)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield Machinery(tmp_path / "machine", f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


def machine(machinery: Machinery, token: str = "wf1.a-token", digest: str = "") -> Machine:
    digest = digest or hashlib.sha256(packed()).hexdigest()
    return Machine(server=machinery.url, token=token, agent_sha256=digest)


def test_the_agent_joins_by_the_token_without_rights_and_is_started(machinery: Machinery) -> None:
    machinery.place(machine(machinery), WINDFALL_SLOTS="3")
    done = machinery.start()
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: len(machinery.calls()) == 2)  # it is started as a process of its own
    joined, running = machinery.calls()
    assert running[:3] == [joined[0], "3", ["run"]]
    assert joined[2] == ["join", "--server", machinery.url, "--token-file", "-"]
    assert joined[3] == "wf1.a-token\n"
    assert joined[0] != 0
    assert joined[1] == "3"
    assert not machinery.path(joining.TOKEN).exists()
    state = machinery.path("/var/lib/windfall-agent")
    assert state.stat().st_mode & 0o777 == 0o700
    assert state.stat().st_uid == joined[0]


def test_the_release_key_of_the_context_reaches_join_and_run(machinery: Machinery) -> None:
    machinery.place(replace(machine(machinery), release_key="0123456789abcdef"))
    assert machinery.start().returncode == 0
    until(lambda: len(machinery.calls()) == 2)
    assert [call[6] for call in machinery.calls()] == ["0123456789abcdef"] * 2


def test_a_machine_that_has_joined_does_not_join_again(machinery: Machinery) -> None:
    machinery.place(machine(machinery))
    machinery.start()
    done = machinery.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum("join" in str(call[2]) for call in machinery.calls()) == 1


def test_an_agent_that_is_not_the_one_of_the_context_is_not_even_kept(machinery: Machinery) -> None:
    machinery.place(machine(machinery, digest="0" * 64))
    done = machinery.start()
    assert done.returncode == 1
    assert "not the file that this context names" in done.stdout
    assert machinery.calls() == []
    assert not machinery.path("/opt/windfall/windfall-agent.pyz").exists()


def test_a_file_that_was_altered_on_the_machine_is_fetched_anew(machinery: Machinery) -> None:
    machinery.place(machine(machinery))
    own = machinery.path("/opt/windfall/windfall-agent.pyz")
    own.parent.mkdir()
    own.write_text("something else")
    assert machinery.start().returncode == 0
    assert own.read_bytes() == packed()


def test_without_a_python_it_says_what_is_missing(machinery: Machinery) -> None:
    machinery.place(machine(machinery))
    done = machinery.start(path="/nowhere")
    assert done.returncode == 13
    assert "needs Python 3.9 or newer" in done.stdout


def test_without_a_token_it_says_how_to_pair(machinery: Machinery) -> None:
    machinery.place(machine(machinery, token=""))
    done = machinery.start()
    assert done.returncode == 0
    assert f"windfall-agent pair, and have {machinery.url}/pair open" in done.stdout
    until(lambda: len(machinery.calls()) == 2)
    hung, waiting = machinery.calls()
    assert (hung[0], hung[2]) == (0, ["banner"])
    assert waiting[0] != 0
    assert waiting[2] == ["run"]
    settings = machinery.path(joining.SETTINGS).read_text()
    assert f"WINDFALL_SERVER={machinery.url}" in settings
    assert machinery.path("/usr/local/bin/windfall-agent").stat().st_mode & 0o777 == 0o755


def test_in_a_container_the_agent_itself_is_process_one(machinery: Machinery) -> None:
    machinery.place(machine(machinery, token=""))
    path = "/usr/bin:/bin:/usr/sbin:/sbin"
    done = machinery.start(path, "--unshare-pid", "--as-pid-1", WINDFALL_TOKEN="wf1.by-variable")
    assert done.returncode == 0, done.stdout + done.stderr
    joined, running = machinery.calls()
    assert joined[3] == "wf1.by-variable\n"
    assert running[2:6] == [["run"], "", 1, None]
    assert not machinery.path(joining.TOKEN).exists()


def test_a_token_that_is_not_taken_is_told_and_kept(machinery: Machinery) -> None:
    machinery.place(machine(machinery, token="fail-7"))
    done = machinery.start()
    assert done.returncode == 7
    assert "did not join" in done.stdout
    assert machinery.path(joining.TOKEN).exists()


@pytest.mark.parametrize("server", ["pool.example.org", "https://a b", "https://x/$(reboot)", ""])
def test_a_server_that_a_shell_could_misread_is_no_server(server: str) -> None:
    with pytest.raises(ValueError, match="address"):
        joining.script(server, "")


@pytest.mark.parametrize(("name", "value"), [("PATH", "x"), ("WINDFALL_A", "x\ny"), ("a b", "")])
def test_what_is_no_setting_of_the_agent_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="setting"):
        joining.settings({name: value})
