"""Tables as comma-separated values (RFC 4180): the one writer, and its guard against formulas.

Names are chosen by others, and a spreadsheet runs what looks like a formula (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a formula begins with, in one spreadsheet or another; = + - @ in full width too (OWASP)."""
_NEGATIVE = re.compile(r"-\d+(\.\d+)?(e[+-]\d+)?", re.ASCII)


def as_csv(rows: Iterable[Iterable[object]]) -> str:
    """Rows as text, numbers as they are; None is an empty cell."""
    out = io.StringIO()
    csv.writer(out).writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    runs = isinstance(value, str) and value.startswith(FORMULA) and not _NEGATIVE.fullmatch(value)
    return f"'{value}" if runs else value
