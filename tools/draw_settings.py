"""Draws docs/settings.md, the page of every setting, from what the server itself reads."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from server.configure import PLACES, PREFIX
from server.rule import Rule
from server.settings import DEFAULTS, rules, sections
from tools.drawn import run

HEAD = f"""# Settings

Made from `server/settings.py` by `python -m tools.draw_settings`; a test compares.

A server reads one TOML file: the one named with `--config` or in `$WINDFALL_CONFIG`, else the first
there is of {" and ".join(f"`{place}`" for place in PLACES)}. Above the file stands the environment
(`{PREFIX}<SECTION>_<KEY>`, a list with commas), above that an option (`--set SECTION.KEY=VALUE`).
A relative path in the file starts at the file's own folder, any other at the folder in which the
command was started.

`windfall config init` writes a file with every setting explained, `windfall config check` tells all
that is at fault, and `windfall config show` shows what holds and where it comes from.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(line for section in sections() for line in _section(section))])


def _section(section: str) -> Iterator[str]:
    meaning = (type(getattr(DEFAULTS, section)).__doc__ or "").strip()
    yield from (f"## [{section}]", "", meaning, "")
    yield from ("| key | default | unit | may be | meaning |", "| --- | --- | --- | --- | --- |")
    for key, rule, default in rules():
        if key.startswith(f"{section}."):
            name = key.partition(".")[2]
            meaning = rule.meaning.replace("|", "\\|")
            yield f"| `{name}` | {_told(default)} | {rule.unit} | {_bounds(rule)} | {meaning} |"
    yield ""


def _told(default: object) -> str:
    if default in ("", ()):
        return "empty"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _bounds(rule: Rule) -> str:
    if rule.choices:
        return ", ".join(f"`{choice}`" for choice in rule.choices)
    if rule.least is not None and rule.most is not None:
        return f"{rule.least:.15g} to {rule.most:.15g}"
    return ""


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", "settings.md", page, "draw_settings"))
