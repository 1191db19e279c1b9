"""The pieces of all parts of a document put together, and where each secret ended up."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contexts.check import filled
from contexts.part import Machine, Part, Pieces
from contexts.schema import Document, Kind

JOINED = frozenset(
    {
        *("organisations", "repositories", "extra_repositories"),
        *("users", "services", "environment"),
    }
)
"""Keys of [cernvm] that are lists with commas: what several parts say is put one behind another."""
COMMANDS = ("runcmd", "bootcmd")
"""Lists of cloud-config in which the same line may well stand twice."""
TOKEN = "machine.token"  # noqa: S105 - the name of a place, no secret


class Form(StrEnum):
    """A form that pieces take; a file is made of one or several of them."""

    AMICONFIG = "amiconfig"
    UCERNVM = "ucernvm"
    CLOUD = "cloud"
    ENVIRONMENT = "environment"
    SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything that a context says to a machine, and in which forms each secret stands."""

    pieces: Pieces
    kept: Mapping[str, frozenset[Form]]
    warnings: tuple[str, ...] = ()

    def secrets(self, *forms: Form) -> tuple[str, ...]:
        """The secrets of files that are made of these forms."""
        return tuple(path for path, found in self.kept.items() if found & set(forms))


def gather(document: Document, machine: Machine, parts: Mapping[str, Part]) -> Whole:
    """Ask every part of the document that is known for its pieces, in the order of the parts."""
    warnings = [
        f"{name}: no part of this name is known, nothing of it is rendered"
        for name in document
        if name not in parts
    ]
    whole = filled({name: document[name] for name in document if name in parts}, parts)
    found = [part.pieces(whole[name], machine) for name, part in parts.items() if name in document]
    plus = _together(found, warnings)
    kept = {
        path: _forms(plus, _values(document, parts, path)) for path in dict.fromkeys(plus.secrets)
    }
    if machine.token and (forms := _holding(plus, [machine.token])):
        kept[TOKEN] = forms
    return Whole(plus, kept, tuple(dict.fromkeys([*plus.warnings, *warnings])))


def _together(found: list[Pieces], warnings: list[str]) -> Pieces:
    amiconfig: dict[str, dict[str, str]] = {}
    ucernvm: dict[str, str] = {}
    cloud: dict[str, Any] = {}
    environment: dict[str, str] = {}
    for pieces in found:
        for section, keys in pieces.amiconfig.items():
            own = amiconfig.setdefault(section, {})
            _set(own, keys, f"amiconfig [{section}]", warnings, section == "cernvm")
        _set(ucernvm, pieces.ucernvm, "boot loader", warnings)
        _set(environment, pieces.environment, "environment", warnings)
        _merge(cloud, pieces.cloud, "cloud-config", warnings)
    return Pieces(
        amiconfig=amiconfig,
        plugins=_each(found, lambda pieces: pieces.plugins, once=True),
        ucernvm=ucernvm,
        cloud=cloud,
        environment=environment,
        before=_each(found, lambda pieces: pieces.before),
        after=_each(found, lambda pieces: pieces.after),
        secrets=_each(found, lambda pieces: pieces.secrets, once=True),
        warnings=_each(found, lambda pieces: pieces.warnings, once=True),
    )


def _each(
    found: list[Pieces], of: Callable[[Pieces], tuple[str, ...]], *, once: bool = False
) -> tuple[str, ...]:
    words = [word for pieces in found for word in of(pieces)]
    return tuple(dict.fromkeys(words) if once else words)


def _set(
    own: dict[str, str],
    more: Mapping[str, str],
    where: str,
    warnings: list[str],
    joins: bool = False,
) -> None:
    for key, value in more.items():
        old = own.get(key)
        if old and value and joins and key in JOINED:
            own[key] = ",".join(dict.fromkeys([*old.split(","), *value.split(",")]))
            continue
        if old is not None and old != value:
            warnings.append(f"{where}: two parts say {key}; the later one counts")
        own[key] = value


def _merge(own: dict[str, Any], more: Mapping[str, Any], where: str, warnings: list[str]) -> None:
    for key, value in more.items():
        old = own.get(key)
        if isinstance(value, Mapping):
            if not isinstance(old, dict):
                own[key] = old = {}
            _merge(old, value, f"{where}, {key}", warnings)
        elif isinstance(value, list | tuple) and isinstance(old, list | None):
            kept = own.setdefault(key, [])
            for item in value:
                # Several lists may not name a thing twice (cloud-init's schema, uniqueItems).
                if key in COMMANDS or item not in kept:
                    kept.append(item)
        else:
            if old is not None and old != value:
                warnings.append(f"{where}: two parts say {key}; the later one counts")
            own[key] = value


def _values(document: Document, parts: Mapping[str, Part], path: str) -> list[str]:
    """The texts at a path; of rows, those of the secret columns."""
    name, _, rest = path.partition(".")
    key, _, column = rest.partition("[")
    value = document.get(name, {}).get(key)
    column = column.partition(".")[2]
    if isinstance(value, list):
        field = next((one for one in parts[name].fields if one.key == key), None)
        secret = {column} if column else set()
        if field is not None and field.kind is Kind.ROWS and not column:
            secret = {one.key for one in field.columns if one.secret}
        return [text for item in value for text in _texts(item, secret) if text]
    return [value] if isinstance(value, str) and value else []


def _texts(item: str | dict[str, str], columns: set[str]) -> Iterator[str]:
    if isinstance(item, str):
        yield item
    else:
        yield from (text for key, text in item.items() if key in columns)


def _forms(pieces: Pieces, values: list[str]) -> frozenset[Form]:
    """The forms that hold a secret; all of them if it was made into something else, as a hash."""
    return _holding(pieces, values) or frozenset(Form)


def _holding(pieces: Pieces, values: list[str]) -> frozenset[Form]:
    texts = {
        Form.AMICONFIG: list(_leaves(pieces.amiconfig)),
        Form.UCERNVM: list(_leaves(pieces.ucernvm)),
        Form.CLOUD: list(_leaves(pieces.cloud)),
        Form.ENVIRONMENT: list(_leaves(pieces.environment)),
        Form.SCRIPT: ["\n".join([*pieces.before, *pieces.after])],
    }
    wanted = [form for value in values for form in _disguises(value)]
    return frozenset(
        form
        for form, found in texts.items()
        if any(secret in text for secret in wanted for text in found)
    )


def _disguises(value: str) -> list[str]:
    """A value as it is, in base64 (but for the ends, that neighbours change), and as JSON."""
    raw = value.strip().encode()
    packed = [base64.b64encode(raw[start:]).decode().rstrip("=")[:-2] for start in range(3)]
    return [
        value.strip(),
        json.dumps(value.strip())[1:-1],
        *(one for one in packed if len(one) > 7),
    ]


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    else:
        yield str(value)
