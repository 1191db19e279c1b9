"""What is said of one setting: its meaning, unit and bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Rule:
    """What one setting means and may be; ``hides`` is of an address whose path is a secret."""

    meaning: str
    unit: str = ""
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    form: str = ""
    path: bool = False
    hides: bool = False


def told(default: Any, meaning: str, **rule: Any) -> Any:
    """A field of a section: its default, and a `Rule` in its metadata."""
    return field(default=default, metadata={"rule": Rule(meaning, **rule)})
