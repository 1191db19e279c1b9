"""The settings: checked, shown, and written down for a start."""

from __future__ import annotations

import json
import os
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from server import keyring
from server.blobs.base import BackendAbsent
from server.blobs.choose import BadBlobsUrl, open_blobs
from server.cli.exits import BadFile
from server.cli.groups import House
from server.cli.options import PATH, with_settings
from server.cli.output import emit, is_json, tell
from server.configure import PLACES, locate
from server.rule import Rule
from server.settings import Settings, rules, sections, shown

HEAD = "# Settings of a Windfall server. Lines that begin with # are the defaults.\n"


@click.group(cls=House)
def config() -> None:
    """Settings: from the file, the environment and options (docs/settings.md)."""


@config.command("check")
@with_settings
def check_command(settings: Settings) -> None:
    """Read the settings as the server would, and tell all that is at fault.

    The place of the blobs and the keys are looked at too, as far as this machine can tell.
    """
    named = click.get_current_context().params.get("config")
    file = locate(named, os.environ, Path.cwd())
    if faults := [*_blobs_faults(settings), *_keys_faults(settings)]:
        raise BadFile("the settings cannot be used", faults, file=str(file) if file else None)
    has_keys = settings.keys_folder.is_dir()
    keys = (
        "its keys are good" if has_keys else "is not there yet (windfall init, or windfall key add)"
    )
    count = len(settings.sources)
    tell(
        {"ok": True, "file": str(file) if file else None, "set": dict(settings.sources)},
        f"read: {file}" if file else f"no file was read: there is none of {', '.join(PLACES)}",
        f"{settings.keys_folder}: {keys}",
        f"the settings are good ({count} set)",
    )


def _blobs_faults(settings: Settings) -> Iterator[str]:
    try:
        open_blobs(settings.blobs_url)
    except (BadBlobsUrl, BackendAbsent, ValueError) as error:
        yield f"{settings.sources.get('blobs.url', 'default')}: blobs.url: {shown(str(error))}"


def _keys_faults(settings: Settings) -> Iterator[str]:
    where = settings.sources.get("keys.release", "default")
    release = [Path(name) for name in settings.keys.release]
    missing = [path for path in release if not path.is_file()]
    for path in missing:
        yield f"{where}: keys.release: {path} is not a file; name the statement (.jws) of a key"
    if missing or not settings.keys_folder.is_dir():
        return
    try:
        keyring.load(settings.keys_folder, time.time(), release)
    except keyring.KeyTrouble as error:
        yield str(error)


@config.command("show")
@with_settings
def show_command(settings: Settings) -> None:
    """Show every setting as it holds, and where it comes from; passwords are hidden."""
    if is_json():
        values: dict[str, dict[str, Any]] = {name: {} for name in sections()}
        for key, rule, _ in rules():
            section, _, name = key.partition(".")
            values[section][name] = hidden(getattr(getattr(settings, section), name), rule)
        emit(values)
        return
    seen = ""
    for key, rule, _ in rules():
        section, _, name = key.partition(".")
        if section != seen:
            click.echo(f"[{section}]" if not seen else f"\n[{section}]")
            seen = section
        value = toml(hidden(getattr(getattr(settings, section), name), rule))
        unit = f"{rule.unit}, " if rule.unit else ""
        click.echo(f"{name} = {value}  # {unit}{settings.sources.get(key, 'default')}")


@config.command("init")
@click.argument("file", type=PATH, default="windfall.toml", metavar="[FILE]")
def init_command(file: Path) -> None:
    """Write FILE (windfall.toml) with every setting explained and left at its default."""
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(template())
    except FileExistsError:
        raise BadFile(f"{file}: is there already; name another file") from None
    tell({"file": str(file)}, f"{file}: written", f"Next: windfall config check --config {file}")


def template() -> str:
    """A settings file with every setting explained and left at its default."""
    lines = [HEAD]
    seen = ""
    for key, rule, default in rules():
        section, _, name = key.partition(".")
        if section != seen:
            lines.append(f"\n[{section}]\n")
            seen = section
        for line in textwrap.wrap(explained(rule), 96):
            lines.append(f"# {line}\n")
        lines.append(f"#{name} = {toml(default)}\n")
    return "".join(lines)


def explained(rule: Rule) -> str:
    """What a setting means and may be, in a sentence or two."""
    bounds = []
    if rule.choices:
        bounds.append("one of " + ", ".join(rule.choices))
    if rule.least is not None and rule.most is not None:
        bounds.append(f"{rule.least:.15g} to {rule.most:.15g}")
    unit = [rule.unit] if rule.unit else []
    return f"{rule.meaning} ({'; '.join(bounds + unit)})" if bounds + unit else rule.meaning


def hidden(value: Any, rule: Rule) -> Any:
    """A value without the secret that may be in it."""
    if isinstance(value, (list, tuple)):
        return [shown(one) for one in value]
    return shown(value, hides=rule.hides) if isinstance(value, str) else value


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml(one) for one in value)}]"
    # JSON's texts, numbers and truth values are TOML's, as long as no letter is escaped twice.
    return json.dumps(value, ensure_ascii=False)
