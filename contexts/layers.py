"""Layers of defaults: experiment, site, role, user; each value with where it comes from.

Higher layers win field by field. A list is replaced as a whole unless its field ``adds``; then it
is put behind those of lower layers, each item once; a row takes the place of one with the same
first column.
``[]`` and ``""`` say "nothing" and take away what lower layers say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from contexts.part import Part
from contexts.registry import PARTS, fields_of
from contexts.schema import Document, Field, Kind, Value

LEVELS = ("experiment", "site", "role", "user")
"""The levels, the lowest first: experiment < site < role < user."""
DEFAULT = "default"
"""Where a value comes from that no layer says."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one level says. ``title`` is whose it is ("site Geneva"); ``without`` takes parts away
    that lower layers have.
    """

    level: str
    document: Document
    title: str = ""
    without: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """What is shown as the origin of its values."""
        return self.title or self.level


@dataclass(frozen=True, slots=True)
class Resolved:
    """A document put together, and the origins by path (``part`` and ``part.field``).

    A list that adds has several origins, in the order of its items.
    """

    document: Document
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def origin(self, path: str) -> tuple[str, ...]:
        """Where a value or part comes from; `DEFAULT` if no layer says it."""
        return self.origins.get(path, (DEFAULT,))


class NoSuchLevel(ValueError):
    """A layer of a level that is none of `LEVELS`."""


def merge(layers: Sequence[Layer], parts: Mapping[str, Part] = PARTS) -> Resolved:
    """One document of all layers, in whatever order they are given; of one level, the last wins."""
    for layer in layers:
        if layer.level not in LEVELS:
            raise NoSuchLevel(f"{layer.level} is none of {', '.join(LEVELS)}")
    document: dict[str, dict[str, Value]] = {}
    origins: dict[str, tuple[str, ...]] = {}
    for layer in sorted(layers, key=lambda layer: LEVELS.index(layer.level)):
        for name in layer.without:
            _drop(name, document, origins)
        for name, values in layer.document.items():
            origins.setdefault(name, (layer.origin,))
            fields = fields_of(name, parts)
            held = document.setdefault(name, {})
            for key, value in values.items():
                path, one = f"{name}.{key}", fields.get(key)
                grows = one is not None and one.adds and bool(held.get(key)) and bool(value)
                held[key] = _both(one, held[key], value) if one and grows else value
                origins[path] = _origins(origins.get(path, ()), layer.origin, grows)
    return Resolved(document, origins)


def _drop(
    name: str, document: dict[str, dict[str, Value]], origins: dict[str, tuple[str, ...]]
) -> None:
    document.pop(name, None)
    for path in [path for path in origins if path.partition(".")[0] == name]:
        del origins[path]


def _origins(before: tuple[str, ...], new: str, grows: bool) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before, new))) if grows else (new,)


def _both(one: Field, before: Value, value: Value) -> Value:
    """What a list that adds holds once a higher layer has said its items."""
    if not isinstance(before, list) or not isinstance(value, list):
        return value
    if one.kind is Kind.ROWS:
        return _rows(one.columns[0].key, before, value)
    return list(dict.fromkeys(str(item) for item in (*before, *value)))


def _rows(key: str, before: Iterable[object], value: Iterable[object]) -> list[dict[str, str]]:
    rows: dict[str, dict[str, str]] = {}
    for row in (*before, *value):
        if isinstance(row, dict):
            rows[str(row.get(key, ""))] = row
    return list(rows.values())
