"""The diagrams in docs are those of the tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def draw(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.draw_states", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_page_in_docs_is_as_the_tables_say() -> None:
    done = draw("--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_page_that_is_missing_or_altered_is_found_and_made_again(tmp_path: Path) -> None:
    page = tmp_path / "states.md"
    assert draw("--check", "--page", str(page)).returncode == 1
    assert draw("--page", str(page)).returncode == 0
    assert draw("--check", "--page", str(page)).returncode == 0
    page.write_text(page.read_text().replace("give-back", "keep"))
    assert draw("--check", "--page", str(page)).returncode == 1
    assert "leased --> returned: keep" in page.read_text()
