"""Messages to JSON and back with the standard library alone, checked against their types.

What this refuses the server's decoder refuses too, and the other way round: text that is no UTF-8
or has half a character, NaN and infinities, whole numbers beyond 64 bits or written ``1.0``, values
out of their limits. Of a key that is repeated the last value counts.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from vmagent.wire.messages import Limit

T = TypeVar("T")

INTEGER_MOST = 2**63 - 1  # what a column of a database holds
# Half of a pair of UTF-16, which JSON can escape and UTF-8 cannot say.
_HALF = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


class BadMessage(ValueError):
    """This JSON is not the message that it should be."""


def encode(value: Any) -> bytes:
    """A message as JSON in UTF-8; what UTF-8 cannot say (a file name that is no text) is a ``?``.

    `BadMessage` if a number is not finite.
    """
    try:
        text = json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise BadMessage(f"{type(value).__name__}: {error}") from error
    return text.encode("utf-8", "replace")


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
    return build(parse(raw), kind)


def parse(raw: Union[bytes, str]) -> Any:
    """The plain values of JSON (RFC 8259, in UTF-8 without a mark); `BadMessage` if it is none."""
    try:
        text = raw if isinstance(raw, str) else raw.decode()
        found = json.loads(text, parse_int=_whole, parse_constant=_no_number)
        if _HALF.search(text):
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"not JSON: {error}") from error
    return found


def _whole(text: str) -> Union[int, float]:
    # Python refuses to read very long integers, even where nobody wants them.
    return int(text) if len(text) < 100 else float(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


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
    if hint is float and isinstance(found, (int, float)) and not isinstance(found, bool):
        return _finite(found, where)
    if not isinstance(found, hint) or (isinstance(found, bool) and hint is not bool):
        raise BadMessage(f"{where}: expected {hint.__name__}, found {type(found).__name__}")
    if hint is int and not -INTEGER_MOST - 1 <= found <= INTEGER_MOST:
        raise BadMessage(f"{where}: expected a whole number of 64 bits")
    return found


def _finite(found: Union[int, float], where: str) -> float:
    try:
        number = float(found)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadMessage(f"{where}: expected a finite number")
    return number


def _hold(value: Any, limit: Union[Limit, None], where: str) -> None:
    if limit is None or value is None:
        return
    size = value if isinstance(value, (int, float)) else len(value)
    if limit.most is not None and size > limit.most:
        raise BadMessage(f"{where}: at most {limit.most:g}, found {size}")
    if limit.least is not None and size < limit.least:
        raise BadMessage(f"{where}: at least {limit.least:g}, found {size}")
    if limit.pattern and not re.fullmatch(limit.pattern, value):
        raise BadMessage(f"{where}: does not fit {limit.pattern}")
