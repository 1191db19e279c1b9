"""Which field an old key becomes, and how; what was made of which lines, so that it can go back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from contexts.check import filled
from contexts.made import Section
from contexts.oldtext import ALWAYS, BEGIN, Line, OldText
from contexts.part import Machine, Pieces
from contexts.parts.repository import NOTHING
from contexts.registry import PARTS
from contexts.schema import Document, Field, Kind, Value
from contexts.uncoding import uncoded

Said = Mapping[tuple[str, str], Value]
"""Values by part and field."""


@dataclass(slots=True)
class Found:
    """What was found so far. ``places`` are the lines behind each value; ``words`` the plug-ins
    that were asked for, ``kept`` and ``boot`` the lines that no part has.
    """

    values: dict[str, dict[str, Value]] = field(default_factory=dict)
    places: dict[tuple[str, str], list[Line]] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    plugins: list[str] = field(default_factory=list)
    kept: list[Line] = field(default_factory=list)
    boot: list[Line] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    _held: set[Line] = field(default_factory=set)

    def put(self, part: str, key: str, value: Value, lines: list[Line]) -> None:
        """A value, and the lines that said it."""
        self.values.setdefault(part, {})[key] = value
        self.places.setdefault((part, key), []).extend(lines)

    def keep(self, line: Line) -> None:
        """A line that no part has."""
        if line not in self._held:
            self._held.add(line)
            (self.boot if line.section == BEGIN else self.kept).append(line)

    def give_back(self, path: str) -> None:
        """The value at a path, or its whole part, becomes lines again."""
        name, _, rest = path.partition(".")
        key = re.split(r"[.\[]", rest)[0]
        if name == "unknown":
            self._drop_unknown()
        elif (name, key) in self.places:
            self._give_back_value(name, key)
        else:
            for other in list(self.values.get(name, {})):
                self._give_back_value(name, other)
            self.values.pop(name, None)

    def _give_back_value(self, name: str, key: str) -> None:
        value = self.values.get(name, {}).pop(key, None)
        lines = self.places.pop((name, key), [])
        for line in lines:
            self.keep(line)
        for where, others in list(self.places.items()):
            if any(line in lines for line in others):
                self._give_back_value(*where)
        if name == "contextualization" and key in ("before", "after"):
            self.dropped += str(value or "").split("\n")

    def _drop_unknown(self) -> None:
        """What even the part of what is unknown cannot hold is only shown."""
        self.dropped += [line.raw for line in (*self.kept, *self.boot)] + self.plugins
        self.kept, self.boot, self.plugins = [], [], []
        self._held.clear()

    def give_back_keys(self, changed: set[tuple[str, str]]) -> None:
        """Every value that any of these keys comes from, or that is written as one of them."""
        for where, lines in list(self.places.items()):
            if any((line.section, line.key) in changed for line in lines):
                self._give_back_value(*where)
        for name in list(self.values):
            made = self._pieces(name)
            wrote = {(s, key.lower()) for s, keys in made.amiconfig.items() for key in keys}
            wrote |= {(BEGIN, key.lower()) for key in made.ucernvm}
            if wrote & changed:
                self.give_back(name)

    def switch_on(self) -> None:
        """The parts of plug-ins that were asked for without any key."""
        for word in sorted(self.words - self._plugins()):
            if word == "cernvm":
                self.values.setdefault("cernvm", {})
            elif word not in {line.section.lower() for line in self.kept}:
                self._switch_on(word)

    def _switch_on(self, word: str) -> None:
        for name, part in PARTS.items():
            plugin = part.plugin if isinstance(part, Section) else name
            if plugin == word and not any(one.required for one in part.fields):
                self.values.setdefault(name, {})
                return

    def set_plugins(self) -> None:
        """Parts of plug-ins that were not asked for go back; words without a part are kept."""
        if "cernvm" not in self.words and "cernvm" in self.values:
            self.values["cernvm"]["plugin"] = False
        for name in list(self.values):
            if not set(self._pieces(name).plugins) <= self.words | ALWAYS:
                self.give_back(name)
        self.plugins = sorted(self.words - self._plugins())

    def _plugins(self) -> set[str]:
        return {word for name in self.values for word in self._pieces(name).plugins}

    def _pieces(self, name: str) -> Pieces:
        return PARTS[name].pieces(filled({name: self.values[name]})[name], Machine())

    def document(self) -> Document:
        """The document so far."""
        unknown: dict[str, Value] = {}
        if self.plugins:
            unknown["plugins"] = self.plugins
        if self.kept:
            unknown["sections"] = _sections(self.kept)
        if self.boot:
            unknown["boot"] = "".join(f"{line.key}={line.value}\n" for line in self.boot)
        if self.dropped:
            unknown["dropped"] = "\n".join(self.dropped) + "\n"
        return {**self.values, **({"unknown": unknown} if unknown else {})}


def _sections(lines: list[Line]) -> str:
    """Lines under their sections, each section once."""
    by_section: dict[str, list[str]] = {}
    for line in lines:
        by_section.setdefault(line.section, []).append(line.raw.rstrip())
    return "".join(f"[{name}]\n" + "\n".join(raw) + "\n" for name, raw in by_section.items())


def found_of(old: OldText) -> Found:
    """All that the lines of an old text become."""
    found = Found(words=frozenset(old.words("plugins")), dropped=list(old.dropped))
    last: dict[tuple[str, str], Line] = {}
    for line in (*old.lines, *old.boot):
        where = (line.section, line.key)
        if where in last:
            found.dropped.append(last[where].raw)
        last[where] = line
    for line in last.values():
        _take(line, found)
    _boot_proxy(found, last)
    if old.script:
        script = old.script.removeprefix("#!/bin/sh\n").removesuffix("exit 0\n")
        found.values.setdefault("contextualization", {})[_when(old)] = script
    return found


def _when(old: OldText) -> str:
    return "before" if old.before else "after"


def _take(line: Line, found: Found) -> None:
    where = (line.section, line.key)
    if where in (("amiconfig", "plugins"), (BEGIN, "cvmfs_http_proxy")):
        return
    plugin = line.section.lower()
    active = line.section in (BEGIN, "amiconfig") or plugin in found.words
    said = _said(line) if active else {}
    if not said:
        found.keep(line)
    for (part, key), value in said.items():
        found.put(part, key, value, [line])


def _said(line: Line) -> Said:
    """The values that a line says; {} if no part knows it."""
    try:
        if line.section in _TABLES:
            take = _TABLES[line.section].get(line.key)
            return take(line.value) if take else {}
        return _of_section(line)
    except ValueError:
        return {}


def _of_section(line: Line) -> Said:
    for name, part in PARTS.items():
        if isinstance(part, Section) and part.section == line.section:
            for one in part.fields:
                if part.key(one).lower() == line.key:
                    return {(name, one.key): _value(part, one, line.value)}
    return {}


def _value(part: Section, one: Field, value: str) -> Value:
    if part.sourced:
        value = value.strip('"')
    if one.key in part.coded:
        return part.coded[one.key].read(value)
    match one.kind:
        case Kind.NUMBER:
            return _number(value)
        case Kind.SWITCH:
            return [True, False][part.words.index(value)]
        case Kind.LINES:
            return _list(value, part.between)
        case _:
            return value


def _number(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise ValueError(f"{value} is no number")
    return int(value)


def _list(value: str, between: str = ",") -> list[str]:
    return [item.strip() for item in value.split(between) if item.strip()]


def _line(part: str, key: str) -> Callable[[str], Said]:
    return lambda value: {(part, key): value.strip('"')} if value else {}


def _figure(part: str, key: str) -> Callable[[str], Said]:
    return lambda value: {(part, key): _number(value)}


def _items(part: str, key: str, between: str = ",") -> Callable[[str], Said]:
    return lambda value: {(part, key): _list(value.strip('"'), between)}


def _on_off(part: str, key: str) -> Callable[[str], Said]:
    words = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}
    return lambda value: {(part, key): words[value.lower()]} if value.lower() in words else {}


def _pem(part: str, key: str) -> Callable[[str], Said]:
    return lambda value: {(part, key): uncoded(value)}


def _proxy(value: str) -> Said:
    items = _list(value.strip('"'), ";")
    if not items:
        return {}
    direct = items[-1].upper() == "DIRECT"
    if items == ["DIRECT"]:
        return {("repository", "mode"): "direct"}
    proxies: list[str] = items[:-1] if direct else items
    return {
        ("repository", "mode"): "list",
        ("repository", "proxies"): proxies,
        ("repository", "direct"): direct,
    }


def _users(value: str) -> Said:
    rows = []
    for entry in _list(value):
        name, group, password = entry.split(":")
        rows.append({"name": name, "group": group, "password": password})
    return {("users", "users"): [{k: v for k, v in row.items() if v} for row in rows]}


def _extra(value: str) -> Said:
    rows = []
    for entry in _list(value):
        name, server, key = entry.split("|")
        rows.append({"name": name, "server": server, "key": key})
    return {("repository", "extra"): rows}


def _command(value: str) -> Said:
    user, colon, command = value.strip('"').partition(":")
    if not colon:
        return {}
    return {
        ("contextualization", "command"): command,
        ("contextualization", "command_user"): user,
    }


def _cluster_role(value: str) -> Said:
    return {("cluster", "role"): "head"} if value.lower() in ("yes", "on", "true", "1") else {}


def _boot_proxy(found: Found, last: Mapping[tuple[str, str], Line]) -> None:
    """The boot loader's proxies, if they are others than CernVM-FS's."""
    line = last.get((BEGIN, "cvmfs_http_proxy"))
    values = found.values.get("repository", {})
    if line is None:
        if values.get("mode") in ("list", "direct"):
            found.put("repository", "boot_proxy", NOTHING, [])
        return
    said = last.get(("cernvm", "proxy"))
    bare = line.value.strip('"')
    if said is not None and said.value.strip('"') == bare and "mode" in values:
        found.places[("repository", "mode")].append(line)
    else:
        found.put("repository", "boot_proxy", bare, [line])


_TABLES: Mapping[str, Mapping[str, Callable[[str], Said]]] = {
    "amiconfig": {"disabled_plugins": _items("amiconfig", "disabled", " ")},
    "cernvm": {
        "organisations": _items("repository", "organisations"),
        "repositories": _items("repository", "repositories"),
        "extra_repositories": _extra,
        "proxy": _proxy,
        "users": _users,
        "shell": _line("users", "shell"),
        "services": _items("contextualization", "services"),
        "environment": _items("contextualization", "environment"),
        "contextualization_command": _command,
        "edition": _line("cernvm", "edition"),
        "screenres": _line("cernvm", "screen"),
        "keyboard": _line("cernvm", "keyboard"),
        "startxdm": _on_off("cernvm", "start_x"),
        "auto_login": _on_off("cernvm", "auto_login"),
        "desktop_icons": _on_off("cernvm", "icons"),
        "swap_size": _line("cernvm", "swap"),
        "group_profile": _line("cernvm", "group_profile"),
        "griduiversion": _line("cernvm", "grid_ui"),
        "entitlement_key": _line("cernvm", "entitlement_key"),
        "x509-user": _line("x509", "user"),
        "x509-cert": _pem("x509", "cert"),
        "x509-cert-file": _line("x509", "file"),
        "eos-server": _line("eos", "server"),
        "eos-user": _line("eos", "user"),
        "eos-x509-cert": _pem("eos", "cert"),
        "eos-readaheadsize": _figure("eos", "readahead"),
        "eos-readcachesize": _figure("eos", "readcache"),
    },
    BEGIN: {
        "resize_rootfs": _on_off("cernvm", "expand_root"),
        "cvmfs_branch": _line("cernvm", "branch"),
        "cvmfs_tag": _line("cernvm", "snapshot"),
        "cernvm_path": _line("cernvm", "path"),
        "cernvm_inject": _line("cernvm", "inject"),
        "useglideinwms": _on_off("cernvm", "glidein"),
        "cvmfs_pac_urls": _items("repository", "pac", ";"),
        "cvmfs_server": _items("repository", "servers"),
        "cvmfs_cdn": _items("repository", "cdn"),
        "cvmfs_wait_on_squid": _figure("repository", "wait_on_squid"),
        "cvm_cluster_pin": _line("cluster", "pin"),
        "cvm_cluster_master": _cluster_role,
        "cvm_service_url": _line("cluster", "service"),
    },
}
