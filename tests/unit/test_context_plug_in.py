"""The plug-in of the handbook, really installed: it is found, checked and made into pieces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "motd-part"
USE = """
import json
from contexts.check import check, filled
from contexts.part import Machine
from contexts.registry import BROKEN, PARTS
document = {"motd": {"greeting": "Hello, shifter!"}}
pieces = PARTS["motd"].pieces(filled(document)["motd"], Machine())
print(json.dumps({
    "faults": [fault.path for fault in check(document)],
    "hostile": [fault.path for fault in check({"motd": {"greeting": "$(reboot)"}})],
    "after": pieces.after,
    "broken": [one.name for one in BROKEN],
    "parts": len(PARTS),
}))
"""


def _wheel(folder: Path, project: dict[str, Any], module: bytes | None) -> Path:
    """The wheel that a build of the project gives, made without tools that may not be here."""
    name, version = project["name"].replace("-", "_"), project["version"]
    info = f"{name}-{version}.dist-info"
    groups = project["entry-points"].items()
    points = "".join(
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in each.items())
        for group, each in groups
    )
    path = folder / f"{name}-{version}-py3-none-any.whl"
    about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
    wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {"METADATA": about, "WHEEL": wheel, "entry_points.txt": points, "RECORD": ""}
    with zipfile.ZipFile(path, "w") as archive:
        if module is not None:
            archive.writestr(f"{name}.py", module)
        for file, text in files.items():
            archive.writestr(f"{info}/{file}", text)
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example, and a broken one beside it."""
    place, source = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("wheels")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    broken = {
        "name": "windfall-broken",
        "version": "1.0",
        "entry-points": {"windfall.contexts": {"broken": "windfall_nowhere:PART"}},
    }
    module = (EXAMPLE / "windfall_motd.py").read_bytes()
    wheels = [_wheel(source, project, module), _wheel(source, broken, None)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    pip += ["--disable-pip-version-check", "--target", str(place), *map(str, wheels)]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    return place


def test_an_installed_part_is_used_like_ours_and_a_broken_one_is_named(site: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(site)])}
    command = [sys.executable, "-c", USE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["faults"] == []
    assert told["hostile"] == ["motd.greeting"]
    assert told["after"] == ["echo 'Hello, shifter!' > /etc/motd"]
    assert told["broken"] == ["broken"]
    assert told["parts"] > 30


def test_the_handbook_shows_the_plug_in_as_it_is() -> None:
    page = (ROOT / "docs" / "contexts.md").read_text(encoding="utf-8")
    for name, language in (("windfall_motd.py", "python"), ("pyproject.toml", "toml")):
        text = (EXAMPLE / name).read_text(encoding="utf-8")
        assert f"```{language}\n{text}```" in page
