"""The systemd unit of the agent, fitted to the machine it is printed on."""

from __future__ import annotations

import os
import pkgutil
import sys
from pathlib import Path

from vmagent.errors import CannotWork

NAME = "windfall-agent.service"
CONSOLE = "windfall-pair@.service"
PROGRAM = "/usr/bin/python3 /opt/windfall/windfall-agent.pyz"
HOMES = ("/home/", "/root/", "/run/user/")


def text(user: str, name: str = NAME) -> str:
    """The unit for an agent started as this one was, run by ``user``; or that of its console."""
    raw = pkgutil.get_data("vmagent", name)
    if raw is None:
        raise CannotWork(f"the agent lacks its part {name}")
    found = raw.decode()
    found = found.replace("User=windfall\n", f"User={_word(user)}\n")
    program = _program()
    if any(word.startswith(HOMES) for word in program):
        found = found.replace("ProtectHome=yes", "ProtectHome=read-only")
    return found.replace(PROGRAM, " ".join(map(_word, program)))


def _program() -> list[str]:
    """How to start this agent again: the packed file, or the package."""
    python = os.path.abspath(sys.executable)
    started = Path(sys.argv[0])
    if started.suffix == ".pyz" and started.is_file():
        return [python, str(started.resolve())]
    return [python, "-m", "vmagent"]


def _word(word: str) -> str:
    if not word or any(letter.isspace() or letter in "\"'\\%$" for letter in word):
        raise CannotWork(f"{word!r} cannot stand in a unit: move it to a path of plain letters")
    return word
