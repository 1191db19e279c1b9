"""The page of threats claims nothing by a test that is not there."""

from __future__ import annotations

import ast
import re

from tests.architecture.sources import ROOT


def test_every_test_that_the_page_of_threats_names_is_there() -> None:
    page = (ROOT / "docs/threats.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        found |= {node.name for node in ast.walk(tree) if isinstance(node, functions)}
    assert len(named) > 40
    assert named - found == set()
