"""What a context wants of the agent itself: a few settings, read as data and never run.

They stand in a MIME part ``text/x-windfall-agent`` of lines ``WINDFALL_SLOTS=2``, or in a section
``[windfall-agent]`` of keys like ``slots`` in the part for amiconfig. What is set on this machine
itself counts before them.
"""

from __future__ import annotations

import configparser
import email
import email.policy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from vmagent.errors import CannotWork
from vmagent.home import Home
from vmagent.settings import Settings

NOTE = "wanted"
PART, SECTION, PREFIX = "text/x-windfall-agent", "windfall-agent", "windfall_"
AMICONFIG = "text/amiconfig-user-data"
# What a context may set. It may make the agent stricter, but opens nothing: no paths, no addresses,
# and of sandbox and network only the careful word.
MAY = (
    *("slots", "grace", "memory_mb", "reserve_mb", "hours", "idle_s", "busy_cores", "cpu_percent"),
    *("on_battery", "free_memory_mb", "flush_s", "flush_bytes", "mean_life_s", "lifetime_s"),
)
CAREFUL = {"sandbox": "require", "network": "no"}
PAIRS_MOST = 200
_LINE = re.compile(r"\s*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(.*?)\s*")


@dataclass(frozen=True)
class Wanted:
    """Settings by name, and what was passed over and why."""

    settings: Mapping[str, Any]
    passed_over: tuple[str, ...] = ()


def read(user_data: str) -> Wanted:
    """What user data wants of the agent; nothing if it does not speak of it."""
    taken: dict[str, Any] = {}
    left: list[str] = []
    for name, value in list(_pairs(user_data))[:PAIRS_MOST]:
        plain = name.lower().replace("-", "_")
        plain = plain[len(PREFIX) :] if plain.startswith(PREFIX) else plain
        fault = _fault(plain, value, taken)
        if fault:
            left.append(f"{plain[:40]}: {fault}")
    return Wanted(taken, tuple(left))


def _fault(name: str, text: str, taken: dict[str, Any]) -> str:
    """Take a setting in, or say why not."""
    if name in CAREFUL:
        if text != CAREFUL[name]:
            return f"a context may say {CAREFUL[name]} only"
    elif name not in MAY:
        return "a context may not set it"
    kind = next(str(one.type) for one in fields(Settings) if one.name == name)
    try:
        value: Any = int(text) if kind == "int" else float(text) if "float" in kind else text
        Settings(**{name: value})
    except (ValueError, OverflowError):
        return "it is no number"
    except CannotWork as error:
        return str(error)
    taken[name] = value
    return ""


def _pairs(user_data: str) -> Iterator[tuple[str, str]]:
    for kind, text in parts(user_data):
        if kind == PART:
            found = (_LINE.fullmatch(line) for line in text.splitlines())
            yield from ((one[1], one[2]) for one in found if one)
        elif kind == AMICONFIG:
            yield from _section(text)


def parts(user_data: str) -> Iterator[tuple[str, str]]:
    """The media type and text of each part of MIME user data; of other text that of its start."""
    message = email.message_from_string(user_data, policy=email.policy.default)
    if not message.is_multipart():
        body = user_data if message.get_content_type() == "text/plain" else message.get_content()
        yield (AMICONFIG if "[amiconfig]" in user_data else message.get_content_type()), str(body)
        return
    for part in message.walk():
        if part.get_content_maintype() == "text":
            try:
                yield part.get_content_type(), str(part.get_content())
            except (LookupError, ValueError):  # a character set that nobody knows
                continue


def _section(text: str) -> Iterator[tuple[str, str]]:
    # Lines before the first section are dropped, as amiconfig does.
    start = re.search(r"^\[", text, re.M)
    reader = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        reader.read_string(text[start.start() :] if start else "")
    except configparser.Error:
        return
    if reader.has_section(SECTION):
        yield from ((name, value or "") for name, value in reader.items(SECTION))


def keep(home: Home, wanted: Wanted) -> bool:
    """Keep the settings; whether they are other ones than before."""
    if kept(home) == dict(wanted.settings):
        return False
    home.keep_note(NOTE, dict(wanted.settings))
    return True


def kept(home: Home) -> dict[str, Any]:
    """The settings of the context applied last, checked again: another agent may have kept them."""
    found = home.note(NOTE)
    if not isinstance(found, dict):
        return {}
    taken: dict[str, Any] = {}
    for name, value in found.items():
        _fault(str(name), str(value), taken)
    return taken
