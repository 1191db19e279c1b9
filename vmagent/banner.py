"""The banner on the consoles of a machine without an owner: how to pair it, above every login.

agetty(8) shows ``/etc/issue.d/*.issue``. Only root can write there; without that right there is no
banner, and nothing else is different.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from vmagent import __version__, files
from vmagent.home import Home
from vmagent.plaintext import printable

NAME = "etc/issue.d/windfall.issue"


def text(server: str) -> str:
    """What stands there; agetty would obey backslashes."""
    where = f" Its web page: {printable(server)}" if server else ""
    lines = [
        "",
        f"Windfall agent {__version__}: this machine has no owner yet.",
        " To pair it: press Alt-F10, or log in and run  windfall-agent pair",
        where,
        "",
    ]
    return "\n".join(line.replace("\\", "/") for line in lines if line or line is not where)


def take_down(root: Path = Path("/")) -> None:
    """No banner any more, if it may be taken down."""
    with contextlib.suppress(OSError):
        files.remove(root / NAME)


def hang(home: Home, server: str, root: Path = Path("/")) -> bool:
    """Put the banner up, or take it down once the machine has an owner; whether it hangs."""
    path = root / NAME
    if home.is_joined():
        take_down(root)
        return path.exists()
    with contextlib.suppress(OSError):
        if not path.exists() or path.read_text("utf-8") != text(server):
            path.parent.mkdir(mode=0o755, exist_ok=True)
            files.write(path, text(server).encode(), 0o644)
    return path.exists()
