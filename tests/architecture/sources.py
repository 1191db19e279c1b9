"""The sources of this checkout as the architecture tests read them."""

from __future__ import annotations

import ast
import functools
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ("contexts", "server", "tests", "tools", "vmagent", "web")
# Payloads run on hosts, inside their bundles: what they import is theirs, and not of the house.
FOREIGN = ("tools/payloads/",)


@dataclass(frozen=True)
class Source:
    """A Python file: where it is, its module name, its text and its tree."""

    path: str
    module: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return self.text.count("\n")

    @property
    def is_test(self) -> bool:
        """Whether it is part of the tests."""
        return self.path.startswith("tests/")

    @property
    def is_folder(self) -> bool:
        """Whether it stands for its folder."""
        return self.path.endswith("/__init__.py")


@functools.cache
def sources() -> tuple[Source, ...]:
    """Every Python file of the house."""
    # The trees are a million objects that stay: the collector would go over them again and again.
    gc.disable()
    try:
        return tuple(_read(path) for name in HOUSE for path in sorted((ROOT / name).rglob("*.py")))
    finally:
        gc.freeze()
        gc.enable()


def _read(path: Path) -> Source:
    name = path.relative_to(ROOT).as_posix()
    module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    text = path.read_text(encoding="utf-8")
    return Source(name, module, text, ast.parse(text, name))


def imported(source: Source) -> Iterator[tuple[int, str]]:
    """Each module that a file imports, with the line; of ``from a import b`` both a and a.b."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield node.lineno, base
            for alias in node.names:
                if f"{base}.{alias.name}" in _modules():
                    yield node.lineno, f"{base}.{alias.name}"


@functools.cache
def _modules() -> frozenset[str]:
    return frozenset(source.module for source in sources())


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file."""
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def is_within(module: str, parts: tuple[str, ...]) -> bool:
    """Whether a module is one of these parts or lies in one."""
    return any(module == part or module.startswith(f"{part}.") for part in parts)
