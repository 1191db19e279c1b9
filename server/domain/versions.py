"""Versions of the agent: which is older, and what a ban of some of them covers."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORM = re.compile(
    r"([0-9]{1,6}(?:\.[0-9]{1,6}){0,5})((?:\.?[A-Za-z+_-][A-Za-z0-9.+_-]{0,32})?)", re.ASCII
)
RULE = "numbers with points between them, such as 1.4.0, and letters behind if there are any"


def order(version: str) -> tuple[tuple[int, ...], bool, str] | None:
    """What versions are compared by; None if it is no version.

    ``1.2`` is ``1.2.0``; what has letters behind (``1.2rc1``) comes before it (PEP 440 is finer).
    """
    found = _FORM.fullmatch(version)
    if found is None:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), not found[2], found[2]


@dataclass(frozen=True)
class Span:
    """One version, or (``below``) all before it; also what says none, or none that can be read."""

    version: str
    below: bool = False

    @property
    def text(self) -> str:
        """As it is kept: ``1.4.0`` or ``<1.4.0``."""
        return f"<{self.version}" if self.below else self.version

    @staticmethod
    def of(text: str) -> Span:
        """The span of its text."""
        return Span(text.removeprefix("<"), text.startswith("<"))

    def covers(self, version: str) -> bool:
        """Whether an agent of this version is meant."""
        bound, found = order(self.version), order(version)
        if not self.below or bound is None:
            return version == self.version or (found is not None and found == bound)
        return found is None or found < bound

    @property
    def cure(self) -> str:
        """Which version to take instead."""
        return f"{self.version} or newer" if self.below else f"another than {self.version}"
