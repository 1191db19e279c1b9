"""Secrets of a document: where they are, masks in their place, and back again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from contexts.part import Part
from contexts.registry import PARTS, fields_of
from contexts.schema import Document, Field, Kind, Value

MASK = "(secret)"
"""What stands in the place of a secret; no value of a secret field can look like it."""


def secret_paths(document: Document, parts: Mapping[str, Part] = PARTS) -> list[str]:
    """The paths of all secret values that a document holds."""
    return [path for path, value in _secrets(document, parts) if value]


def hidden(document: Document, parts: Mapping[str, Part] = PARTS) -> Document:
    """The document with `MASK` in the place of every secret."""
    return _changed(document, parts, lambda path, value: MASK if value else value)


def stripped(document: Document, parts: Mapping[str, Part] = PARTS) -> Document:
    """The document without any secret: empty values where they were."""
    return _changed(document, parts, lambda path, value: type(value)())


def restored(document: Document, old: Document, parts: Mapping[str, Part] = PARTS) -> Document:
    """A document that came back with masks, with the secrets that stood there in the old one.

    Rows are found again by their first column. A mask where there was no secret becomes empty.
    """
    known = dict(_secrets(old, parts))
    return _changed(document, parts, lambda path, value: _back(value, known.get(path)))


def _back(value: Value, old: Value | None) -> Value:
    if value == MASK:
        return old if old is not None else ""
    return (old if old is not None else []) if value == [MASK] else value


def _secrets(document: Document, parts: Mapping[str, Part]) -> Iterator[tuple[str, Value]]:
    for name, values in document.items():
        for one, value in _fields(name, values, parts):
            if one.kind is Kind.ROWS and isinstance(value, list):
                for path, row, column in _cells(f"{name}.{one.key}", one, value):
                    yield path, row.get(column, "")
            elif one.secret:
                yield f"{name}.{one.key}", value


def _fields(
    name: str, values: Mapping[str, Value], parts: Mapping[str, Part]
) -> Iterator[tuple[Field, Value]]:
    fields = fields_of(name, parts)
    return ((fields[key], value) for key, value in values.items() if key in fields)


def _cells(path: str, one: Field, rows: list[Any]) -> Iterator[tuple[str, dict[str, str], str]]:
    """Path, row and column of every secret cell; a row goes by its first column."""
    secret = [column.key for column in one.columns if column.secret]
    for row in rows:
        for key in secret:
            if isinstance(row, dict) and key in row:
                yield f"{path}[{row.get(one.columns[0].key, '')}].{key}", row, key


def _changed(
    document: Document, parts: Mapping[str, Part], change: Callable[[str, Value], Value]
) -> Document:
    """A copy in which every secret value has gone through ``change``."""
    copy = {name: dict(values) for name, values in document.items()}
    for name, values in document.items():
        for one, value in _fields(name, values, parts):
            path = f"{name}.{one.key}"
            if one.kind is Kind.ROWS and isinstance(value, list):
                rows = [dict(row) for row in value if isinstance(row, dict)]
                for cell, row, key in _cells(path, one, rows):
                    row[key] = str(change(cell, row[key]))
                copy[name][one.key] = rows
            elif one.secret:
                copy[name][one.key] = change(path, value)
    return copy
