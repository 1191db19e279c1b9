"""What a host says of itself, as the text that the table keeps."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from server.domain.match import Facts


@dataclass(frozen=True)
class Sheet:
    """What requirements are held against, and what people are shown beside it."""

    facts: Facts
    agent: str = ""
    system: str = ""
    libc: str = ""
    python: str = ""


def to_text(sheet: Sheet) -> str:
    """A sheet as JSON."""
    return json.dumps(dataclasses.asdict(sheet), sort_keys=True)


def from_text(text: str) -> Sheet:
    """A sheet from the table."""
    found = json.loads(text)
    facts = found.pop("facts")
    facts["paths"] = tuple(facts["paths"])
    return Sheet(Facts(**facts), **found)
