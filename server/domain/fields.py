"""What a key of a production file may hold, and how a fault in it is told."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

REQUIRED = object()


@dataclass(frozen=True)
class Field:
    """A key: which values fit, the rule in words, the default, and an example for the cure.

    ``read`` makes of a value what is kept of it.
    """

    fits: Callable[[Any], bool]
    rule: str
    default: Any
    example: Any
    read: Callable[[Any], Any] = lambda value: value

    def fault(self, name: str, value: object) -> str | None:
        """What is wrong with this value, the rule, and the cure; None if it fits."""
        if self.fits(value):
            return None
        return f"{name} is {shown(value)}; {self.rule}; {self.cure(name)}"

    def missing(self, name: str) -> str | None:
        """What is wrong with its absence; None if it has a default."""
        if self.default is not REQUIRED:
            return None
        return f"{name} is missing; {self.rule}; {self.cure(name)}"

    def cure(self, name: str) -> str:
        """What to write instead."""
        return f"write for example {name.rpartition('.')[2]} = {shown(self.example)}"


def whole(least: int, most: int, default: Any = REQUIRED, example: int | None = None) -> Field:
    """A whole number within bounds."""
    return Field(
        lambda value: type(value) is int and least <= value <= most,
        f"it is a whole number from {least} to {most}",
        default,
        _either(example, default),
    )


def number(
    least: float, most: float, default: Any = REQUIRED, example: float | None = None
) -> Field:
    """A number within bounds, whole or not."""
    return Field(
        lambda value: type(value) in (int, float) and least <= value <= most,
        f"it is a number from {least} to {most}",
        default,
        _either(example, default),
        read=float,
    )


def text(pattern: str, rule: str, default: Any = REQUIRED, example: str | None = None) -> Field:
    """A text that fits a pattern as a whole."""
    fits = re.compile(pattern, re.DOTALL).fullmatch
    return Field(
        lambda value: isinstance(value, str) and fits(value) is not None,
        f"it is {rule}",
        default,
        _either(example, default),
    )


def choice(words: tuple[str, ...], default: Any = REQUIRED) -> Field:
    """One of these words."""
    return Field(
        lambda value: isinstance(value, str) and value in words,
        f"it is one of {', '.join(map(shown, words))}",
        default,
        words[0] if default is REQUIRED else default,
    )


def flag(default: bool) -> Field:
    """Yes or no."""
    return Field(lambda value: type(value) is bool, "it is true or false", default, True)


def words(rule: str, least: int, default: Any, example: list[str]) -> Field:
    """A list of texts, none of them empty or with a zero byte, ``least`` to 256 of them."""
    return Field(
        lambda value: (
            isinstance(value, list)
            and least <= len(value) <= 256
            and all(isinstance(item, str) and item and "\0" not in item for item in value)
        ),
        f"it is {rule}",
        default,
        example,
        read=tuple,
    )


def numbers(rule: str, most: int, kinds: tuple[type, ...], example: list[float]) -> Field:
    """A list of at most so many finite numbers of these types; none if it is not there."""
    return Field(
        lambda value: (
            isinstance(value, list)
            and len(value) <= most
            and all(type(item) in kinds and math.isfinite(item) for item in value)
        ),
        f"it is {rule}",
        (),
        example,
        read=tuple,
    )


def shown(value: object) -> str:
    """A value as it would be written in the file, cut if long."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return "a table"
    written = json.dumps(value, ensure_ascii=False, default=str)
    return written if len(written) <= 60 else f"{written[:57]}..."


def _either(example: object, default: object) -> object:
    return default if example is None else example
