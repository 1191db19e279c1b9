"""Draws docs/commands.md, the page of every command of `windfall`, from the command line itself."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import click

from server.cli.exits import EXITS
from server.cli.root import windfall
from tools.drawn import run

SHARED = {"--json", "--server", "--token-file", "--config", "--set", "--data"}
HEAD = """# Commands

Made from `server/cli` by `python -m tools.draw_commands`; a test compares.

Every command answers with one JSON document when it is given `--json`; a fault then is
`{"error": {"code": ..., "exit": ..., "detail": ..., "faults": [...]}}`, and nothing is asked.

Commands marked *server* find it with `--server` and `--token-file` (or `$WINDFALL_SERVER` and
`$WINDFALL_TOKEN_FILE`); without them they take the address of the local settings and the
`admin.token` in the data folder. Those and the ones marked *settings* read the settings
(docs/settings.md) with `--config FILE`, `--set SECTION.KEY=VALUE` and `--data FOLDER`.

## Exit codes

| code | meaning |
| --- | --- |
"""


def page() -> str:
    """The whole page."""
    table = "".join(f"| {code} | {meaning} |\n" for code, meaning in EXITS)
    return HEAD + table + "".join(_command(windfall, "windfall"))


def walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its full name, in the order of the alphabet."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    for part in sorted(command.commands):
        yield from walk(command.commands[part], f"{name} {part}")


def _command(root: click.Command, name: str) -> Iterator[str]:
    for full, command in walk(root, name):
        usage = " ".join([full, *(_argument(p) for p in command.params if _is_argument(p))])
        names = {p.name for p in command.params}
        mark = "server" if "token_file" in names else "settings" if "config" in names else ""
        yield f"\n## {full}\n\n    {usage}\n\n{inspect.cleandoc(command.help or '')}"
        yield f" *{mark}*\n" if mark else "\n"
        own = [p for p in command.params if isinstance(p, click.Option) and not _is_shared(p)]
        yield "\n" + "".join(_option(p) for p in own) if own else ""


def _is_argument(part: click.Parameter) -> bool:
    return isinstance(part, click.Argument)


def _is_shared(option: click.Option) -> bool:
    return bool(SHARED.intersection(option.opts))


def _argument(part: click.Parameter) -> str:
    name = part.metavar or _choices(part) or (part.name or "").upper()
    return name if part.required else f"[{name}]"


def _choices(part: click.Parameter) -> str:
    return "|".join(str(choice) for choice in getattr(part.type, "choices", ()))


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    facts = [choices] if (choices := _choices(option)) else []
    if option.show_default:
        facts.append(f"default {option.default}")
    if option.show_envvar:
        facts.append(f"`${option.envvar}`")
    if option.required:
        facts.append("required")
    more = f" ({'; '.join(facts)})" if facts else ""
    return f"- {names}: {option.help}{more}\n"


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", "commands.md", page, "draw_commands"))
