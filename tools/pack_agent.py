"""Packs the agent into one file, windfall-agent.pyz: the same sources give the same bytes."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHEBANG = b"#!/usr/bin/env python3\n"
DATE = (1980, 1, 1, 0, 0, 0)
# The agent runs on 3.9 and newer; cffi is compiled for each, cryptography once for all.
PYTHONS = ("3.9.18", "3.10.13", "3.11.7", "3.12.1", "3.13.0", "3.14.0")
CRYPTOGRAPHY, CFFI, URLLIB3 = "cryptography>=43,<47", "cffi>=1.17,<3", "urllib3>=2.2,<3"
START = b'''"""Starts the packed agent."""
import sys

if sys.version_info < (3, 9):
    sys.stderr.write("windfall-agent needs Python 3.9 or newer\\n")
    sys.exit(13)

from vmagent import errors, libraries

try:
    libraries.ready(sys.path[0])
except errors.PackUnusable as error:
    sys.stderr.write("windfall-agent: %s\\n" % error)
    sys.exit(error.code)

from vmagent.__main__ import main

main()
'''


def sources() -> Iterator[tuple[str, bytes]]:
    """The agent's own files."""
    kinds = ("*.py", "*.service")
    for path in sorted(path for kind in kinds for path in (ROOT / "vmagent").rglob(kind)):
        yield path.relative_to(ROOT).as_posix(), path.read_bytes()


def installed_urllib3() -> Iterator[tuple[str, bytes]]:
    """urllib3 as it is installed here; it runs on whatever Pythons that version runs on."""
    spec = importlib.util.find_spec("urllib3")
    if spec is None or spec.origin is None:
        raise SystemExit("urllib3 is not installed here: pip install 'urllib3>=2.2,<3'")
    home = Path(spec.origin).parent
    for path in sorted(home.rglob("*.py")):
        yield f"urllib3/{path.relative_to(home).as_posix()}", path.read_bytes()


def wheel_urllib3(folder: Path) -> Iterator[tuple[str, bytes]]:
    """urllib3 from the wheel that still runs on the oldest Python."""
    with zipfile.ZipFile(max(folder.glob("urllib3-*.whl"))) as wheel:
        for name in sorted(wheel.namelist()):
            if name.startswith("urllib3/") and name.endswith(".py"):
                yield name, wheel.read(name)


def wheels(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The compiled wheels, and one digest over all of them."""
    total = hashlib.sha256()
    for path in sorted([*folder.glob("cryptography-*.whl"), *folder.glob("cffi-*.whl")]):
        raw = path.read_bytes()
        total.update(path.name.encode() + b"\0" + hashlib.sha256(raw).digest())
        yield f"wheels/{path.name}", raw
    yield "wheels/digest", total.hexdigest().encode()


def download(folder: Path, machines: list[str]) -> None:
    """Fetch the wheels that are not in ``folder`` yet."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(PYTHONS[0], CRYPTOGRAPHY), *((python, CFFI) for python in PYTHONS)]
    for machine in machines:
        for python, requirement in wanted:
            _pip(folder, python, requirement, machine)
    if not list(folder.glob("urllib3-*.whl")):
        _pip(folder, PYTHONS[0], URLLIB3, "")


def _pip(folder: Path, python: str, requirement: str, machine: str) -> None:
    project = requirement.partition(">")[0]
    tag = "abi3" if project == "cryptography" else "cp" + "".join(python.split(".")[:2])
    if machine and any(f"-{tag}-" in p.name for p in folder.glob(f"{project}-*{machine}.whl")):
        return
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    command += ["-q", "--no-deps", "-d", str(folder)]
    command += ["--only-binary", ":all:", "--python-version", python, "--implementation", "cp"]
    for platform in ("manylinux2014", "manylinux_2_17") if machine else ():
        command += ["--platform", f"{platform}_{machine}"]
    subprocess.run([*command, requirement], check=True, stdout=subprocess.DEVNULL)


def write(target: Path, files: list[tuple[str, bytes]]) -> str:
    """Write the pack: names sorted, dates and modes fixed; its SHA-256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".pack-")
    with os.fdopen(handle, "wb") as out:
        out.write(SHEBANG)
        with zipfile.ZipFile(out, "w") as archive:
            for path, raw in sorted(files):
                info = zipfile.ZipInfo(path, DATE)
                info.external_attr = 0o100644 << 16
                info.create_system = 3
                packed = path.endswith(".whl")  # is compressed already
                info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
                archive.writestr(info, raw, compresslevel=9)
    os.chmod(name, 0o755)  # noqa: S103 - a program for everybody
    os.replace(name, target)
    return hashlib.sha256(target.read_bytes()).hexdigest()


def pack(target: Path, folder: Path | None, machines: list[str]) -> str:
    """Pack the agent; with wheels from (or downloaded to) ``folder``, or without any."""
    files = [*sources(), ("__main__.py", START)]
    if folder is None:
        files += installed_urllib3()
    else:
        download(folder, machines)
        files += [*wheel_urllib3(folder), *wheels(folder)]
    return write(target, files)


def measure(target: Path, python: str) -> float:
    """Seconds in which the packed agent, once unpacked, loads its parts and looks around."""
    with tempfile.TemporaryDirectory() as state:
        command = [python, str(target), "--state", state, "check", "--json"]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        begun = time.monotonic()
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        return round(time.monotonic() - begun, 3)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "windfall-agent.pyz")
    parser.add_argument("--no-wheels", action="store_true", help="needs no network, nor carries it")
    parser.add_argument("--wheels", type=Path, default=Path.home() / ".cache/windfall/wheels")
    parser.add_argument("--machine", action="append", help="x86_64 (default), aarch64; repeatable")
    parser.add_argument("--measure", action="append", default=[], help="start it with this Python")
    found = parser.parse_args()
    machines = found.machine or ["x86_64"]
    digest = pack(found.out, None if found.no_wheels else found.wheels, machines)
    told: dict[str, object] = {
        "path": str(found.out),
        "sha256": digest,
        "bytes": found.out.stat().st_size,
    }
    if found.measure:
        told["start_s"] = {python: measure(found.out, python) for python in found.measure}
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
