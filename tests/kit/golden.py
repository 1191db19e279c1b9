"""The golden samples: every type of the protocol, and what its sample says."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import msgspec

from server.handlers import schema
from vmagent.wire import codec, messages, pairing, statements

FOLDER = Path(__file__).resolve().parents[1] / "golden" / "v1"
KINDS: dict[str, type[Any]] = {
    name: kind
    for module in (messages, pairing, statements)
    for name, kind in vars(module).items()
    if dataclasses.is_dataclass(kind)
    and isinstance(kind, type)
    and kind.__module__ == module.__name__
    and kind is not messages.Limit
}


def raw(name: str) -> bytes:
    """The bytes of a sample, without the line end of the file."""
    return (FOLDER / name).read_bytes().removesuffix(b"\n")


def read(name: str) -> Any:
    """The plain values of a sample in JSON."""
    return json.loads(raw(name))


def by_agent(kind: type[Any], sent: bytes) -> Any:
    """What the agent reads, as plain values."""
    return codec.plain(codec.decode(sent, kind))


def by_server(kind: type[Any], sent: bytes) -> Any:
    """What the server reads, as plain values."""
    return codec.plain(msgspec.to_builtins(schema.decoder(kind)(sent)))


def defaults(kind: type[Any]) -> dict[str, Any]:
    """The fields that may be left out, with what they are then, as plain values."""
    found = {}
    for each in dataclasses.fields(kind):
        if each.default is not dataclasses.MISSING:
            found[each.name] = codec.plain(each.default)
        elif each.default_factory is not dataclasses.MISSING:
            found[each.name] = codec.plain(each.default_factory())
    return found
