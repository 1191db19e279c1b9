"""Debian's own cloud-init takes a context from the agent; in a sandbox, with no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ID = "22b13425ef7244c4b7de60dbbca64728"
# Only what writes files and runs commands: the test is on who hands over what.
CONFIG = """\
disable_root: false
users: []
network: {config: disabled}
datasource_list: [None]
cloud_init_modules: [write-files]
cloud_config_modules: [runcmd]
cloud_final_modules: [scripts-user]
system_info: {distro: debian, paths: {cloud_dir: /var/lib/cloud/}}
"""
MIME = """\
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="==B=="

--==B==
Content-Type: text/cloud-config; charset="utf-8"

#cloud-config
write_files:
  - path: /etc/made-by-context
    permissions: "0600"
    content: "revision REVISION\\n"
runcmd:
  - [sh, -c, "cat /etc/made-by-context >> OUT/ran"]

--==B==
Content-Type: text/amiconfig-user-data; charset="us-ascii"

[amiconfig]
plugins=cernvm
--==B==--
"""
APPLY = """
import json, sys
from pathlib import Path
from vmagent import context
from vmagent.home import Home
from vmagent.wire.pairing import MachineContext
home = Home(Path(sys.argv[1])); home.prepare()
for revision in (3, 4):
    found = MachineContext(sys.argv[2], revision, "x", Path(sys.argv[3]).read_text().replace(
        "REVISION", str(revision)))
    done = context.apply(home, found, None, context.Rights("yes", Path("/"), {"PATH": "/usr/bin"}))
    print(json.dumps([done.outcome, done.how, done.detail]))
"""


def bubble(etc: Path, tmp_path: Path) -> list[str]:
    """A system whose /etc, /var/lib, /var/log and /run are thrown away; without a network."""
    command = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    for folder in ("/run", "/var/lib", "/var/log"):
        command += ["--tmpfs", folder]
    command += ["--bind", str(etc), "/etc", "--bind", str(tmp_path), str(tmp_path)]
    return [*command, "--uid", "0", "--gid", "0", "--chdir", str(ROOT)]


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    made = tmp_path / "etc"
    (made / "cloud/cloud.cfg.d").mkdir(parents=True)
    (made / "cloud/cloud.cfg").write_text(CONFIG)
    for name in ("passwd", "group", "hosts", "hostname", "os-release", "ld.so.cache"):
        shutil.copy(f"/etc/{name}", made / name)
    return made


def works(command: list[str]) -> bool:
    try:
        return subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def test_cloud_init_does_what_a_context_says_and_again_for_the_next_revision(
    etc: Path, tmp_path: Path
) -> None:
    command = bubble(etc, tmp_path)
    if shutil.which("cloud-init") is None or not works(command):
        pytest.skip("there is no cloud-init here, or no bubblewrap to keep it harmless")
    (tmp_path / "user-data").write_text(MIME.replace("OUT", str(tmp_path)))
    state = tmp_path / "state"
    done = subprocess.run(
        [*command, sys.executable, "-c", APPLY, str(state), ID, str(tmp_path / "user-data")],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    log = state / "context" / "apply.log"
    said = log.read_text() if log.exists() else ""
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line)[:2] for line in done.stdout.splitlines()]
    assert outcomes == [["applied", "cloud-init"]] * 2, (done.stdout, said)
    assert (tmp_path / "ran").read_text() == "revision 3\nrevision 4\n", said
    assert (etc / "made-by-context").stat().st_mode & 0o777 == 0o600
    assert not (etc / "systemd").exists(), "the network of a machine that runs is left alone"
