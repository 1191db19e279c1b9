"""The demonstration, small, twice: every check holds, and the same seed gives the same bytes."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHIA = importlib.util.find_spec("pythia8mc") is not None


def demonstrate(folder: Path) -> dict[str, Any]:
    payload, events = ("pythia8", 12_000) if PYTHIA else ("zpole", 200_000)
    command = [
        *(sys.executable, "-m", "tools.demonstration", "--json", "--payload", payload),
        *("--events", str(events), "--output", str(folder)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.timeout(400)
def test_nothing_is_lost_and_the_cheat_is_named_twice_alike(tmp_path: Path) -> None:
    first, second = demonstrate(tmp_path / "one"), demonstrate(tmp_path / "two")
    for result in (first, second):
        assert result["faults"] == []
        assert result["unique_events"] == result["events"]
        assert result["in_order"] is True
        assert result["lost_finished_events"] == 0
        assert result["cheat_rejected"] > 0
    assert first["digest"] == second["digest"]
    assert (tmp_path / "one" / "histograms.png").stat().st_size > 10_000
    assert (tmp_path / "one" / "histograms.svg").read_text().startswith("<?xml")
