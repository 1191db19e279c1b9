"""What is wrong with a context, told with its places: pages show it beside the fields."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from contexts.check import check
from contexts.registry import PARTS
from contexts.schema import Document, Fault
from server.domain.errors import Refusal

DOCUMENT_MOST = 262_144
"""Characters of a document as JSON; what machines are given is bounded far below that."""


class BadContext(Refusal):
    """This is no context that a machine could be given."""

    code = "bad-context"
    faults: list[str]
    places: dict[str, str]

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Every fault, with where it is."""
        told = [f"{fault.path}: {fault.text}" if fault.path else fault.text for fault in faults]
        places: dict[str, str] = {}
        for fault in faults:
            places.setdefault(fault.path, fault.text)
        super().__init__("; ".join(told), faults=told, places=places)


def shape(document: object) -> list[Fault]:
    """What makes this no document at all: its size, or that it is no mapping of mappings."""
    if not isinstance(document, Mapping) or any(
        not isinstance(values, Mapping) for values in document.values()
    ):
        return [Fault("", "a context is {part: {field: value}}: give it so")]
    if len(json.dumps(document)) > DOCUMENT_MOST:
        return [Fault("", f"more than {DOCUMENT_MOST} characters: move long files elsewhere")]
    return []


def partial(document: object) -> list[Fault]:
    """What is wrong with defaults, in which anything may be missing and nothing be wrong."""
    if found := shape(document):
        return found
    given = cast(Document, document)
    return [fault for fault in check(given) if not _is_missing(fault, given)]


def _is_missing(fault: Fault, document: Document) -> bool:
    """Whether the fault is only that a field was left out, which higher layers may still say."""
    part, _, key = fault.path.partition(".")
    fields = {one.key for one in PARTS[part].fields} if part in PARTS else set()
    return key in fields and key not in document.get(part, {})
