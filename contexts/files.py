"""Files and commands as cloud-config has them."""

from __future__ import annotations

from collections.abc import Mapping


def file(path: str, content: str, mode: str = "0644") -> dict[str, str]:
    """One item of ``write_files``."""
    return {"path": path, "permissions": mode, "content": content}


def guarded(program: str, line: str) -> list[str]:
    """One item of ``runcmd``: a line of shell of our own, run only where a program is."""
    return ["sh", "-c", f"command -v {program} >/dev/null && {line} || true"]


def variables(values: Mapping[str, str]) -> str:
    """Lines ``KEY=value``; the values stand as they are to be written."""
    return "".join(f"{key}={value}\n" for key, value in values.items())
