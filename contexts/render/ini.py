"""Text for amiconfig and for the boot loader of CernVM 3 and 4, written by their own rules.

Neither quotes nor escapes: a value that a rule would cut or that would end its line is refused.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence

from contexts.part import Pieces
from contexts.render.result import NotRenderable

SECTION = re.compile(r"[A-Za-z0-9_.-]{1,64}")
KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
PLAIN = re.compile(r"[ -~]*")
LAST = "windfall"
"""The last section: what a MIME message puts below it, amiconfig takes for options of this one."""
BEGIN, END = "[ucernvm-begin]", "[ucernvm-end]"
AFTER, BEFORE = "#!/bin/sh", "#!/bin/sh.before"
EXIT = "exit 0"


def sections(pieces: Pieces, revision: int) -> str:
    """The INI text; empty if no part has anything for amiconfig.

    The last section is ours: it says which revision this is, and no plug-in reads it.
    """
    if not pieces.amiconfig and not pieces.plugins:
        return ""
    own = {"plugins": " ".join(_word(plugin) for plugin in pieces.plugins)}
    told = {"amiconfig": {**own, **pieces.amiconfig.get("amiconfig", {})}}
    told |= {name: dict(keys) for name, keys in pieces.amiconfig.items() if name != "amiconfig"}
    told[LAST] = {**told.pop(LAST, {}), "revision": str(revision)}
    lines = []
    for name, keys in told.items():
        if not SECTION.fullmatch(name) or f"[{name}]" in (BEGIN, END):
            raise NotRenderable(f"amiconfig [{name}]", "no name for a section")
        lines.append(f"[{name}]")
        lines += [_option(f"amiconfig [{name}]", key, value) for key, value in keys.items()]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def block(ucernvm: Mapping[str, str]) -> str:
    """What the boot loader looks for; empty if there is nothing for it."""
    if not ucernvm:
        return ""
    lines = [_option("boot loader", key, value) for key, value in ucernvm.items()]
    return "\n".join([BEGIN, *lines, END]) + "\n"


def script(before: Sequence[str], after: Sequence[str]) -> str:
    """The leading script of amiconfig user data; empty if there is nothing to run.

    There is one, run either before or after the plug-ins. With both wishes it runs before, and
    leaves the later part to a process that waits until amiconfig has ended.
    """
    if not before and not after:
        return ""
    if not before:
        return "\n".join([AFTER, *_lines(after), EXIT]) + "\n\n"
    lines = [BEFORE, *_lines(before)]
    if after:
        lines.append(f"( {_waiting()}; {_packed(after)} ) </dev/null >/dev/null 2>&1 &")
    return "\n".join([*lines, EXIT]) + "\n\n"


def _waiting() -> str:
    """Shell that ends when no amiconfig runs any more, or after ten minutes."""
    found = "ps -e -o args 2>/dev/null | grep -q '[a]miconfig'"
    return f"n=0; sleep 2; while [ $n -lt 300 ] && {found}; do n=$((n+1)); sleep 2; done"


def _lines(lines: Sequence[str]) -> list[str]:
    """Lines as they are if amiconfig takes no line for its own, else all of them packed.

    It would end the script at a line that starts with ``exit``, take one with ``[`` for a section,
    and the boot loader takes bytes as they come.
    """
    told = "\n".join(lines).split("\n")
    if all(PLAIN.fullmatch(line) and not line.startswith(("exit", "[")) for line in told):
        return told
    return [_packed(lines)]


def _packed(lines: Sequence[str]) -> str:
    text = "\n".join(lines).rstrip("\n") + "\n"
    return f"echo {base64.b64encode(text.encode()).decode()} | base64 -d | /bin/sh"


def _option(where: str, key: str, value: str) -> str:
    path = f"{where} {key}"
    if not KEY.fullmatch(key):
        raise NotRenderable(path, "no name for a key")
    if not PLAIN.fullmatch(value):
        raise NotRenderable(path, "only plain ASCII on one line can stand here")
    if " ;" in value:
        raise NotRenderable(path, "amiconfig cuts a value at a blank before a semicolon")
    if value != value.strip():
        raise NotRenderable(path, "blanks at the ends of a value are lost")
    return f"{key}={value}"


def _word(plugin: str) -> str:
    """The name of a plug-in; amiconfig looks for them in lower case."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", plugin):
        raise NotRenderable(f"amiconfig plug-in {plugin!r}", "letters, digits and dashes alone")
    return plugin.lower()
