"""Reading a production file section by section, with every fault kept with its line."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from server.domain.fields import Field, shown
from server.domain.tomltext import Path, deepest, key_lines

Section = Mapping[str, Field]

FAULTS_MOST = 100
DOTS_MOST = 16


class Unreadable(Exception):
    """This text has faults."""

    def __init__(self, faults: list[str]) -> None:
        """Every fault, in the order of lines."""
        super().__init__("; ".join(faults))
        self.faults = faults


class Reader:
    """A production file being read; what is at fault is left out of what it gives back."""

    def __init__(self, text: str) -> None:
        """`Unreadable` if the text is not TOML."""
        if deepest(text) > DOTS_MOST:
            rule = f"a key has at most {DOTS_MOST} dots; write sections and keys"
            raise Unreadable([f"line 1: one of its keys is too deep; {rule}"])
        try:
            self._document = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise Unreadable([_syntax(str(error), text.count("\n") + 1)]) from None
        self._lines = key_lines(text)
        self._faults: list[tuple[int, str]] = []

    def section(self, name: str, fields: Section, others: Mapping[str, Section]) -> dict[str, Any]:
        """The values under ``[name]``, with defaults; ``others`` tell where strange keys go."""
        return self._fields((name,), self._table(name), fields, others)

    def named(
        self, name: str, fits: Callable[[str], object], fields: Section, most: int
    ) -> dict[str, dict[str, Any]]:
        """The tables ``[name.KEY]``, whose keys the author chooses, each with these fields."""
        tables = self._table(name)
        if len(tables) > most:
            rule = f"there are at most {most}; remove some"
            self.fault((name,), f"[{name}.*] is there {len(tables)} times; {rule}")
        values = {}
        for key, table in tables.items():
            full = f"{name}.{shown(key)[1:-1]}"
            if not fits(key):
                rule = "it is a letter, then lower-case letters, digits, hyphens and underscores"
                self.fault((name, key), f"{full} is no name; {rule}; write for example [{name}.pt]")
            elif not isinstance(table, dict):
                rule = f"it is a section; write [{full}] and its keys below it"
                self.fault((name, key), f"{full} is {shown(table)}; {rule}")
            else:
                values[key] = self._fields((name, key), table, fields, {})
        return values

    def _fields(
        self, path: Path, table: Mapping[str, Any], fields: Section, others: Mapping[str, Section]
    ) -> dict[str, Any]:
        name = ".".join(path)
        for key in table:
            if key not in fields:
                self._stranger(path, key, fields, others)
        values: dict[str, Any] = {}
        for key, field in fields.items():
            full = f"{name}.{key}"
            fault = field.fault(full, table[key]) if key in table else field.missing(full)
            if fault is not None:
                self.fault((*path, key), fault)
            else:
                values[key] = field.read(table[key]) if key in table else field.default
        return values

    def texts(self, name: str, fits: Callable[[str], object], rule: str) -> dict[str, str]:
        """The texts under ``[name]``, whose keys the author chooses."""
        values = {}
        for key, value in self._table(name).items():
            full = f"{name}.{shown(key)[1:-1]}"
            if not fits(key):
                self.fault((name, key), f"{full} is no name for one of the {name}; {rule}")
            elif not isinstance(value, str) or "\0" in value:
                rule = "it is a text without zero bytes; write it in quotes"
                self.fault((name, key), f"{full} is {shown(value)}; {rule}")
            else:
                values[key] = value
        return values

    def known(self, sections: Iterable[str]) -> None:
        """No other sections than these may be there."""
        names = list(sections)
        for name in self._document:
            if name not in names:
                cure = _nearest(name, names) or "remove it"
                listed = ", ".join(f"[{known}]" for known in names)
                self.fault((name,), f"{name} is not a section; there are {listed}; {cure}")

    def fault(self, path: Path, fault: str) -> None:
        """Keep a fault of this key."""
        self._faults.append((self._line(path), fault))

    def close(self) -> None:
        """`Unreadable` if there were faults."""
        if self._faults:
            ordered = sorted(self._faults, key=lambda item: item[0])
            told = [f"line {line}: {fault}" for line, fault in ordered[:FAULTS_MOST]]
            left = len(ordered) - len(told)
            raise Unreadable([*told, *([f"and {left} faults more"] if left else [])])

    def _table(self, name: str) -> dict[str, Any]:
        table = self._document.get(name, {})
        if isinstance(table, dict):
            return table
        self.fault(
            (name,),
            f"{name} is {shown(table)}; it is a section; write [{name}] and its keys below it",
        )
        return {}

    def _stranger(
        self, path: Path, key: str, fields: Section, others: Mapping[str, Section]
    ) -> None:
        section = ".".join(path)
        home = next((name for name, keys in others.items() if key in keys), None)
        moved = f"move it under [{home}]" if home else None
        cure = _nearest(key, list(fields)) or moved or "remove it"
        self.fault(
            (*path, key),
            f"{section}.{key} is not known; [{section}] has {', '.join(fields)}; {cure}",
        )

    def _line(self, path: Path) -> int:
        """Where a key stands; if it is missing, where what should hold it stands."""
        held = (self._lines.get(path[:length]) for length in range(len(path), 0, -1))
        return next((line for line in held if line is not None), 1)


def _nearest(name: str, names: list[str]) -> str | None:
    near = difflib.get_close_matches(name, names, 1)
    return f"did you mean {near[0]}?" if near else None


def _syntax(message: str, end: int) -> str:
    place = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    line, column = place.groups() if place else (str(end), "")
    what = message[: place.start()] if place else message
    where = f" at column {column}" if column else ""
    return (
        f"line {line}: not TOML{where}: {what}; the file is TOML 1.0; see https://toml.io/en/v1.0.0"
    )
