"""Documents as they are kept: bare in the database, their secrets encrypted beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from contexts.hiding import hidden, secret_paths
from contexts.schema import Document
from server.services.safe import Safe


@dataclass(frozen=True)
class Said:
    """What somebody has said: a document, and the parts of lower layers that he does without.

    ``site`` and ``role`` name the defaults that it lies on.
    """

    document: Document = field(default_factory=dict)
    without: tuple[str, ...] = ()
    site: str = ""
    role: str = ""


@dataclass(frozen=True)
class Kept:
    """The same as rows hold it: JSON with masks for secrets, and all of it encrypted if it has any.

    ``paths`` are those of the secrets.
    """

    text: str
    closed: bytes | None
    paths: tuple[str, ...]


def keep(safe: Safe, said: Said, about: str) -> Kept:
    """Make it ready for its row; ``about`` is what its secrets are bound to."""
    paths = tuple(secret_paths(said.document))
    closed = safe.close(text_of(said).encode(), about) if paths else None
    return Kept(text_of(replace(said, document=hidden(said.document))), closed, paths)


def text_of(said: Said) -> str:
    """All of it as JSON."""
    found = {
        "document": said.document,
        "without": list(said.without),
        "site": said.site,
        "role": said.role,
    }
    return json.dumps(found, separators=(",", ":"))


def bare(text: str) -> Said:
    """What a row holds, with masks for secrets."""
    found = json.loads(text)
    document = cast(Document, found["document"])
    return Said(document, tuple(found["without"]), found["site"], found["role"])


def whole(safe: Safe, text: str, closed: bytes | None, about: str) -> Said:
    """What a row holds, its secrets in clear. Raises NotOpened."""
    return bare(text if closed is None else safe.open(closed, about).decode())


def envelope(text: str) -> Mapping[str, Any]:
    """The envelope that a row holds."""
    return cast(Mapping[str, Any], json.loads(text))
