"""Starts a real virtual machine on a seed disk, and shows what it says until it is stopped."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tools.arguments import Parser, count, file_to_read
from tools.realvm.image import NotToBeHad, build
from tools.realvm.machine import Running

CACHE = Path.home() / ".cache" / "windfall" / "guest"


def main() -> int:
    """The command line."""
    parser = Parser(prog="python -m tools.realvm", description=__doc__)
    parser.add_argument("seed", type=file_to_read, help="seed.iso, as the target iso renders it")
    parser.add_argument("--guest", type=Path, default=CACHE, help="where the guest is made")
    parser.add_argument("--memory-mb", type=count, default=768)
    found = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            running = Running(build(found.guest), found.seed, Path(folder), found.memory_mb)
        except NotToBeHad as error:
            print(error, file=sys.stderr)
            return 1
        try:
            _follow(running)
        except KeyboardInterrupt:
            pass
        finally:
            running.kill()
    return 0


def _follow(running: Running) -> None:
    """Print the serial line as it grows, until the machine has ended."""
    shown = 0
    while running.process.poll() is None:
        text = running.serial
        sys.stdout.write(text[shown:])
        sys.stdout.flush()
        shown = len(text)
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
