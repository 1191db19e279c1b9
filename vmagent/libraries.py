"""Finds the compiled library that a packed agent needs: the machine's own, or one it carries."""

from __future__ import annotations

import io
import os
import platform
import re
import sys
import tempfile
import zipfile
from pathlib import Path

from vmagent.errors import PackUnusable

LEAST_MAJOR = 40


def ready(pack: str) -> None:
    """Make `cryptography` importable; ``pack`` is the path of the packed agent.

    A compiled module cannot be imported from inside a zip file, so the wheels that fit this
    machine are unpacked once into a private folder named by their digest.
    """
    if not _machine_has_one():
        sys.path.insert(0, str(unpacked(pack, _cache())))


def unpacked(pack: str, cache: Path) -> Path:
    """The folder of the unpacked wheels; `PackUnusable` if none fit."""
    try:
        with zipfile.ZipFile(pack) as archive:
            names = [name for name in archive.namelist() if name.endswith(".whl")]
            chosen = [_fitting(names, "cryptography"), _fitting(names, "cffi")]
            digest = archive.read("wheels/digest").decode("ascii").strip() if names else ""
            tag = f"cp{sys.version_info[0]}{sys.version_info[1]}-{platform.machine()}"
            place = cache / f"{digest[:32]}-{tag}"
            if place.is_dir():
                return place
            with tempfile.TemporaryDirectory(dir=_private(cache)) as work:
                fresh = Path(work) / "fresh"
                for name in chosen:
                    _unpack(archive, name, fresh)
                try:
                    os.replace(fresh, place)
                except OSError:
                    if not place.is_dir():  # if it is: another start was quicker
                        raise
            return place
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise PackUnusable(f"{pack}: {error}") from error


def _machine_has_one() -> bool:
    try:
        import cryptography
        from cryptography.hazmat.bindings import _rust  # noqa: F401 - is it compiled for us?
    except ImportError:
        return False
    found = re.match(r"\d+", cryptography.__version__)
    return found is not None and int(found.group()) >= LEAST_MAJOR


def _cache() -> Path:
    if os.environ.get("WINDFALL_CACHE"):
        return Path(os.environ["WINDFALL_CACHE"])
    if os.geteuid() == 0:
        return Path("/var/cache/windfall-agent")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "windfall-agent"


def _private(cache: Path) -> Path:
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = cache.stat()
    if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise PackUnusable(f"{cache}: must be this user's and writable by nobody else")
    return cache


def _fitting(names: list[str], project: str) -> str:
    own = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    machine = platform.machine()
    found: list[tuple[int, str]] = []
    for name in sorted(names):
        match = re.match(rf"^wheels/{project}-[^-]+-cp3(\d+)-(\w+)-(.+)\.whl$", name)
        if match is None or machine not in match.group(3):
            continue
        stable = match.group(2) == "abi3" and int(match.group(1)) <= sys.version_info[1]
        if stable or match.group(2) == own:
            found.append((int(match.group(1)), name))
    if not found:
        raise PackUnusable(
            f"it carries no {project} for {own} on {machine}; "
            f"install cryptography {LEAST_MAJOR} or newer for {sys.executable}"
        )
    return max(found)[1]


def _unpack(archive: zipfile.ZipFile, name: str, place: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive.read(name))) as wheel:
        wheel.extractall(place)
