"""The pages of threats and of leases claim nothing by a test that is not there."""

from __future__ import annotations

import re

import pytest

from tests.architecture.sources import ROOT, functions, sources


@pytest.mark.parametrize(("name", "least"), [("threats.md", 40), ("leases.md", 25)])
def test_every_test_that_a_page_names_is_there(name: str, least: int) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    tests = [source for source in sources() if "/test_" in source.path]
    found = {node.name for source in tests for node in functions(source)}
    assert len(named) > least
    assert named - found == set()
