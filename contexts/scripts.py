"""Scripts of people among the lines of others: each in a shell of its own, or packed.

amiconfig ends a script at a line that begins with ``exit`` and takes ``[word]`` at the begin of a
line for a section; the boot loader looks for its block in every line of the user data. A script
with such lines, or for another interpreter than sh, is packed in base64 and run from a file.
"""

from __future__ import annotations

import re

from contexts.quoting import coded

_SH = ("#!/bin/sh", "#! /bin/sh")
_SECTION = re.compile(r"\[[^ \]][^\]]*\]")
_EXIT = re.compile(r"exit( 0)?\s*")
_INTERPRETER = re.compile(r"#! ?(/usr/bin/env )?/?[A-Za-z0-9._/-]+( -[a-z]+)?")


def interpreter(script: str) -> str:
    """The first line if it names an interpreter, else ""."""
    first = script.lstrip().partition("\n")[0]
    return first if first.startswith("#!") else ""


def is_readable(script: str) -> bool:
    """Whether the first line, if it names an interpreter, does so plainly."""
    first = interpreter(script)
    return not first or _INTERPRETER.fullmatch(first.strip()) is not None


def lines(script: str) -> tuple[str, ...]:
    """A script as lines of POSIX shell that leave alone what stands before and behind them."""
    if not script.strip():
        return ()
    found = script.strip("\n").split("\n")
    if interpreter(script).strip() in _SH:
        found = found[1:]
    elif interpreter(script):
        return packed(script)
    while found and (not found[-1].strip() or _EXIT.fullmatch(found[-1])):
        found.pop()
    if any(line.startswith("exit") or _SECTION.match(line) for line in found):
        return packed(script)
    if not script.isascii() or not all(_is_whole(line) for line in found):
        return packed(script)
    return ("(", *found, ")") if found else ()


def _is_whole(line: str) -> bool:
    """Whether nothing in a line may reach over into the next: no here document, no open quote."""
    risky = any(mark in line for mark in ("<<", "'", "`", "\\", "(", ")"))
    return not risky and line.count('"') % 2 == 0


def packed(script: str) -> tuple[str, ...]:
    """A script of any kind, run from a file that is removed behind it."""
    if not interpreter(script):
        script = f"#!/bin/sh\n{script}"
    return (
        'script="$(mktemp)"',
        f'echo {coded(script)} | base64 -d > "$script"',
        'chmod 0700 "$script"',
        '"$script" || echo "a script of the context ended with $?" >&2',
        'rm -f "$script"',
    )
