"""Values of a part as what they are; what is not there, or said to be nothing, is empty."""

from __future__ import annotations

from contexts.schema import Values


def text(values: Values, key: str) -> str:
    """A line, text or choice; "" if there is none."""
    value = values.get(key, "")
    return value if isinstance(value, str) else ""


def number(values: Values, key: str) -> int | None:
    """A whole number, or None."""
    value = values.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def switch(values: Values, key: str) -> bool | None:
    """Yes or no, or None where nothing is said."""
    value = values.get(key)
    return value if isinstance(value, bool) else None


def lines(values: Values, key: str) -> list[str]:
    """The items of a list."""
    value = values.get(key, [])
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def rows(values: Values, key: str) -> list[dict[str, str]]:
    """The rows of a table."""
    value = values.get(key, [])
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
