"""Old ``.context`` texts read by the rules of those who read them: amiconfig and the boot loader.

amiconfig takes a leading script up to the line that begins with ``exit``, and from its first
section on only lines that are a section or ``key = value`` from column 0; keys in lower case,
values cut at `` ;``, the last of a key counts. The boot loader takes the lines between its two
markers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

BEGIN, END = "[ucernvm-begin]", "[ucernvm-end]"
ALWAYS = frozenset({"rootsshkeys"})
"""Plug-ins that run without being asked for."""
MOST = 60_000
"""Characters of a text that is read."""
_SECTION = re.compile(r"\[([^\]]+)\]")
_OPTION = re.compile(r"([^:=\s][^:=]*)[:=]\s*(.*)")
_BEFORE = re.compile(r"sh[. ]before\s*$")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_YES, _NO = ("1", "yes", "on", "true"), ("0", "no", "off", "false")


class NoOldContext(ValueError):
    """This is no text of an old context at all."""


@dataclass(frozen=True, slots=True)
class Odd:
    """What a reader should know: the line's number (from 1; 0: the whole text), and what it is."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One ``key = value``: where it stands, and how it was written."""

    number: int
    section: str
    key: str
    value: str
    raw: str


@dataclass(slots=True)
class OldText:
    """A text taken apart; ``dropped`` are the lines that nobody reads."""

    script: str = ""
    before: bool = False
    lines: list[Line] = field(default_factory=list)
    boot: list[Line] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)

    def words(self, key: str) -> list[str]:
        """The words of a key of ``[amiconfig]``, in lower case, each once."""
        said = [one.value for one in self.lines if (one.section, one.key) == ("amiconfig", key)]
        return list(dict.fromkeys(said[-1].lower().split())) if said else []


def read(text: str) -> OldText:
    """The text taken apart; `NoOldContext` if it cannot be one."""
    if len(text) > MOST:
        raise NoOldContext(f"{len(text)} characters are too many: give at most {MOST}")
    if "\0" in text:
        raise NoOldContext("it has a NUL: this is no text")
    found = OldText()
    if "\r" in text:
        found.odd.append(Odd(0, "lines end in CR LF: the boot loader would find nothing"))
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _CONTROL.search(text):
        found.odd.append(Odd(0, "it has control characters: a ? stands in their place"))
        text = _CONTROL.sub("?", text)
    lines = text.split("\n")
    start = _take_script(lines, found)
    rest = _take_boot(lines, start, found)
    _take_sections(rest, found)
    return found


def _take_script(lines: list[str], found: OldText) -> int:
    """Where the rest begins."""
    first = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    if first == len(lines) or not lines[first].lstrip().startswith("#!"):
        return 0
    end = next((n for n in range(first, len(lines)) if lines[n].startswith("exit")), None)
    if end is None:
        sections = (n for n in range(first, len(lines)) if re.match(r"\[[A-Za-z]", lines[n]))
        end = next(sections, len(lines)) - 1
        told = "the script has no exit line: amiconfig runs all that follows as shell, too"
        found.odd.append(Odd(first + 1, told))
    head = lines[first].lstrip()
    found.before = _BEFORE.search(head) is not None
    head = re.sub(r"(sh)[. ]before\s*$", r"\1", head) if found.before else head
    found.script = "\n".join([head, *lines[first + 1 : end + 1]]) + "\n"
    return end + 1


def _take_boot(lines: list[str], start: int, found: OldText) -> list[tuple[int, str]]:
    """The numbered lines without the boot loader's first block."""
    numbered = list(enumerate(lines, 1))[start:]
    begin = next((n for n, (_, line) in enumerate(numbered) if line == BEGIN), None)
    if begin is None:
        return numbered
    end = next((n for n in range(begin, len(numbered)) if numbered[n][1] == END), None)
    if end is None:
        found.odd.append(
            Odd(numbered[begin][0], f"{BEGIN} has no {END}: the boot loader reads nothing")
        )
        found.dropped += [line for _, line in numbered[begin:] if line.strip()]
        return numbered[:begin]
    for number, line in numbered[begin + 1 : end]:
        _boot_line(number, line, found)
    return numbered[:begin] + numbered[end + 1 :]


def _boot_line(number: int, line: str, found: OldText) -> None:
    key, equals, value = line.partition("=")
    if not line.strip():
        return
    if not equals or not key.strip() or line.startswith("#"):
        found.odd.append(Odd(number, "the boot loader takes this line for nothing"))
        found.dropped.append(line)
        return
    if key != key.strip() or value != value.strip():
        told = f"blanks around = of {key.strip()} in the boot loader's block: they are taken off"
        found.odd.append(Odd(number, told))
    found.boot.append(Line(number, BEGIN, key.strip().lower(), value.strip(), line))


def _take_sections(numbered: list[tuple[int, str]], found: OldText) -> None:
    section, spaced = "", 0
    for number, line in numbered:
        if named := _SECTION.match(line):
            section = named[1]
            found.sections.append(section)
        elif line.strip():
            option = _OPTION.match(line) if section else None
            if option is None or line[0] in "#;":
                _drop(number, line, section, found)
                continue
            key, value = option[1].rstrip(), _cut(option[2])
            spaced = spaced or (number if option[1] != key or " =" in line[: len(key) + 2] else 0)
            found.lines.append(Line(number, section, key.lower(), value, line))
    if spaced:
        found.odd.append(Odd(spaced, "blanks around = do no harm in sections: they are taken off"))


def _drop(number: int, line: str, section: str, found: OldText) -> None:
    found.dropped.append(line)
    if line[0] not in "#;":
        why = "does not begin in column 0" if line[0] in " \t" else "is no key = value"
        why = why if section else "stands before the first section"
        found.odd.append(Odd(number, f"this line {why}, so nobody reads it: {line.strip()[:60]}"))


def _cut(value: str) -> str:
    """Without what follows a blank and a semicolon; the two quotes alone are nothing."""
    at = value.find(";")
    if at > 0 and value[at - 1].isspace():
        value = value[:at]
    return "" if value.strip() == '""' else value.strip()


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a text comes to for a machine; two texts of one meaning make the same machine."""

    script: str
    before: bool
    plugins: frozenset[str]
    keys: dict[tuple[str, str], str]


def meaning(found: OldText) -> Meaning:
    """Its meaning. Quotes of ``[cernvm]`` are taken off by CernVM itself before a shell reads it;
    blanks behind the commas of a list, and how yes and no are said to the boot loader, are one.
    """
    keys = {}
    for one in (*found.lines, *found.boot):
        where = (one.section, one.key)
        if where != ("amiconfig", "plugins"):
            keys[where] = normal(*where, one.value)
    return Meaning(found.script, found.before, ALWAYS | frozenset(found.words("plugins")), keys)


def normal(section: str, key: str, value: str) -> str:
    """A value of one meaning always written alike."""
    if section == BEGIN and value.lower() in (*_YES, *_NO):
        return "on" if value.lower() in _YES else "off"
    if section in ("cernvm", "puppet", BEGIN):
        value = value.replace('"', "")
    return re.sub(r"\s*,\s*", ",", value)
