"""The editor's form: what was typed becomes a document, and a document what is shown to type in.

Fields are named by their paths (``part.field``, in rows ``part.field[row].column``). Beside them go
``part`` (switched on), ``without`` (left out of what lies below), ``kept`` (paths of secrets that
stay unless something is typed), ``forget`` and ``empty`` (paths that are to be nothing).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from contexts.hiding import MASK
from contexts.registry import PARTS
from contexts.schema import Field, Kind
from server.handlers.door import Form
from server.services.shelf.draft import Draft
from server.services.shelf.veil import Said

ROWS_MOST = 200
HEADS = ("name", "description", "tags", "role", "site", "note")
YES, NO = "yes", "no"


@dataclass(frozen=True)
class Typed:
    """What the form held: the heads as text, the document, and which button was pressed.

    ``blank`` counts the empty rows that were asked for, by path.
    """

    heads: Mapping[str, str] = field(default_factory=dict)
    template: bool = False
    said: Said = field(default_factory=Said)
    of: str = ""
    started_from: int = 0
    deed: str = "look"
    about: str = ""
    target: str = "mime"
    ask: tuple[str, ...] = ()
    blank: Mapping[str, int] = field(default_factory=dict)
    secret: str = ""
    secret_again: str = ""

    def draft(self) -> Draft:
        """What is to be kept."""
        heads = {name: self.heads.get(name, "") for name in HEADS}
        return Draft(
            heads["name"], heads["description"], tuple(heads["tags"].split()), heads["site"],
            heads["role"], self.template, self.said, note=heads["note"],
        )  # fmt: skip


def read(form: Form) -> Typed:
    """What was typed; nothing is refused here, so that all of it can be shown again."""
    deed, _, about = form.get("do", "look").partition(":")
    heads = {name: form.get(name, "").replace("\r\n", "\n").strip() for name in HEADS}
    without = [name for name in form.getall("without", []) if name in PARTS]
    on = [name for name in form.getall("part", []) if name in PARTS]
    document: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys([*on, *form.getall("below", [])]):
        if name not in PARTS:
            continue
        values = dict(_values(form, name))
        if name in on or values:
            document[name] = values
    started = form.get("started_from", "")
    typed = Typed(
        heads, form.get("template", "") == "on",
        Said(document, tuple(dict.fromkeys(without)), heads["site"], heads["role"]),
        form.get("of", "")[:32], int(started) if started.isdigit() and len(started) < 10 else 0,
        deed, about, form.get("target", "mime")[:40],
        tuple(path for path in form.getall("ask", []) if _known(path)),
        secret=form.get("secret", ""), secret_again=form.get("secret_again", ""),
    )  # fmt: skip
    return _pressed(typed)


def _known(path: str) -> bool:
    part, _, key = path.partition(".")
    return part in PARTS and any(one.key == key for one in PARTS[part].fields)


def _pressed(typed: Typed) -> Typed:
    """The same after a button that changes the form itself."""
    said, about = typed.said, typed.about
    document = {name: dict(values) for name, values in said.document.items()}
    without = list(said.without)
    if typed.deed == "add" and about in PARTS:
        document.setdefault(about, {})
        without = [name for name in without if name != about]
    elif typed.deed == "drop" and about in PARTS:
        document.pop(about, None)
    elif typed.deed == "leave" and about in PARTS:
        document.pop(about, None)
        without = [*without, about]
    elif typed.deed == "cut":
        _cut(document, about)
    blank = {about: 3} if typed.deed == "rows" else {}
    return replace(typed, said=replace(said, document=document, without=tuple(without)),
                   blank=blank)  # fmt: skip


def _cut(document: dict[str, dict[str, Any]], about: str) -> None:
    """Take a row out: ``part.field[row]``."""
    found = re.fullmatch(r"([a-z0-9-]+)\.([a-z0-9_]+)\[(\d{1,3})\]", about)
    if found is None:
        return
    rows = document.get(found[1], {}).get(found[2], [])
    if isinstance(rows, list) and int(found[3]) < len(rows):
        del rows[int(found[3])]


def _values(form: Form, part: str) -> Iterator[tuple[str, Any]]:
    for one in PARTS[part].fields:
        path = f"{part}.{one.key}"
        found = _value(form, path, one)
        if found is not None:
            yield one.key, found


def _value(form: Form, path: str, one: Field) -> Any:
    """The value of a field; None if nothing is said of it."""
    if path in form.getall("empty", []):
        return [] if one.kind in (Kind.LINES, Kind.ROWS) else ""
    if one.kind is Kind.ROWS:
        return list(_rows(form, path, one)) or None
    text = form.get(path, "").replace("\r\n", "\n")
    if one.kind is not Kind.TEXT:
        text = text.strip()
    if not text:
        return _hidden(form, path, one)
    if one.kind is Kind.NUMBER:
        return int(text) if re.fullmatch(r"-?\d{1,15}", text) else text
    if one.kind is Kind.SWITCH:
        return {YES: True, NO: False}.get(text, text)
    if one.kind is Kind.LINES:
        return [line.strip() for line in text.split("\n") if line.strip()]
    return text


def _hidden(form: Form, path: str, one: Field) -> Any:
    """The secret that stays, if there is one and it is not to be forgotten."""
    stays = path in form.getall("kept", []) and path not in form.getall("forget", [])
    if not (one.secret and stays):
        return None
    return [MASK] if one.kind is Kind.LINES else MASK


def _rows(form: Form, path: str, one: Field) -> Iterator[dict[str, str]]:
    """The rows that hold anything."""
    for number in range(ROWS_MOST):
        row: dict[str, str] = {}
        for column in one.columns:
            at = f"{path}[{number}].{column.key}"
            cell = form.get(at, "").replace("\r\n", "\n").strip()
            cell = cell or _hidden(form, at, column) or ""
            if cell:
                row[column.key] = cell
        if row:
            yield row
