"""What a host says of itself, as the text that the table keeps."""

from __future__ import annotations

import dataclasses
import json

from server.domain.match import Facts


def to_text(facts: Facts) -> str:
    """Facts as JSON."""
    return json.dumps(dataclasses.asdict(facts), sort_keys=True)


def from_text(text: str) -> Facts:
    """Facts from the table."""
    found = json.loads(text)
    return Facts(
        found["cores"], found["memory_mb"], found["disk_mb"], found["arch"], tuple(found["paths"])
    )
