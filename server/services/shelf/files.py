"""Contexts as files that people keep or send: our JSON, and the ``.context`` of CernVM."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import PurePosixPath

from contexts import exchange, legacy
from contexts.exchange import Exchanged, NoContext
from contexts.hiding import secret_paths, stripped
from contexts.layers import Layer, merge
from contexts.oldtext import NoOldContext, Odd
from contexts.schema import Document, Fault
from contexts.templates import TEMPLATES
from server.domain.errors import BadInput
from server.domain.roles import Caller
from server.services.deps import Deps
from server.services.shelf import keep, library, rendering
from server.services.shelf.draft import NAME_MOST
from server.services.shelf.faults import BadContext
from server.services.shelf.veil import Said

FORMS = ("json", "context")
TEXT_MOST = exchange.MOST_BYTES


@dataclass(frozen=True)
class Imported:
    """What a file holds, looked at before it is kept; ``report`` says what was odd or unknown."""

    form: str
    name: str
    description: str
    document: Document
    report: tuple[str, ...]


@dataclass(frozen=True)
class Exported:
    """A context as a file; ``lost`` are the paths of what its form cannot say."""

    file: str
    text: str
    lost: tuple[str, ...]


async def exported(
    deps: Deps, caller: Caller, context: str, form: str, number: int = 0, *, secrets: bool = False
) -> Exported:
    """A revision as a file. Raises NotFound, BadInput.

    JSON holds what the role and the context say, a ``.context`` all that a machine would get.
    Secrets are in it only if its owner asks for them.
    """
    if form not in FORMS:
        raise BadInput([f"form {form[:40]!r}: must be one of {', '.join(FORMS)}"])
    opened, whole = await rendering.whole_of(deps, caller, context, number)
    clear = secrets and opened.sight.mine
    revision = opened.revision
    if clear:
        await library.note_reading(deps, caller, context, revision.number)
    stem = file_stem(revision.name)
    if form == "json":
        document = _self_contained(keep.said_in(deps, revision))
        what = Exchanged(document, revision.name, revision.description)
        return Exported(f"{stem}.json", exchange.dump(what, secrets=clear), ())
    left_out = () if clear else tuple(secret_paths(whole.document))
    old = legacy.dump(whole.document if clear else stripped(whole.document))
    return Exported(f"{stem}.context", old.text, (*left_out, *old.lost))


def _self_contained(said: Said) -> Document:
    """What a context says together with its role: another server may not have that."""
    role = TEMPLATES.get(said.role)
    lower = [Layer("role", role.document)] if role else []
    return merge([*lower, Layer("user", said.document, without=said.without)]).document


def file_stem(name: str) -> str:
    """The name of a context as that of a file."""
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name)
    return kept.strip("-")[:60] or "context"


async def read(deps: Deps, text: str, file: str = "") -> Imported:
    """What a file holds, whichever of both forms it has: beside the loop, as files are rendered.

    Raises BadContext, BadInput.
    """
    async with deps.desk.turn:
        return await asyncio.to_thread(_read, text, file)


def _read(text: str, file: str) -> Imported:
    if len(text) > TEXT_MOST:
        raise BadInput([f"{len(text)} characters are too many: at most {TEXT_MOST}"])
    if text.lstrip()[:1] == "{":
        return _json(text)
    stem = PurePosixPath(file.replace("\\", "/")).stem[:NAME_MOST]
    return _legacy(text, stem if stem.isprintable() else "")


def _json(text: str) -> Imported:
    try:
        found = exchange.load(text)
    except NoContext as error:
        raise BadContext(error.faults) from error
    report = [f"{path}: a secret was left out; set it anew" for path in found.left_out]
    return Imported("json", found.name, found.description, found.document, tuple(report))


def _legacy(text: str, stem: str) -> Imported:
    try:
        found = legacy.load(text)
    except NoOldContext as error:
        raise BadContext([Fault("text", str(error))]) from error
    return Imported("context", stem, "", found.document, tuple(_told(odd) for odd in found.odd))


def _told(odd: Odd) -> str:
    """What was odd, with its line."""
    return f"line {odd.line}: {odd.text}" if odd.line else odd.text
