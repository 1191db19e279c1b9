"""Every part there is: our own, one file each in `contexts.parts`, and those of others.

Others add parts by the group of entry points `contexts.part.ENTRY_POINTS`. A plug-in that does not
load, or is not what a part has to be, is named in `BROKEN` and left out: it spoils no context.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

import contexts.parts
from contexts.part import ENTRY_POINTS, Part
from contexts.schema import TABS, Field

_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,40}")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Broken:
    """A plug-in that was left out: its entry point, and why."""

    name: str
    why: str


def ours() -> list[Part]:
    """The parts of the house, by tab and name."""
    found: list[Part] = []
    for module in pkgutil.iter_modules(contexts.parts.__path__, "contexts.parts."):
        part: Part = importlib.import_module(module.name).PART
        found.append(part)
    return sorted(found, key=lambda part: (TABS.index(part.tab), part.name))


def with_others(
    own: Iterable[Part], others: Iterable[EntryPoint]
) -> tuple[Mapping[str, Part], tuple[Broken, ...]]:
    """All parts by name, and the plug-ins that are left out."""
    parts = {part.name: part for part in own}
    broken: list[Broken] = []
    for point in sorted(others, key=lambda point: (point.name, point.value)):
        part: Any = None
        try:
            part = point.load()
            why = unfit(part) or _taken(part, parts)
        except Exception as error:  # a stranger's code may raise anything while it is imported
            why = f"{type(error).__name__}: {error}"
        if part is None or why:
            broken.append(Broken(point.name, f"{point.value}: {why}"))
            log.warning("a plug-in is left out", extra={"plugin": point.name, "why": why})
        else:
            parts[part.name] = part
    return MappingProxyType(parts), tuple(broken)


def _taken(part: Any, parts: Mapping[str, Part]) -> str:
    return f"there is a part {part.name} already" if part.name in parts else ""


def fields_of(name: str, parts: Mapping[str, Part]) -> dict[str, Field]:
    """The fields of a part by their keys; of one that nobody knows, none."""
    return {one.key: one for one in parts[name].fields} if name in parts else {}


def unfit(part: object) -> str:
    """Why a thing is no part; "" if it is one."""
    for name in ("name", "tab", "title", "summary", "fields", "check", "pieces"):
        if not hasattr(part, name):
            return f"it has no {name}"
    name, tab, fields = (getattr(part, key) for key in ("name", "tab", "fields"))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"its name {name!r} is not lower-case letters, digits and dashes"
    if tab not in TABS:
        return f"its tab {tab!r} is none of {', '.join(TABS)}"
    if not isinstance(fields, tuple) or not all(isinstance(one, Field) for one in fields):
        return "its fields are not a tuple of Field"
    return next((why for one in fields if (why := _bad_field(one))), "")


def _bad_field(one: Field) -> str:
    if not _KEY.fullmatch(one.key):
        return f"its field {one.key!r} is not lower-case letters, digits and underscores"
    try:
        re.compile(one.pattern)
    except re.error as error:
        return f"the pattern of its field {one.key} is none: {error}"
    return next((why for column in one.columns if (why := _bad_field(column))), "")


PARTS, BROKEN = with_others(ours(), entry_points(group=ENTRY_POINTS))
"""All parts by name, and the plug-ins of others that were left out when the program started."""
