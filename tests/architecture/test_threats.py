"""The pages of threats and of leases claim nothing by a test that is not there."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.sources import ROOT


@pytest.mark.parametrize(("name", "least"), [("threats.md", 40), ("leases.md", 25)])
def test_every_test_that_a_page_names_is_there(name: str, least: int) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        found |= {node.name for node in ast.walk(tree) if isinstance(node, functions)}
    assert len(named) > least
    assert named - found == set()
