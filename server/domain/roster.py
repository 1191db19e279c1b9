"""People in a CSV file (RFC 4180): read and checked whole, each fault with its line and column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from server.domain.errors import BadInput
from server.domain.farm import NAME as SITE
from server.domain.people import FULL_NAME_MOST, GROUP, email_faults, full_name_faults
from server.domain.roles import ROLES

COLUMNS = ("name", "email", "role", "groups", "site")
PEOPLE_MOST = 500
FAULTS_MOST = 50
GROUPS_MOST = 20  # of one person
TEXT_MOST = 250_000  # characters
ADMIN_LEAST = "institute"
"""What somebody is at least who runs a site."""


@dataclass(frozen=True)
class Newcomer:
    """Somebody to be invited: the line he stands in, and what becomes of him."""

    line: int
    full_name: str
    email: str
    role: str
    groups: tuple[str, ...]
    site: str


def fault(line: int, column: str, text: str) -> str:
    """A fault where it stands."""
    return f"line {line}, {column}: {text}"


def read(text: str) -> list[Newcomer]:
    """The people of a file whose first line names its columns. Raises BadInput.

    Columns are ``name`` (as people call him), ``email`` (or e-mail; needed), ``role``, ``groups``
    (blanks between) and ``site`` (that he runs); commas or semicolons stand between them.
    """
    if len(text) > TEXT_MOST:
        raise BadInput([f"the file has {len(text)} characters; at most {TEXT_MOST}, so split it"])
    faults: list[str] = []
    found: list[Newcomer] = []
    seen: dict[str, int] = {}
    for line, values in _rows(text, faults):
        one = _newcomer(line, values, faults)
        first = seen.setdefault(one.email, line)
        if one.email and first != line:
            faults.append(fault(line, "email", f"{one.email} stands in line {first} too"))
        found.append(one)
        if len(faults) > FAULTS_MOST:
            break
    if not faults and not found:
        faults = ["the file names nobody: a line of column names, then a line for each person"]
    if len(found) > PEOPLE_MOST:
        faults.insert(0, f"the file names {len(found)} people; at most {PEOPLE_MOST}, so split it")
    complain(faults)
    return found


def complain(faults: Sequence[str]) -> None:
    """Raise BadInput if there are any, with no more than can be read."""
    if len(faults) > FAULTS_MOST:
        raise BadInput([*faults[:FAULTS_MOST], "and more; mend these first"])
    if faults:
        raise BadInput(list(faults))


def _rows(text: str, faults: list[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows that are not empty: the line in which each begins, and its values by column."""
    text = text.removeprefix("\N{BYTE ORDER MARK}")
    head = text.lstrip().partition("\n")[0]
    comma = ";" if ";" in head and "," not in head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=comma, strict=True)
    columns: list[str] = []
    found: list[tuple[int, dict[str, str]]] = []
    line = 1
    try:
        for values in reader:
            begins, line = line, reader.line_num + 1
            if not any(value.strip() for value in values):
                continue
            if not columns:
                columns = [_column(begins, value, faults) for value in values]
                _check_columns(begins, columns, faults)
            elif len(values) > len(columns):
                faults.append(
                    f"line {begins}: {len(values)} values for {len(columns)} columns; quote values"
                    f' with {comma} in them, as in "a{comma} b"'
                )
            elif len(found) <= PEOPLE_MOST:
                found.append((begins, dict(zip(columns, map(str.strip, values), strict=False))))
    except csv.Error as error:
        faults.append(f"line {max(1, reader.line_num)}: {error}")
    return found


def _column(line: int, text: str, faults: list[str]) -> str:
    name = text.strip().lower().replace("e-mail", "email")
    if name not in COLUMNS:
        faults.append(f"line {line}: no column {text.strip()[:40]!r}; use {', '.join(COLUMNS)}")
    return name


def _check_columns(line: int, columns: Sequence[str], faults: list[str]) -> None:
    faults += [
        f"line {line}: the column {name} is there twice"
        for name in COLUMNS
        if columns.count(name) > 1
    ]
    if "email" not in columns:
        faults.append(f"line {line}: the column email is missing; the first line names columns")


def _newcomer(line: int, values: dict[str, str], faults: list[str]) -> Newcomer:
    name, email = values.get("name", ""), values.get("email", "").lower()
    words = re.split(r"[\s,;]+", values.get("groups", ""))
    groups, site = tuple(dict.fromkeys(filter(None, words))), values.get("site", "")
    role = values.get("role", "") or (ADMIN_LEAST if site else ROLES[0])
    wrong = {
        "name": [f"at most {FULL_NAME_MOST} printable characters"] * bool(full_name_faults(name)),
        "email": [f"{email[:80]!r} is no address as in name@example.org"]
        * bool(email_faults(email)),
        "role": _role_faults(role, site),
        "groups": _group_faults(groups),
        "site": [f"{site[:80]!r} is no name of a site"]
        if site and not SITE.fullmatch(site)
        else [],
    }
    faults += [fault(line, column, text) for column, texts in wrong.items() for text in texts]
    return Newcomer(line, name, email, role, groups, site)


def _role_faults(role: str, site: str) -> list[str]:
    if role not in ROLES:
        return [f"{role[:40]!r} is none; use {', '.join(ROLES)}"]
    if site and ROLES.index(role) < ROLES.index(ADMIN_LEAST):
        return [f"who runs a site is at least {ADMIN_LEAST}; leave one of the two out"]
    return []


def _group_faults(groups: Sequence[str]) -> list[str]:
    if len(groups) > GROUPS_MOST:
        return [f"{len(groups)} groups; at most {GROUPS_MOST}"]
    return [f"{name[:80]!r} is no name of a group" for name in groups if not GROUP.fullmatch(name)]
