"""What is odd about an old text, in words: what nobody reads, what breaks, what was not meant."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from contexts.oldkeys import Found
from contexts.oldtext import BEGIN, Line, Odd, OldText

_GLUED = re.compile(r"\.(gov|com|org|net|edu|int|ch)([a-z][a-z0-9-]*\.[a-z])")
"""A name that goes on behind its top-level domain: there, a comma may be missing."""
_READ_BY_NOBODY = {
    (BEGIN, "cvmfs_path"): "is read by nobody; cernvm_path is meant",
    ("cernvm", "config_url"): "is read by nobody since CernVM 3",
    ("cernvm", "contextualization_key"): "names a context of CernVM Online, which is gone",
}
_SECTIONS = {
    "tcpbuffers": "its plug-in sets nothing (it reads a key named var); see the part network",
    "cernvm_appliance": "no plug-in reads it; appliance-agent is meant",
    "sfcb-client-setup": "sets up a management agent that is gone",
    "rpath": "belongs to CernVM 2 alone",
    "conaryproxy": "belongs to CernVM 2 alone",
    "rapadminpassword": "belongs to CernVM 2 alone",
}


def oddities(old: OldText, found: Found) -> Iterator[Odd]:
    """All of them; what the reader itself saw is in ``old.odd`` already."""
    for line in (*old.lines, *old.boot):
        yield from (Odd(line.number, f"{line.key}: {told}") for told in _about(line))
    yield from _sections(old, found)
    yield from _twice(old)
    yield from _proxies(old)
    for line in (*found.kept, *found.boot):
        yield Odd(line.number, f"{line.key}: no part takes it as it is; it is kept as unknown")
    for word in found.plugins:
        yield Odd(0, f"plugins: no part knows {word}; it is kept as unknown")


def _about(line: Line) -> Iterator[str]:
    where = (line.section, line.key)
    if told := _READ_BY_NOBODY.get(where):
        yield told
    for found in _GLUED.finditer(line.value):
        yield f"a comma is perhaps missing between ...{found[1]} and {found[2]}..."
    if where == ("cernvm", "users"):
        if any(entry.count(":") != 2 for entry in line.value.split(",")):
            yield "an entry has not exactly two colons: amiconfig gives up on the whole plug-in"
    elif where == ("cernvm", "environment"):
        if any(entry.count("=") != 1 for entry in line.value.split(",")):
            yield "an entry has not exactly one =: amiconfig gives up on the whole plug-in"
    elif where == ("cernvm", "extra_repositories"):
        if "://" in line.value:
            yield "amiconfig puts http:// in front of the server, /cvmfs/NAME behind: name a host"
    elif where == ("cernvm", "contextualization_command"):
        if " " in line.value and '"' not in line.value:
            yield "it has blanks and no quotes: what sources it as it stands runs the arguments"
    elif where == ("storage", "daemon") and line.value.lower() in ("false", "no", "off", "0"):
        yield f"amiconfig takes {line.value} for yes; only an empty value is no"
    bare = line.key in ("proxy", "cvmfs_http_proxy") and '"' not in line.value
    if bare and set("|;") & set(line.value):
        yield "it has | or ; without quotes: a shell that reads it takes them for commands"


def _sections(old: OldText, found: Found) -> Iterator[Odd]:
    words = {*found.words, "amiconfig"}
    for name in dict.fromkeys(old.sections):
        first = next((line.number for line in old.lines if line.section == name), 0)
        if told := _SECTIONS.get(name):
            yield Odd(first, f"[{name}]: {told}")
        elif name.lower() not in words and name != BEGIN:
            yield Odd(first, f"[{name}]: plugins does not name it, so it is not read")
        elif name != name.lower():
            yield Odd(first, f"[{name}]: amiconfig fails unless it is written [{name.lower()}]")


def _twice(old: OldText) -> Iterator[Odd]:
    counted = Counter((line.section, line.key) for line in (*old.lines, *old.boot))
    for (section, key), count in counted.items():
        if count > 1:
            yield Odd(
                0, f"[{section.strip('[]')}] {key}: it is said {count} times, the last counts"
            )


def _proxies(old: OldText) -> Iterator[Odd]:
    said = {line.key: line for line in old.lines if (line.section, line.key) == ("cernvm", "proxy")}
    boot = next((line for line in old.boot if line.key == "cvmfs_http_proxy"), None)
    if boot and said and said["proxy"].value.strip('"') != boot.value.strip('"'):
        yield Odd(
            boot.number, "cvmfs_http_proxy: it is another than proxy in [cernvm]; both are kept"
        )
