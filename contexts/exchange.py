"""Contexts as JSON files that people send each other: one version, with or without secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from contexts.check import check
from contexts.hiding import secret_paths, stripped
from contexts.part import Part
from contexts.registry import PARTS
from contexts.schema import Document, Fault

VERSION = 1
MARK = "windfall_context"
"""The key that says what the file is; its value is the version of the form."""
MOST_BYTES = 1_000_000
_KEYS = {MARK, "name", "description", "left_out", "context"}


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What a file holds. ``left_out`` are the paths of secrets that were not put in."""

    document: Document
    name: str = ""
    description: str = ""
    left_out: tuple[str, ...] = ()


class NoContext(ValueError):
    """This is no file of a context, or it holds one with faults; ``faults`` has all of them."""

    def __init__(self, *faults: Fault) -> None:
        """Keeps the faults; the text is all of theirs."""
        self.faults = list(faults)
        super().__init__("; ".join(f"{one.path}: {one.text}".removeprefix(": ") for one in faults))


def dump(what: Exchanged, *, secrets: bool = False) -> str:
    """The file; without secrets unless they are asked for."""
    paths = [] if secrets else secret_paths(what.document)
    body = {
        MARK: VERSION,
        "name": what.name,
        "description": what.description,
        "left_out": sorted({*paths, *what.left_out}),
        "context": what.document if secrets else stripped(what.document),
    }
    return json.dumps(body, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def load(text: str | bytes, parts: Mapping[str, Part] = PARTS) -> Exchanged:
    """What a file holds; `NoContext` with all its faults if it is not one of ours in order.

    Secrets that were left out may be missing, also where they are needed.
    """
    body = decoded(text)
    if not isinstance(body, dict) or MARK not in body:
        _refuse("", f"this is no file of a context: it has no {MARK}")
    if body[MARK] != VERSION or isinstance(body[MARK], bool):
        _refuse(MARK, f"this server reads version {VERSION}: export it from one of our age")
    faults = [Fault(str(key)[:60], "there is no such key") for key in body if key not in _KEYS]
    for key in ("name", "description"):
        if not isinstance(body.get(key, ""), str) or len(body.get(key, "")) > 4000:
            faults.append(Fault(key, "this is text of at most 4000 characters"))
    left_out = body.get("left_out", [])
    if not isinstance(left_out, list) or not all(isinstance(one, str) for one in left_out):
        faults.append(Fault("left_out", "this is a list of paths"))
        left_out = []
    faults += [one for one in check(body.get("context"), parts) if one.path not in left_out]
    if faults:
        raise NoContext(*faults)
    return Exchanged(
        body["context"], body.get("name", ""), body.get("description", ""), tuple(left_out)
    )


def decoded(text: str | bytes) -> Any:
    """JSON as strictly as it is written: no key twice, no NaN, no depth or size without end."""
    if len(text) > MOST_BYTES:
        _refuse("", f"{len(text)} bytes are too many: give at most {MOST_BYTES}")
    try:
        if isinstance(text, bytes):
            text = text.decode()
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except NoContext:
        raise
    except RecursionError:
        _refuse("", "it is nested too deeply")
    except ValueError as error:
        _refuse("", f"this is no JSON in UTF-8: {str(error)[:100]}")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            _refuse(key[:60], "this key stands there twice: keep one")
        found[key] = value
    return found


def _constant(word: str) -> NoReturn:
    _refuse("", f"{word} is no JSON")


def _refuse(path: str, text: str) -> NoReturn:
    raise NoContext(Fault(path, text))
