"""What payloads of a chaos run say that they have made is counted, whoever lives to tell it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools.chaoses.tally import PROBED, Tally, batches

ROOT = Path(__file__).parent.parent.parent


def test_reference_events_are_not_counted() -> None:
    assert list(batches([b"0 10", b"0 20", b"5 15", b"10 20"])) == [0, 10, 5, 10]


def test_what_was_made_beyond_two_copies_was_made_again(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally")
    say = f"""
import os, sys
sys.path.insert(0, {str(ROOT / "tools/payloads/ticks")!r})
import payload
os.environ["TICKS_TALLY"] = {str(tally.path)!r}
told = payload.teller()
for _ in range(2):
    for first in range(0, 100, 10):
        os.write(told, b"%d %d\\n" % (first, first + 10))
os.write(told, b"50 70\\n")
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", say], check=False)
    assert done.returncode == -9
    assert tally.close() == 2 * (100 - PROBED) + 20
    assert tally.again(100) == 20
