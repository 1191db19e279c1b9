"""A production under a handful of faults of every place gives the bytes of an undisturbed one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.chaoses import shim, world
from tools.demonstration.stage import StageFailed

ROOT = Path(__file__).resolve().parents[2]
KINDS = (
    *("kill-server", "power-server", "restore", "upgrade-server"),
    *("crash-agent", "power-agent", "clone", "truncate", "duplicate", "cut-answer"),
)
COMPILER = shutil.which("gcc") or shutil.which("cc")


def chaos(*words: str) -> subprocess.CompletedProcess[str]:
    """The tool, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tools.chaoses", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.timeout(400)
@pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
def test_nothing_is_lost_or_doubled_by_a_handful_of_faults(tmp_path: Path) -> None:
    done = chaos(
        *("--seconds", "10", "--events", "4000", "--seed", "5", "--agents", "3", "--json"),
        *("--faults", ",".join(KINDS), "--folder", str(tmp_path)),
    )
    assert done.returncode == 0, done.stderr + done.stdout
    result = json.loads(done.stdout.splitlines()[-1])
    assert list(result) == [
        *("seconds", "seed", "events", "faults", "finished_events_lost", "duplicates"),
        *("recomputed_events", "digest_equal"),
    ]
    assert (result["seed"], result["events"], result["digest_equal"]) == (5, 4000, True)
    assert (result["finished_events_lost"], result["duplicates"]) == (0, 0)
    assert result["recomputed_events"] >= 0, "each copy that was needed was told by a payload"
    assert len(result["faults"]) >= 5, done.stderr
    assert list(tmp_path.iterdir()) == [], "a good run leaves nothing behind"


@pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
@pytest.mark.parametrize("mode", [shim.POWER, shim.POWER_SOME])
async def test_the_first_administrator_keeps_his_token_through_a_power_cut(
    tmp_path: Path, mode: int
) -> None:
    server = world.Server(tmp_path / "server", shim.build(tmp_path))
    server.prepare()
    try:
        await server.start()
        assert server.control is not None
        assert server.process is not None
        server.control.arm(1, mode)
        with pytest.raises(StageFailed):
            server.get("accounts")  # its answer is the call before which the server dies
        assert await world.gone(server.process, 20)
        assert server.control.died
        server.control.calm()
        await server.start()
        [admin] = server.get("accounts")["accounts"]
        assert admin["name"] == "admin"
    finally:
        await server.stop()


def test_kinds_are_listed_and_unknown_ones_refused() -> None:
    listed = chaos("--list")
    assert listed.returncode == 0
    assert all(kind in listed.stdout for kind in KINDS)
    refused = chaos("--faults", "earthquake")
    assert refused.returncode == 2
    assert "no such fault: earthquake" in refused.stderr
