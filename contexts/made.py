"""The plain way to make a part: its facts, a function for its pieces, one for its rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from contexts.part import Machine, Pieces
from contexts.quoting import fitting
from contexts.schema import Document, Fault, Field, Kind, Values


def _no_rules(values: Values, document: Document) -> Iterable[Fault]:
    return ()


def written(section: str, keys: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """A section of what is said; none if nothing is."""
    said = {key: value for key, value in keys.items() if value}
    return {section: said} if said else {}


@dataclass(frozen=True, slots=True)
class Made:
    """A part put together from values; satisfies `contexts.part.Part`.

    ``note`` is what the page of parts says of it besides: traps, and where it does nothing.
    """

    name: str
    tab: str
    title: str
    summary: str
    fields: tuple[Field, ...]
    make: Callable[[Values, Machine], Pieces]
    rules: Callable[[Values, Document], Iterable[Fault]] = _no_rules
    note: str = ""

    def check(self, values: Values, document: Document) -> Iterable[Fault]:
        """Rules between fields."""
        return self.rules(values, document)

    def pieces(self, values: Values, machine: Machine) -> Pieces:
        """What it adds to each form."""
        return self.make(values, machine)


@dataclass(frozen=True, slots=True)
class Coding:
    """How a text is written in a section, and how it is read from there (ValueError if not)."""

    write: Callable[[str], str]
    read: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Section:
    """A part that is one plug-in of amiconfig: a word for ``plugins=`` and a section of keys.

    ``keys`` has the INI key of a field where it is another than the field's, and "" for a field
    that it does not have. ``words`` are what a switch is written as (true, false); lists are joined
    by ``between``. If ``sourced``, the plug-in writes values as they are to a file that a
    shell reads: then what is more than one word goes between double quotes. ``coded`` fields are
    texts that the section has in another form: how it is made, and how it is read again.
    """

    name: str
    tab: str
    title: str
    summary: str
    fields: tuple[Field, ...]
    plugin: str
    section: str
    keys: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, str] = ("yes", "no")
    between: str = ","
    sourced: bool = False
    coded: Mapping[str, Coding] = field(default_factory=dict)
    more: Callable[[Values, Machine], Pieces] | None = None
    rules: Callable[[Values, Document], Iterable[Fault]] = _no_rules
    note: str = ""

    def check(self, values: Values, document: Document) -> Iterable[Fault]:
        """Rules between fields."""
        return self.rules(values, document)

    def pieces(self, values: Values, machine: Machine) -> Pieces:
        """Its section, and what it does by cloud-init if it has ``more``."""
        more = self.more(values, machine) if self.more else Pieces()
        written = {
            self.key(one): self.said(one, value)
            for one in self.fields
            if self.key(one) and (value := values.get(one.key)) not in (None, "", [])
        }
        secrets = [f"{self.name}.{one.key}" for one in self.fields if _told(one, values)]
        return Pieces(
            amiconfig={self.section: written} if written else {},
            plugins=(self.plugin, *more.plugins),
            ucernvm=more.ucernvm,
            cloud=more.cloud,
            environment=more.environment,
            before=more.before,
            after=more.after,
            secrets=tuple(dict.fromkeys((*secrets, *more.secrets))),
            warnings=more.warnings,
        )

    def key(self, one: Field) -> str:
        """What a field is called in the section."""
        return self.keys.get(one.key, one.key)

    def said(self, one: Field, value: object) -> str:
        """A value as the section has it."""
        if isinstance(value, bool):
            return self.words[0] if value else self.words[1]
        text = self.between.join(value) if isinstance(value, list) else str(value)
        if one.key in self.coded:
            text = self.coded[one.key].write(text)
        return fitting(text) if self.sourced else text


def _told(one: Field, values: Values) -> bool:
    return one.secret and one.kind is not Kind.ROWS and bool(values.get(one.key))
