"""Pages that are made from the program: written, or held against what they would be."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def run(about: str, name: str, page: Callable[[], str], tool: str) -> int:
    """Write docs/``name``; with --check only say (exit code 1) whether it is outdated."""
    options = argparse.ArgumentParser(description=about)
    options.add_argument("--check", action="store_true", help="write nothing, exit 1 if outdated")
    options.add_argument("--page", type=Path, default=DOCS / name, help="where the page is")
    given = options.parse_args()
    if not given.check:
        given.page.write_text(page(), encoding="utf-8")
        return 0
    if given.page.is_file() and given.page.read_text(encoding="utf-8") == page():
        return 0
    print(f"{given.page} is not as the program says; run python -m tools.{tool}")
    return 1
