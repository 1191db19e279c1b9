"""Whether a document can be used: all its faults at once, each with where, rule and cure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import cast

from contexts.part import Part
from contexts.registry import PARTS
from contexts.schema import Document, Fault, Field, Kind, Value

MOST_PARTS = 100
"""Parts in a document; a bound on work done for a hostile one."""
MOST_FAULTS = 1000
"""Faults that are told: more than all fields that may be missing, and no work without end."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_IN_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_TEXTS = (Kind.LINE, Kind.TEXT, Kind.CHOICE)


def check(document: object, parts: Mapping[str, Part] = PARTS) -> list[Fault]:
    """What is wrong with a document, whatever it is; [] if it can be rendered.

    Of more than `MOST_FAULTS` the first are told.
    """
    if not isinstance(document, Mapping):
        return [Fault("", "a context is a mapping of parts: give {part: {field: value}}")]
    if len(document) > MOST_PARTS:
        return [Fault("", f"a context has at most {MOST_PARTS} parts: leave some out")]
    found = (fault for name, values in document.items() for fault in _part(name, values, parts))
    faults = list(islice(found, MOST_FAULTS))
    if faults:
        return faults
    known = cast(Document, document)
    whole = filled(known, parts)
    for name, values in whole.items():
        faults += parts[name].check(values, whole)
    return faults


def filled(document: Document, parts: Mapping[str, Part] = PARTS) -> Document:
    """A document that has passed `check`, with the defaults of fields and of columns of rows."""
    return {name: dict(_filled(parts[name], values)) for name, values in document.items()}


def _filled(part: Part, values: Mapping[str, Value]) -> Iterator[tuple[str, Value]]:
    for one in part.fields:
        value = values.get(one.key, one.default)
        if value is None:
            continue
        if one.kind is Kind.ROWS and isinstance(value, list):
            empty = {column.key: str(column.default or "") for column in one.columns}
            rows = [{**empty, **row} for row in value if isinstance(row, dict)]
            yield one.key, rows
        else:
            yield one.key, value


def _part(name: object, values: object, parts: Mapping[str, Part]) -> Iterator[Fault]:
    if not isinstance(name, str) or name not in parts:
        yield Fault(_shown(name), f"there is no such part{_near(name, parts)}")
        return
    if not isinstance(values, Mapping):
        yield Fault(name, "a part is a mapping of fields: give {field: value}")
        return
    fields = {one.key: one for one in parts[name].fields}
    for key, value in values.items():
        if not isinstance(key, str) or key not in fields:
            yield Fault(f"{name}.{_shown(key)}", f"there is no such field{_near(key, fields)}")
        else:
            yield from _value(f"{name}.{key}", fields[key], value)
    yield from _missing(name, fields.values(), values)


def _missing(path: str, fields: Iterable[Field], given: Mapping[str, object]) -> Iterator[Fault]:
    for one in fields:
        absent = one.key not in given and one.default is not None
        if one.required and not absent and given.get(one.key) in (None, "", []):
            rule = f" ({one.form})" if one.form else ""
            yield Fault(f"{path}.{one.key}", f"{one.title} is needed: give it{rule}")


def _value(path: str, one: Field, value: object) -> Iterator[Fault]:
    if value in ("", []) and one.kind not in (Kind.NUMBER, Kind.SWITCH):
        if (value == "") != (one.kind in _TEXTS):
            yield Fault(path, f"this is {_kind(one)}, not {_shown(value)}")
        return
    match one.kind:
        case Kind.LINE | Kind.TEXT | Kind.CHOICE:
            yield from _text(path, one, value)
        case Kind.NUMBER:
            yield from _number(path, one, value)
        case Kind.SWITCH:
            if not isinstance(value, bool):
                yield Fault(path, "this is a switch: give true or false")
        case Kind.LINES:
            yield from _lines(path, one, value)
        case Kind.ROWS:
            yield from _rows(path, one, value)


def _text(path: str, one: Field, value: object, longest: int = 0) -> Iterator[Fault]:
    longest = longest or one.longest
    if not isinstance(value, str):
        yield Fault(path, f"this is {_kind(one)}: give text, not {_shown(value)}")
    elif len(value) > longest:
        yield Fault(path, f"{len(value)} characters are too long: give at most {longest}")
    elif (found := _control(one)).search(value):
        code = ord(found.findall(value)[0])
        lines = " (lines end in LF)" if code == 13 else ""
        yield Fault(path, f"it has the control character U+{code:04X}{lines}: take it out")
    elif one.kind is Kind.CHOICE:
        if value not in one.choices:
            yield Fault(path, f"{_shown(value)} is none of {', '.join(one.choices)}")
    elif one.pattern and not re.fullmatch(one.pattern, value):
        yield Fault(path, f"{'this' if one.secret else _shown(value)} is not {one.form}")


def _control(one: Field) -> re.Pattern[str]:
    return _CONTROL_IN_TEXT if one.kind is Kind.TEXT else _CONTROL


def _number(path: str, one: Field, value: object) -> Iterator[Fault]:
    if isinstance(value, bool) or not isinstance(value, int):
        yield Fault(path, f"this is a whole number, not {_shown(value)}")
    elif one.least is not None and value < one.least:
        yield Fault(path, f"{_shown(value)} is too small: give at least {one.least}")
    elif one.most is not None and value > one.most:
        yield Fault(path, f"{_shown(value)} is too large: give at most {one.most}")


def _lines(path: str, one: Field, value: object) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield Fault(path, f"this is a list of lines, not {_shown(value)}")
    elif len(value) > one.longest:
        yield Fault(path, f"{len(value)} lines are too many: give at most {one.longest}")
    else:
        for number, item in enumerate(value):
            yield from _text(f"{path}[{number}]", one, item, 8000)


def _rows(path: str, one: Field, value: object) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield Fault(path, f"this is a list of rows, not {_shown(value)}")
        return
    if len(value) > one.longest:
        yield Fault(path, f"{len(value)} rows are too many: give at most {one.longest}")
        return
    columns = {column.key: column for column in one.columns}
    for number, row in enumerate(value):
        where = f"{path}[{number}]"
        if not isinstance(row, Mapping):
            yield Fault(where, "a row is a mapping of columns: give {column: text}")
            continue
        for key, cell in row.items():
            if not isinstance(key, str) or key not in columns:
                yield Fault(
                    f"{where}.{_shown(key)}", f"there is no such column{_near(key, columns)}"
                )
            elif cell != "":
                yield from _text(f"{where}.{key}", columns[key], cell)
        yield from _missing(where, columns.values(), row)


def _kind(one: Field) -> str:
    return {
        Kind.TEXT: "text",
        Kind.LINES: "a list of lines",
        Kind.ROWS: "a list of rows",
    }.get(one.kind, "one line of text")


def _near(name: object, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(str(name)[:60], names, 3, 0.6)
    if near:
        return f": did you mean {' or '.join(near)}?"
    return f": there are {', '.join(names)}" if len(names) <= 12 else ": see docs/contexts.md"


def _shown(value: object) -> str:
    """A value of a stranger, short and without control characters."""
    text = ascii(value) if not isinstance(value, str) or _CONTROL.search(value) else value
    return text if len(text) <= 60 else f"{text[:57]}..."
