"""Old ``.context`` texts into documents, and back; nothing is dropped without a word.

What a part knows becomes its values. All else is kept as it was in the part ``unknown``, and so is
whatever a part would write with another meaning than it had: after it is loaded, each text is
written again, read by the old rules, and held against what it was.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from contexts.check import check, filled
from contexts.diff import Change, diff
from contexts.oddities import oddities
from contexts.oldkeys import Found, found_of
from contexts.oldtext import BEGIN, END, NoOldContext, Odd, OldText, meaning, read
from contexts.part import Machine
from contexts.registry import PARTS
from contexts.schema import Document, Value

_PARCEL = re.compile(r"^EC2_USER_DATA=\"?([A-Za-z0-9+/=]+)\"?\s*$", re.MULTILINE)
_ROOT_KEY = re.compile(r"^ROOT_PUBKEY=\"?([A-Za-z0-9+/=]+)\"?\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The document of an old text, which has no fault, and what was odd about the text."""

    document: Document
    odd: tuple[Odd, ...]


@dataclass(frozen=True, slots=True)
class Dumped:
    """An old text, and the paths of what the old format cannot say."""

    text: str
    lost: tuple[str, ...]


def load(text: str) -> Loaded:
    """The document of an old text, or of the parcel that CernVM Online handed to machines.

    `NoOldContext` if it is neither. All that nobody reads is in ``unknown.dropped``.
    """
    text, key = _unparcelled(text)
    old = read(text)
    if not old.lines and not old.boot and not old.script:
        raise NoOldContext("it has no [section], no script and no boot loader block")
    found = found_of(old)
    if key:
        found.put("rootsshkeys", "keys", [key], [])
    _drop_faults(found)
    found.switch_on()
    found.set_plugins()
    _drop_changes(found, old)
    return Loaded(found.document(), tuple(sorted((*old.odd, *oddities(old, found)), key=_line)))


def _line(odd: Odd) -> int:
    return odd.line


def _unparcelled(text: str) -> tuple[str, str]:
    """The user data in a parcel, and the key of root beside it; else the text itself."""
    if text.startswith("ENCRYPTED:"):
        raise NoOldContext(
            "it is encrypted as CernVM Online did; decrypt it first with `openssl enc -d "
            "-aes-256-cfb8 -md md5`, and look at what comes out: a wrong secret is not noticed"
        )
    parcel, root = _PARCEL.search(text[:2_000_000]), _ROOT_KEY.search(text[:2_000_000])
    if parcel is None:
        return text, ""
    return _decoded(parcel[1]), _decoded(root[1]).strip() if root else ""


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        raise NoOldContext("its EC2_USER_DATA is no text in base64") from None


def _drop_faults(found: Found) -> None:
    """Whatever has a fault goes back to what it was, until there is none."""
    while faults := check(found.document()):
        for fault in faults:
            found.give_back(fault.path)


def _drop_changes(found: Found, old: OldText) -> None:
    """Whatever would be written with another meaning goes back to what it was."""
    wanted = meaning(old)
    for _ in range(len(found.places) + 2):
        now = meaning(read(dumped(found.document())))
        changed = {
            key for key in wanted.keys | now.keys if wanted.keys.get(key) != now.keys.get(key)
        }
        if not changed and now.plugins == wanted.plugins:
            return
        found.give_back_keys(changed)
        found.set_plugins()
        _drop_faults(found)


def dump(document: Document) -> Dumped:
    """The old text of a document without faults, and what of it the text cannot say."""
    text = dumped(document)
    again = load(text).document
    lost = [change.path for change in diff(document, again) if _is_lost(change)]
    return Dumped(text, tuple(lost))


def _is_lost(change: Change) -> bool:
    """Whether it says less; a script may have got the end of its last line, and its exit."""
    before, after = change.before, change.after
    if before in (None, "", []):
        return False
    if isinstance(before, str) and isinstance(after, str) and not change.path.startswith("unknown"):
        return _bare(before) != _bare(after)
    return True


def _bare(script: str) -> str:
    return script.strip().removeprefix("#!/bin/sh").removesuffix("exit 0").strip()


def dumped(document: Document) -> str:
    """The text alone: script, sections, what is unknown, boot loader block."""
    whole = filled(document)
    made = [
        PARTS[name].pieces(values, Machine()) for name, values in whole.items() if name != "unknown"
    ]
    plugins = dict.fromkeys(word for one in made for word in one.plugins)
    kept = whole.get("unknown", {})
    plugins.update(dict.fromkeys(_list(kept.get("plugins"))))
    sections: dict[str, dict[str, str]] = {"amiconfig": {"plugins": " ".join(plugins)}}
    boot: dict[str, str] = {}
    for one in made:
        for name, keys in one.amiconfig.items():
            sections.setdefault(name, {}).update(keys)
        boot.update(one.ucernvm)
    text = _script(whole) if "contextualization" in whole else ""
    text += "".join(_section(name, keys) for name, keys in sections.items() if keys)
    text += _ended(str(kept.get("sections", "")))
    lines = "".join(f"{key}={value}\n" for key, value in boot.items())
    lines += _ended(str(kept.get("boot", "")))
    return text + (f"{BEGIN}\n{lines}{END}\n" if lines else "")


def _script(document: Document) -> str:
    """The leading script: amiconfig knows one, and the one before goes first."""
    values = document["contextualization"]
    before, after = str(values.get("before", "")), str(values.get("after", ""))
    script = before or after
    if not script.strip():
        return ""
    if not script.lstrip().startswith("#!"):
        script = f"#!/bin/sh\n{script}"
    head, _, rest = script.lstrip().partition("\n")
    body = _ended(rest)
    last = body.rstrip("\n").rpartition("\n")[2]
    end = "" if last.startswith("exit") else "exit 0\n"
    return f"{head}{'.before' if before else ''}\n{body}{end}\n"


def _section(name: str, keys: dict[str, str]) -> str:
    lines = "".join(f"{key}={value}\n" for key, value in keys.items())
    return f"[{name}]\n{lines}\n"


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _list(value: Value | None) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


__all__ = ["Dumped", "Loaded", "NoOldContext", "Odd", "dump", "load"]
