"""Names: ours come from this checkout, hide nobody else's, and errors say what they are."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.architecture.sources import FOREIGN, HOUSE, ROOT, Source, sources


@pytest.mark.parametrize("name", HOUSE)
def test_a_package_of_the_house_comes_from_this_checkout(name: str) -> None:
    found = importlib.import_module(name).__file__
    assert found is not None
    assert Path(found).parent == ROOT / name, (
        f"{name} comes from {found}: run `pip install -e .` in this checkout"
    )


def test_no_module_is_called_like_one_of_the_standard_library() -> None:
    shadows = [
        source.path
        for source in sources()
        if not source.path.startswith(FOREIGN)
        and source.module.rpartition(".")[2] in sys.stdlib_module_names
        and not source.module.endswith("__main__")
    ]
    assert shadows == []


def test_no_two_files_of_tests_have_one_name() -> None:
    names = Counter(
        source.path.rpartition("/")[2] for source in sources() if "/test_" in source.path
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_the_names_of_tests_are_found_by_pytest() -> None:
    hidden = [
        f"{source.path} {node.name}"
        for source in sources()
        if source.is_test and not source.path.rpartition("/")[2].startswith("test_")
        for node in source.tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("test_")
    ]
    assert hidden == []


def test_every_table_is_written_by_the_one_writer_that_lets_no_formula_through() -> None:
    ours = [source for source in sources() if source.path.startswith("server/")]
    writers = [source.path for source in ours if re.search(r"\bcsv\.(w|Dict)", source.text)]
    assert writers == ["server/domain/spreadsheet.py"]
    senders = [source for source in ours if re.search(r"\b(media|content_type)=CSV", source.text)]
    assert len(senders) >= 4
    assert [one.path for one in senders if "as_csv(" not in one.text] == []
    assert [one.path for one in ours if '"text/csv"' in one.text] == ["server/handlers/routes.py"]


@functools.cache
def _classes() -> dict[str, list[tuple[Source, ast.ClassDef]]]:
    found: dict[str, list[tuple[Source, ast.ClassDef]]] = {}
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append((source, node))
    return found


def _errors() -> set[str]:
    """The names of the classes that come from Exception, however far up."""
    every = _classes()
    known = {
        name
        for name, thing in vars(builtins).items()
        if isinstance(thing, type) and issubclass(thing, BaseException)
    }
    known.add("ClickException")
    while True:
        more = {
            name
            for name, homes in every.items()
            for _, node in homes
            if name not in known
            and any(ast.unparse(base).rpartition(".")[2] in known for base in node.bases)
        }
        if not more:
            return {name for name in every if name in known}
        known |= more


def test_every_error_says_what_happened() -> None:
    every = _classes()
    errors = _errors()
    assert "BadSettings" in errors
    silent = [
        f"{source.path}:{node.lineno} {name}"
        for name in errors
        for source, node in every[name]
        if not name.startswith("_") and not source.is_test and not ast.get_docstring(node)
    ]
    assert silent == []
