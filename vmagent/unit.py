"""The systemd unit of the agent, fitted to the machine it is printed on."""

from __future__ import annotations

import os
import pkgutil
import sys
from pathlib import Path

from vmagent.errors import CannotWork

NAME = "windfall-agent.service"
HOMES = ("/home/", "/root/", "/run/user/")


def text(user: str) -> str:
    """The unit for an agent started as this one was, run by ``user``."""
    raw = pkgutil.get_data("vmagent", NAME)
    if raw is None:
        raise CannotWork(f"the agent lacks its part {NAME}")
    found = raw.decode()
    found = found.replace("User=windfall\n", f"User={_word(user)}\n")
    old = "ExecStart=/usr/bin/python3 /opt/windfall/windfall-agent.pyz run"
    program = _program()
    if any(word.startswith(HOMES) for word in program):
        found = found.replace("ProtectHome=yes", "ProtectHome=read-only")
    return found.replace(old, f"ExecStart={' '.join(map(_word, program))} run")


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
