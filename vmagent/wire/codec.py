"""Messages to JSON and back with the standard library alone, checked against their types."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from vmagent.wire.messages import Limit

T = TypeVar("T")


class BadMessage(ValueError):
    """This JSON is not the message that it should be."""


def encode(value: Any) -> bytes:
    """A message as JSON."""
    return json.dumps(plain(value), separators=(",", ":")).encode()


def plain(value: Any) -> Any:
    """A message as dictionaries, lists and plain values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def decode(raw: Union[bytes, str], kind: type[T]) -> T:
    """A message of this kind; `BadMessage` names the field at fault. Unknown fields pass."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"not JSON: {error}") from error
    return build(found, kind)


def build(found: Any, kind: type[T], where: str = "message") -> T:
    """A message of this kind from plain values."""
    if not isinstance(found, Mapping):
        raise BadMessage(f"{where}: expected an object")
    values = {}
    shape: dict[str, Any] = _shape(kind)  # type: ignore[arg-type]
    for name, (hint, limit, optional) in shape.items():
        if name in found:
            values[name] = _convert(found[name], hint, f"{where}.{name}")
            _hold(values[name], limit, f"{where}.{name}")
        elif not optional:
            raise BadMessage(f"{where}.{name}: missing")
    return kind(**values)


@functools.cache
def _shape(kind: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    missing = dataclasses.MISSING
    return {
        f.name: (
            hints[f.name],
            f.metadata.get("limit"),
            f.default is not missing or f.default_factory is not missing,
        )
        for f in dataclasses.fields(kind)
    }


def _convert(found: Any, hint: Any, where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Union:
        return None if found is None else _convert(found, args[0], where)
    if origin in (list, tuple):
        if not isinstance(found, list):
            raise BadMessage(f"{where}: expected a list")
        if origin is tuple:
            if len(found) != len(args):
                raise BadMessage(f"{where}: expected {len(args)} items")
            return tuple(_convert(f, a, where) for f, a in zip(found, args))
        return [_convert(item, args[0], where) for item in found]
    if origin is dict:
        if not isinstance(found, dict):
            raise BadMessage(f"{where}: expected an object")
        return {key: _convert(item, args[1], f"{where}.{key}") for key, item in found.items()}
    if dataclasses.is_dataclass(hint):
        return build(found, hint, where)  # type: ignore[arg-type]
    return _scalar(found, hint, where)


def _scalar(found: Any, hint: Any, where: str) -> Any:
    if hint is float and isinstance(found, int) and not isinstance(found, bool):
        return float(found)
    if not isinstance(found, hint) or (isinstance(found, bool) and hint is not bool):
        raise BadMessage(f"{where}: expected {hint.__name__}, found {type(found).__name__}")
    return found


def _hold(value: Any, limit: Union[Limit, None], where: str) -> None:
    if limit is None or value is None:
        return
    size = value if isinstance(value, (int, float)) else len(value)
    if limit.most is not None and size > limit.most:
        raise BadMessage(f"{where}: at most {limit.most:g}, found {size}")
    if limit.least is not None and size < limit.least:
        raise BadMessage(f"{where}: at least {limit.least:g}, found {size}")
    if limit.pattern and not re.match(limit.pattern, value):
        raise BadMessage(f"{where}: does not fit {limit.pattern}")
