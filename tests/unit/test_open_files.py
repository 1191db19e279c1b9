"""A server takes as many open files as it may: two for every host."""

from __future__ import annotations

import resource
import subprocess
import sys

PROGRAM = """
import resource
from server.wiring import open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 700))
print(open_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 700
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["700", "700", "700"]
