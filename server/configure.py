"""Reads the settings from file, environment and options, and tells every fault at once."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.accord import together
from server.rule import Rule
from server.settings import DEFAULTS, Settings, rules, sections, shown

PREFIX = "WINDFALL_"
# Of the command line, not settings of the server.
OTHERS = frozenset({"WINDFALL_CONFIG", "WINDFALL_SERVER", "WINDFALL_TOKEN_FILE"})
PLACES = ("windfall.toml", "/etc/windfall/windfall.toml")
WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class BadSettings(ValueError):
    """The settings cannot be used."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True)
class _Found:
    """A value as found: where, and the folder that its relative paths start from."""

    key: str
    value: Any
    where: str
    folder: Path
    text: bool


def read(
    options: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    config: Path | None = None,
    folder: Path | None = None,
) -> Settings:
    """The settings from file, environment and options (``section.key`` -> text), in rising order.

    Raises `BadSettings` with every fault found. ``folder`` is where relative paths of options and
    environment start; those of the file start at the file's own folder.
    """
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    faults: list[str] = []
    found: list[_Found] = []
    path = locate(config, environ, folder)
    if path is not None:
        found += _from_file(path, faults)
    found += _from_environ(environ, folder, faults)
    found += _from_options(options or {}, folder, faults)
    known = {key: (rule, default) for key, rule, default in rules()}
    values = {"server.data": _absolute(known["server.data"][1], folder)}
    sources = {}
    for item in found:
        try:
            values[item.key] = _converted(item, *known[item.key])
            sources[item.key] = item.where
        except ValueError as fault:
            faults.append(f"{item.where}: {item.key}: {fault}")
    settings = _built(values, sources)
    faults += [f"{sources.get(key, 'default')}: {key}: {text}" for key, text in together(settings)]
    if faults:
        raise BadSettings(faults)
    return settings


def locate(config: Path | None, environ: Mapping[str, str], folder: Path) -> Path | None:
    """The file that is read: the one named, or the first of `PLACES` that is there."""
    named = config or (Path(environ["WINDFALL_CONFIG"]) if environ.get("WINDFALL_CONFIG") else None)
    if named is not None:
        return folder / named
    return next((folder / place for place in PLACES if (folder / place).is_file()), None)


def _from_file(path: Path, faults: list[str]) -> list[_Found]:
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except OSError as error:
        faults.append(f"{path}: cannot be read ({error.strerror}); name another with --config")
        return []
    except ValueError as error:
        faults.append(
            f"{path}: not a TOML file: {error}; mend the line, or start from `windfall config init`"
        )
        return []
    lines = _lines(text)
    found = []
    for section, table in tables.items():
        if not isinstance(table, dict):
            where = f"{path}:{lines.get(f'.{section}', 1)}"
            faults.append(
                f"{where}: {section} stands outside a section; "
                f"put it under one{_nearest(f'server.{section}')}"
            )
            continue
        for key, value in table.items():
            name = f"{section}.{key}"
            where = f"{path}:{lines.get(name) or lines.get(f'{section}.') or 1}"
            if _is_known(name, where, faults):
                found.append(_Found(name, value, where, path.absolute().parent, text=False))
    return found


def _from_environ(environ: Mapping[str, str], folder: Path, faults: list[str]) -> Iterator[_Found]:
    names = {PREFIX + key.replace(".", "_").upper(): key for key, _, _ in rules()}
    sections = tuple(f"{PREFIX}{key.partition('.')[0].upper()}_" for key in names.values())
    for name in sorted(environ):
        if name in names:
            yield _Found(names[name], environ[name], f"${name}", folder, text=True)
        elif name.startswith(sections) and name not in OTHERS:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]}?" if near else "; unset it"
            faults.append(f"${name}: there is no such setting{hint}")


def _from_options(options: Mapping[str, str], folder: Path, faults: list[str]) -> Iterator[_Found]:
    for key, value in options.items():
        where = "option"
        if _is_known(key, where, faults):
            yield _Found(key, value, where, folder, text=True)


def _is_known(key: str, where: str, faults: list[str]) -> bool:
    if any(key == known for known, _, _ in rules()):
        return True
    hint = _nearest(key) or "; take it out (docs/settings.md lists them all)"
    faults.append(f"{where}: there is no setting {key}{hint}")
    return False


def _nearest(key: str) -> str:
    known = [name for name, _, _ in rules()]
    last = key.rpartition(".")[2]
    near = difflib.get_close_matches(key, known, 1) or [
        name for name in known if difflib.get_close_matches(last, [name.partition(".")[2]])
    ]
    return f"; did you mean {near[0]}?" if near else ""


def _lines(text: str) -> dict[str, int]:
    """The line of each ``section.key`` and ``section.``; tomllib does not tell."""
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if head := re.match(r"\s*\[\s*([\w.-]+)\s*\]", line):
            section = head[1]
            lines.setdefault(f"{section}.", number)
        elif key := re.match(r"\s*([\w-]+)\s*=", line):
            lines.setdefault(f"{section}.{key[1]}", number)
    return lines


def _converted(item: _Found, rule: Rule, default: Any) -> Any:
    value = _typed(item, default)
    if rule.path:
        return _absolute(value, item.folder)
    for one in value if isinstance(value, tuple) else (value,):
        _hold(one, rule)
    return value


def _absolute(value: Any, folder: Path) -> Any:
    if isinstance(value, tuple):
        return tuple(_absolute(one, folder) for one in value)
    return os.path.abspath(folder / Path(value).expanduser()) if value else ""


def _typed(item: _Found, default: Any) -> Any:
    value = item.value
    match default:
        case bool():
            if item.text:
                value = WORDS.get(str(value).strip().lower())
            if not isinstance(value, bool):
                raise ValueError(f"is true or false, not {item.value!r}")
        case int() | float():
            value = _number(value, whole=isinstance(default, int), text=item.text)
        case tuple():
            if item.text:
                value = [part.strip() for part in str(value).split(",") if part.strip()]
            if not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
                raise ValueError(f'is a list of texts, as in ["a", "b"], not {item.value!r}')
            value = tuple(value)
        case _:
            if not isinstance(value, str):
                raise ValueError(f"is a text; write it in quotes, not {item.value!r}")
    return value


def _number(value: Any, *, whole: bool, text: bool) -> int | float:
    kind = "whole number" if whole else "number"
    if text:
        try:
            return int(value) if whole else float(value)
        except ValueError:
            raise ValueError(f"is a {kind}, not {value!r}") from None
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        hint = ", without quotes" if isinstance(value, str) else ""
        raise ValueError(f"is a {kind}{hint}, not {value!r}")
    return value if whole else float(value)


def _hold(value: Any, rule: Rule) -> None:
    unit = f" {rule.unit}" if rule.unit else ""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"is a finite number, not {value}")
    if rule.least is not None and value < rule.least:
        raise ValueError(f"is at least {rule.least:.15g}{unit}, not {value}")
    if rule.most is not None and value > rule.most:
        raise ValueError(f"is at most {rule.most:.15g}{unit}, not {value}")
    if rule.choices and value not in rule.choices:
        near = difflib.get_close_matches(value, rule.choices, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"is one of {', '.join(rule.choices)}, not {value!r}{hint}")
    if rule.pattern and value and not re.fullmatch(rule.pattern, value):
        raise ValueError(f"is {rule.form}, not {shown(value, hides=rule.hides)!r}")


def _built(values: Mapping[str, Any], sources: Mapping[str, str]) -> Settings:
    built = {}
    for section in sections():
        own = {
            key.partition(".")[2]: value
            for key, value in values.items()
            if key.startswith(f"{section}.")
        }
        built[section] = dataclasses.replace(getattr(DEFAULTS, section), **own)
    return dataclasses.replace(DEFAULTS, **built, sources=dict(sources))
