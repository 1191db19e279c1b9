"""Short words for fields: each makes one `Field` from what differs."""

from __future__ import annotations

from contexts.schema import Field, Kind
from contexts.shapes import Shape


def line(
    key: str,
    title: str,
    about: str,
    shape: Shape,
    *,
    example: str = "",
    default: str | None = None,
    required: bool = False,
    secret: bool = False,
    runs: bool = False,
    longest: int = 1000,
) -> Field:
    """One line of text in a shape."""
    return Field(
        key,
        title,
        Kind.LINE,
        about,
        default,
        required,
        secret,
        shape.pattern,
        shape.form,
        longest=longest,
        example=example or shape.example,
        runs=runs,
    )


def block(
    key: str,
    title: str,
    about: str,
    example: str,
    *,
    shape: Shape | None = None,
    secret: bool = False,
    runs: bool = False,
    longest: int = 8000,
) -> Field:
    """Several lines of text, free or in a shape."""
    pattern, form = (shape.pattern, shape.form) if shape else ("", "")
    kind = Kind.TEXT
    return Field(
        key,
        title,
        kind,
        about,
        None,
        False,
        secret,
        pattern,
        form,
        longest=longest,
        example=example,
        runs=runs,
    )


def number(
    key: str,
    title: str,
    about: str,
    least: int,
    most: int,
    *,
    default: int | None = None,
    example: int | None = None,
) -> Field:
    """A whole number between two others."""
    shown = example if example is not None else default if default is not None else least
    kind = Kind.NUMBER
    return Field(key, title, kind, about, default, least=least, most=most, example=shown)


def switch(
    key: str, title: str, about: str, default: bool | None = None, *, runs: bool = False
) -> Field:
    """Yes or no; None as default leaves it to the machine."""
    return Field(key, title, Kind.SWITCH, about, default, example=not runs, runs=runs)


def choice(
    key: str,
    title: str,
    about: str,
    choices: tuple[str, ...],
    default: str | None = None,
    *,
    required: bool = False,
) -> Field:
    """One of a few words."""
    form = f"one of {', '.join(choices)}"
    example = choices[0]
    kind = Kind.CHOICE
    return Field(
        key, title, kind, about, default, required, form=form, choices=choices, example=example
    )


def several(
    key: str,
    title: str,
    about: str,
    shape: Shape,
    *,
    example: list[str] | None = None,
    default: list[str] | None = None,
    adds: bool = False,
    required: bool = False,
    secret: bool = False,
    runs: bool = False,
    longest: int = 100,
) -> Field:
    """A list, each item in a shape."""
    return Field(
        key,
        title,
        Kind.LINES,
        about,
        default,
        required,
        secret,
        shape.pattern,
        shape.form,
        longest=longest,
        example=example or [shape.example],
        adds=adds,
        runs=runs,
    )


def table(
    key: str,
    title: str,
    about: str,
    columns: tuple[Field, ...],
    *,
    adds: bool = False,
    longest: int = 100,
) -> Field:
    """Rows of columns; a column that is not required may be left empty."""
    row = {column.key: str(column.example) for column in columns}
    return Field(
        key,
        title,
        Kind.ROWS,
        about,
        columns=columns,
        longest=longest,
        example=[row],
        adds=adds,
        secret=any(column.secret for column in columns),
    )
