"""What differs between two documents, by path, without showing a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contexts.hiding import MASK
from contexts.part import Part
from contexts.registry import PARTS, fields_of
from contexts.schema import Document, Field, Kind, Value

NEW_SECRET = "(another secret)"  # noqa: S105  what is shown in its place


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: ``part``, ``part.field``, or ``part.field[row].column`` (a row goes by its
    first column); ``before`` and ``after`` are None where there was or is nothing.
    """

    path: str
    before: Value | None
    after: Value | None


def diff(old: Document, new: Document, parts: Mapping[str, Part] = PARTS) -> list[Change]:
    """All differences, in the order of the old document, then what is new."""
    names = dict.fromkeys((*old, *new))
    return [change for name in names for change in _part(name, old, new, parts)]


def _part(name: str, old: Document, new: Document, parts: Mapping[str, Part]) -> Iterator[Change]:
    if (name in old) != (name in new):
        yield Change(name, True if name in old else None, True if name in new else None)
    before, after = old.get(name, {}), new.get(name, {})
    fields = fields_of(name, parts)
    for key in dict.fromkeys((*before, *after)):
        one = fields.get(key, Field(key, key))
        yield from _field(f"{name}.{key}", one, before.get(key), after.get(key))


def _field(path: str, one: Field, before: Value | None, after: Value | None) -> Iterator[Change]:
    if before == after and isinstance(before, bool) == isinstance(after, bool):
        return
    if one.kind is Kind.ROWS and (pairs := _paired(one, before, after)) is not None:
        for key, (was, now) in pairs.items():
            for column in one.columns:
                where = f"{path}[{key}].{column.key}"
                yield from _field(where, column, was.get(column.key), now.get(column.key))
        if list(_keys(one, before)) != list(_keys(one, after)):
            yield Change(f"{path} (rows)", list(_keys(one, before)), list(_keys(one, after)))
    elif one.secret:
        both = bool(before) and bool(after)
        yield Change(
            path, MASK if before else None, (NEW_SECRET if both else MASK) if after else None
        )
    else:
        yield Change(path, before, after)


def _paired(
    one: Field, before: Value | None, after: Value | None
) -> dict[str, tuple[dict[str, str], dict[str, str]]] | None:
    """Rows of both sides by their first column; None if that does not tell them apart."""
    was, now = _by_key(one, before), _by_key(one, after)
    if was is None or now is None:
        return None
    return {key: (was.get(key, {}), now.get(key, {})) for key in dict.fromkeys((*was, *now))}


def _by_key(one: Field, value: Value | None) -> dict[str, dict[str, str]] | None:
    found: dict[str, dict[str, str]] = {}
    for row in value if isinstance(value, list) else []:
        key = row.get(one.columns[0].key, "") if isinstance(row, dict) else None
        if key is None or key in found or not isinstance(row, dict):
            return None
        found[key] = row
    return found


def _keys(one: Field, value: Value | None) -> Iterator[str]:
    for row in value if isinstance(value, list) else []:
        if isinstance(row, dict):
            yield row.get(one.columns[0].key, "")
