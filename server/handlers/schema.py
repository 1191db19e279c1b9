"""Message types turned once into msgspec structs, so that one call decodes and holds all limits."""

from __future__ import annotations

import dataclasses
import functools
import operator
import re
from collections.abc import Callable, Sequence
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ParamSpec,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from server.handlers.errors import BadMessage
from vmagent.wire.messages import Limit

T = TypeVar("T")
P = ParamSpec("P")

INTEGER_MOST = 2**63 - 1  # what both databases hold in a column
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_structs: dict[type[Any], type[msgspec.Struct]] = {}

encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
"""A message, a view or any value made of them, as JSON."""


def decoder(kind: type[T]) -> Callable[[bytes], T]:
    """What reads JSON into an object with the fields of this dataclass, all limits held.

    The object is a frozen struct, not an instance of ``kind``: it has the same attributes, and
    `dataclasses.replace` and ``isinstance`` do not work on it. `BadMessage` says which field is
    at fault. Unknown fields pass. U+0000 becomes U+FFFD: PostgreSQL cannot hold it in a text.
    """
    read: Callable[[bytes | str], Any] = msgspec.json.Decoder(struct(kind)).decode

    def decode(raw: bytes) -> T:
        if b"\\" in raw and b"\\u0000" in raw:
            raw = _NUL.sub(rb"\1\\ufffd", raw)
        try:
            # As text, so that fields nobody reads are held to be UTF-8 too.
            return cast(T, read(raw if raw.isascii() else raw.decode()))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadMessage(f"{kind.__name__}: {error}") from error

    return decode


def maker(kind: Callable[P, T]) -> Callable[P, T]:
    """What makes values with the fields of this dataclass, in a tenth of the time it takes itself.

    What `decoder` says of them holds here too; nothing is checked.
    """
    return cast(Callable[P, T], struct(cast(type[Any], kind)))


def struct(kind: type[Any]) -> type[msgspec.Struct]:
    """The struct type of a dataclass, made once.

    Decoded values form a tree and the struct is frozen, so no circle can lead through it and the
    collector need not look at it (``gc=False``).
    """
    if kind in _structs:
        return _structs[kind]
    hints = get_type_hints(kind)
    fields: list[Any] = []
    for each in dataclasses.fields(kind):
        hint = constrained(hints[each.name], each.metadata.get("limit"))
        if each.default is not dataclasses.MISSING:
            fields.append((each.name, hint, each.default))
        elif each.default_factory is not dataclasses.MISSING:
            fields.append((each.name, hint, msgspec.field(default_factory=each.default_factory)))
        else:
            fields.append((each.name, hint))
    made = _structs[kind] = msgspec.defstruct(
        kind.__name__,
        fields,
        frozen=True,
        gc=False,
        namespace={"__doc__": kind.__doc__, "__module__": kind.__module__},
    )
    return made


def constrained(hint: Any, limit: Limit | None = None) -> Any:
    """A type hint in msgspec's words, its limit and that of every number in it said with it."""
    if dataclasses.is_dataclass(hint):
        return struct(cast(type[Any], hint))
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        inner = [constrained(each, limit) for each in args if each is not NoneType]
        return functools.reduce(
            operator.or_, [*inner, *(each for each in args if each is NoneType)]
        )
    if origin is not None:
        parts = tuple(each if each is Ellipsis else constrained(each) for each in args)
        hint = origin[parts]
        sized = limit is not None and origin is not tuple
        return Annotated[hint, _length(cast(Limit, limit))] if sized else hint
    if hint is int:
        return Annotated[int, _integer(limit or Limit())]
    if hint is float and limit is not None:
        return Annotated[float, msgspec.Meta(ge=limit.least, le=limit.most)]
    if hint is str and limit is not None:
        return Annotated[str, _length(limit)]
    return hint


def _integer(limit: Limit) -> msgspec.Meta:
    least = -INTEGER_MOST - 1 if limit.least is None else int(limit.least)
    most = INTEGER_MOST if limit.most is None else int(limit.most)
    return msgspec.Meta(ge=least, le=most)


def _length(limit: Limit) -> msgspec.Meta:
    pattern = limit.pattern
    if pattern is not None and pattern.endswith("$"):
        pattern += r"(?!\n)"  # Python's $ also matches before a line end; JSON Schema's does not
    least = None if limit.least is None else int(limit.least)
    most = None if limit.most is None else int(limit.most)
    return msgspec.Meta(min_length=least, max_length=most, pattern=pattern)


def components(kinds: Sequence[type[Any]]) -> dict[str, Any]:
    """JSON Schema (2020-12) of these dataclasses and of what they hold, by their names."""
    _, found = msgspec.json.schema_components(
        [struct(kind) for kind in kinds], ref_template="#/components/schemas/{name}"
    )
    return found
