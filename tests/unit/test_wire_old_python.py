"""The agent's side of the wire on the oldest Python there is here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.kit import golden
from tests.kit.old_python import OLDEST, VARIABLE, old_python

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def said() -> Any:
    """What the oldest Python makes of the samples."""
    python = old_python()
    if not python:
        pytest.skip(
            "no Python older than this one, so what the agent does on Python "
            f"{OLDEST[0]}.{OLDEST[1]} was not tried; install it, or name it in ${VARIABLE}"
        )
    done = subprocess.run(
        [python, "-W", "error", "-B", "-m", "tests.kit.old_wire", str(golden.FOLDER)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_every_module_of_the_agent_is_imported_or_lacks_a_library(said: Any) -> None:
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "vmagent").rglob("*.py")
    }
    modules = {name.removesuffix(".__init__") for name in files} - {"vmagent"}
    assert modules - said["imports"].keys() == set()
    for name in ("codec", "frames", "merkle", "messages", "pairing", "statements"):
        assert said["imports"][f"vmagent.wire.{name}"] == ""


def test_every_sample_is_read_and_written_the_same(said: Any) -> None:
    names = {f"{name}.json" for name in golden.KINDS}
    names |= {path.name for path in golden.FOLDER.glob("*.hex")}
    assert said["samples"].keys() == names
    assert {n: text for n, text in said["samples"].items() if golden.raw(n) != text.encode()} == {}


def test_the_hash_tree_has_the_same_root(said: Any) -> None:
    assert set(said["roots"]) == {golden.read("lease-batch.json")["root"]}


def test_what_is_no_message_is_refused(said: Any) -> None:
    assert said["refusals"] == ["refused"] * 5
