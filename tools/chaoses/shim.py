"""What is preloaded into a process under test (shim.c), and the page of memory that steers it."""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
KILL, POWER, POWER_SOME = 0, 1, 2
_LAYOUT = struct.Struct("=qiiqQqqqq")  # `struct control` of shim.c
_NAMES = (
    *("countdown", "mode", "full", "offset_ns", "seed"),
    *("calls", "undone", "died", "refused"),
)
_AT = dict(zip(_NAMES, (0, 8, 12, 16, 24, 32, 40, 48, 56), strict=True))
_FORM = dict(zip(_NAMES, "qiiqQqqqq", strict=True))


class NoCompiler(RuntimeError):
    """There is no gcc or cc on PATH; the faults that need it cannot happen."""


def build(folder: Path) -> Path:
    """Compile the shim into a folder. Raises NoCompiler, and CalledProcessError with its words."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NoCompiler("there is no C compiler; run: apt-get install gcc libc6-dev")
    target = folder / "shim.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-o", target, SOURCE, "-ldl", "-lpthread"],
        check=True,
        capture_output=True,
    )
    return target


class Control:
    """The page of one process, or of one after the other: what is written takes effect at once."""

    def __init__(self, path: Path, root: Path) -> None:
        """A fresh page in this file, for a process whose files lie below ``root``."""
        self.path, self.root = path, root
        path.write_bytes(bytes(4096))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 4096)

    def environment(self, shim: Path) -> dict[str, str]:
        """What the process needs in its environment."""
        return {
            "LD_PRELOAD": str(shim),
            "CHAOS_CONTROL": str(self.path),
            "CHAOS_ROOT": str(self.root),
        }

    def get(self, name: str) -> int:
        """One field."""
        return int(struct.unpack_from("=" + _FORM[name], self._page, _AT[name])[0])

    def put(self, name: str, value: int) -> None:
        """Set one field."""
        struct.pack_into("=" + _FORM[name], self._page, _AT[name], value)

    def arm(self, calls: int, mode: int, seed: int = 1) -> None:
        """Die before the ``calls``-th call from now that leaves a trace."""
        self.put("died", 0)
        self.put("mode", mode)
        self.put("seed", seed)
        self.put("undone", 0)
        self.put("countdown", calls)

    def calm(self) -> None:
        """Nothing out of the ordinary any more."""
        for name in ("countdown", "full", "offset_ns"):
            self.put(name, 0)

    @property
    def died(self) -> bool:
        """Whether the last death was by this page."""
        return self.get("died") != 0


def environment() -> dict[str, str]:
    """The environment of this process without anything that could preload or steer."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("LD_", "CHAOS_"))}
