"""What a context may hold, said once: parts, fields, values and faults, for pages, API and files.

A *document* is ``{part: {field: value}}`` in JSON values: a part is there if it is switched on, and
only fields that were set are there. Defaults, layers and forms follow from the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

TABS = (
    "General",
    "Repository",
    "Users",
    "Contextualization",
    "Network",
    "Storage",
    "Agent",
    "Advanced",
)
"""The tabs of the editor, in their order; every part stands on one."""

Value = str | int | bool | list[str] | list[dict[str, str]]
Values = Mapping[str, Value]
Document = Mapping[str, Values]


class Kind(StrEnum):
    """What a value is, and how it is asked for.

    line: one line of text. text: several lines. number: a whole number. switch: true or false.
    choice: one of ``choices``. lines: a list, one item a line, each as ``pattern`` says.
    rows: a list of rows, each a mapping of ``columns``.
    """

    LINE = "line"
    TEXT = "text"
    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"
    LINES = "lines"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that can be said in a part.

    ``pattern`` is what the whole value (each item of lines) must match, ``form`` the same in words
    for people. ``least`` and ``most`` bound a number; ``longest`` is in characters (of text), or in
    items (of lines and rows). A ``secret`` value is never shown, logged or exported in clear unless
    its owner asks for it, and is named wherever it is in a file. A value that ``runs`` is itself a
    program or the name of one: whoever sets it owns the machine, and a review has to read it. A
    list that ``adds`` is put behind those of lower layers instead of in their place.

    ``""`` and ``[]`` are always allowed where nothing is ``required``: they say "nothing", also
    where a lower layer or a default says something. ``example`` is a value that passes, for forms
    and for tests.
    """

    key: str
    title: str
    kind: Kind = Kind.LINE
    help: str = ""
    default: Value | None = None
    required: bool = False
    secret: bool = False
    pattern: str = ""
    form: str = ""
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    longest: int = 1000
    columns: tuple[Field, ...] = ()
    example: Value | None = None
    adds: bool = False
    runs: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: where (``part.field``, in rows ``part.field[row].column``, the first is row 0;
    an item of lines is ``part.field[item]``), and in ``text`` the rule and the cure.
    """

    path: str
    text: str
