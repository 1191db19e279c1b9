"""The oldest Python on this machine that the agent still has to run on."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 9)
VARIABLE = "WINDFALL_OLD_PYTHON"


@functools.cache
def old_python() -> str:
    """Its path; empty if there is none older than the one that runs the tests.

    Looked for are the one that $WINDFALL_OLD_PYTHON names, then python3.9 and its successors on
    PATH and among those of pyenv.
    """
    named = os.environ.get(VARIABLE)
    if named:
        assert _works(named), f"{VARIABLE}={named} is no Python of {OLDEST} or later"
        return named
    for minor in range(OLDEST[1], sys.version_info[1]):
        for path in _candidates(f"3.{minor}"):
            if _works(path):
                return path
    return ""


def _candidates(version: str) -> list[str]:
    found = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return [*([found] if found else []), *map(str, pyenv.glob(f"{version}.*/bin/python3"))]


def _works(path: str) -> bool:
    # pyenv puts stubs on PATH for versions that it does not run.
    ask = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([path, "-c", ask], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
