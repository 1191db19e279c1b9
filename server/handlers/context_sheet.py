"""What the editor shows: every field with its value, where it comes from, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contexts.hiding import MASK
from contexts.layers import DEFAULT, Resolved
from contexts.part import Part
from contexts.registry import PARTS
from contexts.schema import TABS, Field, Kind
from server.handlers.context_form import NO, YES
from server.services.shelf.veil import Said

BESIDE = 1  # blank rows that are always there to be typed in
SHORT = 60


@dataclass(frozen=True)
class Cell:
    """A cell of a row: ``kept`` if a secret stays in it unless something is typed."""

    column: Field
    path: str
    value: str
    error: str = ""
    kept: bool = False


@dataclass(frozen=True)
class Slot:
    """A field as it is shown.

    ``value`` is what was typed, as text; ``below`` what holds if nothing is, and ``origin`` who
    says so. ``empty`` says that it is to be nothing.
    """

    one: Field
    path: str
    value: str = ""
    rows: tuple[tuple[Cell, ...], ...] = ()
    below: str = ""
    origin: str = ""
    error: str = ""
    kept: bool = False
    empty: bool = False
    mine: bool = False


@dataclass(frozen=True)
class Sheet:
    """A part on the page: ``mine`` if this context says something in it, ``below`` if others do."""

    part: Part
    slots: tuple[Slot, ...]
    mine: bool
    below: bool
    origin: str = ""
    error: str = ""


@dataclass(frozen=True)
class Tab:
    """A tab: the parts in use on it, and those that could be."""

    id: str
    words: str
    sheets: tuple[Sheet, ...]
    others: tuple[Part, ...]
    left_out: tuple[Part, ...]
    faults: int = 0


def tabs(
    said: Said, lower: Resolved, errors: Mapping[str, str], blank: Mapping[str, int]
) -> tuple[Tab, ...]:
    """Every tab of the editor. ``lower`` is what lies below, with masks for secrets."""
    made = []
    for words in TABS:
        here = [part for part in PARTS.values() if part.tab == words]
        used = [part for part in here if part.name in said.document
                or (part.name in lower.document and part.name not in said.without)]  # fmt: skip
        out = tuple(part for part in here if part.name in said.without and part not in used)
        sheets = tuple(sheet(part, said, lower, errors, blank) for part in used)
        others = tuple(part for part in here if part not in used and part not in out)
        faults = sum(1 for path in errors if _part_of(path) in {part.name for part in here})
        made.append(Tab(words.lower(), words, sheets, others, out, faults))
    return tuple(made)


def _part_of(path: str) -> str:
    return path.partition(".")[0]


def sheet(
    part: Part, said: Said, lower: Resolved, errors: Mapping[str, str], blank: Mapping[str, int],
    only: Iterable[str] = (),
) -> Sheet:  # fmt: skip
    """One part; ``only`` these paths of it, if any are named."""
    wanted = set(only)
    below = part.name in lower.document and part.name not in said.without
    slots = tuple(
        slot(f"{part.name}.{one.key}", one, said, lower, errors, blank)
        for one in part.fields
        if not wanted or f"{part.name}.{one.key}" in wanted
    )
    origin = ", ".join(lower.origin(part.name)) if below else ""
    mine = part.name in said.document
    return Sheet(part, slots, mine, below, origin, errors.get(part.name, ""))


def slot(
    path: str, one: Field, said: Said, lower: Resolved, errors: Mapping[str, str],
    blank: Mapping[str, int],
) -> Slot:  # fmt: skip
    """One field."""
    part, key = path.split(".", 1)
    mine = said.document.get(part, {}).get(key)
    under = None if part in said.without else lower.document.get(part, {}).get(key)
    origin = "" if under is None else ", ".join(lower.origin(path))
    if under is None and one.default not in (None, "", []):
        under, origin = one.default, DEFAULT
    wrong = errors.get(path, "") or next(
        (text for at, text in errors.items() if at.startswith(f"{path}[") and "]." not in at), ""
    )
    rows: tuple[tuple[Cell, ...], ...] = ()
    if one.kind is Kind.ROWS:
        rows = cells(path, one, mine, errors, blank.get(path, BESIDE))
    kept = mine in (MASK, [MASK])
    return Slot(
        one, path, "" if kept else text_of(mine), rows, short(one, under), origin, wrong,
        kept, mine in ("", []), mine is not None,
    )  # fmt: skip


def cells(
    path: str, one: Field, value: object, errors: Mapping[str, str], blank: int
) -> tuple[tuple[Cell, ...], ...]:
    """Rows of a table, and blank ones to type in."""
    rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    found = []
    for number, row in enumerate([*rows, *({} for _ in range(blank))]):
        line = []
        for column in one.columns:
            at, cell = f"{path}[{number}].{column.key}", str(row.get(column.key, ""))
            kept = cell == MASK
            line.append(Cell(column, at, "" if kept else cell, errors.get(at, ""), kept))
        found.append(tuple(line))
    return tuple(found)


def text_of(value: object) -> str:
    """A value as it is typed."""
    match value:
        case None:
            return ""
        case bool():
            return YES if value else NO
        case list():
            return "\n".join(str(item) for item in value if not isinstance(item, dict))
        case _:
            return str(value)


def told(part: str, key: str, value: object) -> str:
    """A value of a document with masks, all of it: whoever reviews a context has to see it."""
    fields = PARTS[part].fields if part in PARTS else ()
    one = next((one for one in fields if one.key == key), None)
    if one is None or (one.secret and value not in ("", [])):
        return "a secret" if one else str(value)
    if one.kind is Kind.ROWS and isinstance(value, list):
        return "\n".join(_row(one, row) for row in value if isinstance(row, dict)) or "nothing"
    if one.kind is Kind.SWITCH:
        return "yes" if value else "no"
    return text_of(value).rstrip("\n") or "nothing"


def _row(one: Field, row: dict[str, str]) -> str:
    said = ((column, row.get(column.key, "")) for column in one.columns)
    return ", ".join(
        f"{column.title.lower()} {'(secret)' if column.secret else cell}"
        for column, cell in said
        if cell
    )


def runs(part: str, key: str) -> bool:
    """Whether a value is itself a program, or names one."""
    return part in PARTS and any(one.key == key and one.runs for one in PARTS[part].fields)


def title_of(part: str, key: str = "") -> str:
    """What people call a part, or a field of it."""
    found = PARTS.get(part)
    if found is None or not key:
        return found.title if found else part
    return next((one.title for one in found.fields if one.key == key), key)


def short(one: Field, value: object) -> str:
    """What holds if nothing is typed, in a few words."""
    if value in (None, "", []):
        return ""
    if one.secret and one.kind is not Kind.ROWS:
        return "a secret"
    if one.kind is Kind.SWITCH:
        return "yes" if value else "no"
    if isinstance(value, list):
        names = [str(next(iter(item.values()), "")) if isinstance(item, dict) else str(item)
                 for item in value]  # fmt: skip
        text = ", ".join(names)
    else:
        text = " ".join(str(value).split())
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"
