"""What the boot loader and amiconfig of CernVM 3 and 4 read in a text: their rules, done again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

OPTION = re.compile(r"(?P<key>[^\s:=#;\[][^:=]*?)\s*[:=]\s*(?P<value>.*)")
SECTION = re.compile(r"\[(?P<name>[^\]]+)\]")
TRUE, FALSE = ("yes", "on", "true"), ("no", "off", "false")


def boot_loader(text: str) -> dict[str, str]:
    """The keys that the boot loader finds: the first block, its marker lines exact.

    Keys are of either case; words for yes and no become 1 and 0. The result is sourced by a root
    shell, so quotes belong to the value.
    """
    lines = text.split("\n")
    if "[ucernvm-begin]" not in lines:
        return {}
    rest = lines[lines.index("[ucernvm-begin]") + 1 :]
    if "[ucernvm-end]" not in rest:
        return {}
    found = {}
    for line in rest[: rest.index("[ucernvm-end]")]:
        key, equals, value = line.partition("=")
        if equals and key:
            found[key.strip().lower()] = _switch(value.strip())
    return found


def _switch(value: str) -> str:
    if value.lower() in TRUE:
        return "1"
    return "0" if value.lower() in FALSE else value


@dataclass(frozen=True, slots=True)
class Read:
    """What amiconfig takes from user data: sections, and the script with its time."""

    sections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    script: str = ""
    before: bool = False

    @property
    def plugins(self) -> tuple[str, ...]:
        """The plug-ins that it would run."""
        return tuple(self.sections.get("amiconfig", {}).get("plugins", "").lower().split())


def amiconfig(text: str) -> Read:
    """The sections and the script: only lines that start in column 0, the last of a key counts."""
    sections: dict[str, dict[str, str]] = {}
    script, before = _script(text)
    own: dict[str, str] | None = None
    for line in text.split("\n"):
        if named := SECTION.match(line):
            own = sections.setdefault(named["name"], {})
        elif own is not None and (option := OPTION.match(line)):
            own[option["key"].strip().lower()] = option["value"].partition(" ;")[0].strip()
    return Read(sections, script, before)


def _script(text: str) -> tuple[str, bool]:
    """The script, if the first line that is not blank starts with ``#!``; it ends at ``exit``."""
    lines = text.lstrip().split("\n")
    if not lines[0].startswith("#!"):
        return "", False
    before = re.search(r"sh[. ]before\s*$", lines[0]) is not None
    taken = []
    for line in lines:
        taken.append(line)
        if line.startswith("exit"):
            break
    return "\n".join(taken) + "\n", before
