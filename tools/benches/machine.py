"""What the machine is that a bench ran on: facts without which absolute figures say nothing."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

SYNCS = 50
BLOCK = 4096


def facts(folder: Path) -> dict[str, object]:
    """Processor, kernel, versions, load, and what a small durable write takes in this folder."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in ("aiohttp", "msgspec", "uvloop")},
        "sqlite": sqlite3.sqlite_version,
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "sync_ms": round(sync_ms(folder), 3),
        "platform": sys.platform,
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def sync_ms(folder: Path) -> float:
    """The median time of a 4 kB write with fdatasync, in milliseconds."""
    path = folder / "sync-probe"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    took = []
    try:
        for number in range(SYNCS):
            start = time.perf_counter()
            os.pwrite(handle, b"\1" * BLOCK, number * BLOCK)
            os.fdatasync(handle)
            took.append(time.perf_counter() - start)
    finally:
        os.close(handle)
        path.unlink()
    return statistics.median(took) * 1000
