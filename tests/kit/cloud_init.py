"""The cloud-init of Debian as a process that tests ask."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHILD = Path(__file__).with_name("cloud_init_child.py")
PYTHON = "/usr/bin/python3"
CURE = "Debian's cloud-init is not here (apt-get install cloud-init)"


@dataclass
class CloudInit:
    """One process that answers for many texts."""

    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [PYTHON, str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self, text: str) -> dict[str, Any]:
        """What it makes of user data."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(text) + "\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def found() -> str:
    """The program cloud-init; skips the test if it is not here."""
    program = shutil.which("cloud-init")
    if program is None or not Path("/usr/lib/python3/dist-packages/cloudinit").is_dir():
        pytest.skip(CURE)
    return program
