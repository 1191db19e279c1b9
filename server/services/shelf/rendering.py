"""A context as files for a kind of machine: looked at before it is kept, taken away, handed out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from contexts.hiding import hidden
from contexts.layers import Resolved
from contexts.part import Machine
from contexts.registry import PARTS
from contexts.render.gather import TOKEN
from contexts.render.result import USER_DATA_LIMIT, File, NotRenderable, Rendered
from contexts.render.targets import TARGETS, render
from contexts.schema import Document, Fault, Field, Kind
from server.db.base import Tx
from server.db.contexts import Revision
from server.domain.errors import BadInput, NotFound
from server.domain.roles import Caller
from server.domain.throttle import Rate
from server.services.deps import Deps
from server.services.shelf import draft, keep, layering, library, pool, sight
from server.services.shelf.faults import BadContext
from server.services.shelf.veil import Said

LIMIT = USER_DATA_LIMIT
PREVIEWS = Rate(120, 60.0)  # of one account: an editor asks for one with each change


@dataclass(frozen=True)
class Wish:
    """Which files are wanted, for which machine; ``secrets`` in clear, if they are one's own."""

    target: str = "mime"
    secrets: bool = False
    name: str = ""
    cores: int = 1
    memory_mb: int = 2048
    disk_gb: int = 20

    def machine(self, of: Machine) -> Machine:
        """The machine."""
        return replace(
            of,
            name=self.name,
            memory_mb=self.memory_mb,
            cores=self.cores,
            disk_gb=self.disk_gb,
        )


@dataclass(frozen=True)
class Preview:
    """Files as somebody may see them, with the size and warnings of those that a machine gets.

    ``hidden`` are the secrets for which examples stand in the files. ``whole`` is what they were
    made of, with masks for secrets and where each value comes from.
    """

    files: tuple[File, ...]
    warnings: tuple[str, ...]
    secrets: tuple[str, ...]
    hidden: tuple[str, ...]
    size: int
    whole: Resolved


def make(document: Document, revision: int, target: str, machine: Machine) -> Rendered:
    """The files of a target. Raises BadContext, BadInput."""
    if target.partition(":")[0] not in TARGETS:
        raise BadInput([f"target {target[:40]!r}: must be one of {', '.join(TARGETS)}"])
    try:
        return render(document, revision, target, machine)
    except NotRenderable as error:
        raise BadContext([Fault(error.where, error.rule)]) from error
    except KeyError as error:
        known = ", ".join(TARGETS[target.partition(":")[0]].variants) or "none"
        raise BadInput([f"target {target[:40]!r}: its variants are {known}"]) from error


def shown(whole: Resolved, revision: int, wish: Wish, of: Machine, *, clear: bool) -> Preview:
    """What somebody is shown of a document; secrets in clear if he may see and wants them."""
    machine = wish.machine(of)
    real = make(whole.document, revision, wish.target, machine)
    bare = Resolved(hidden(whole.document), whole.origins)
    # A token that was made for these files is what they are asked for with.
    veiled = () if clear else tuple(path for path in real.secrets if path != TOKEN)
    if not veiled:
        return Preview(real.files, real.warnings, real.secrets, (), real.size, bare)
    examples = make(stand_ins(whole.document), revision, wish.target, machine)
    return Preview(examples.files, real.warnings, real.secrets, veiled, real.size, bare)


def stand_ins(document: Document) -> Document:
    """The document with an example in the place of every secret: nothing of it can be guessed."""
    return {name: dict(_stand_in(name, dict(values))) for name, values in document.items()}


def _stand_in(part: str, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    fields = {one.key: one for one in PARTS[part].fields} if part in PARTS else {}
    for key, value in values.items():
        one = fields.get(key)
        if one is None or not value:
            yield key, value
        elif one.secret:
            yield key, _example(one)
        elif one.kind is Kind.ROWS:
            secret = {column.key: _example(column) for column in one.columns if column.secret}
            yield key, [{**row, **_only(secret, row)} for row in value]
        else:
            yield key, value


def _only(secret: dict[str, Any], row: dict[str, str]) -> dict[str, Any]:
    return {key: value for key, value in secret.items() if row.get(key)}


def _example(one: Field) -> Any:
    return one.example if one.example is not None else one.default or ""


async def made_beside(
    deps: Deps, document: Document, revision: int, target: str, machine: Machine
) -> Rendered:
    """As `make`, beside the loop, in its turn."""
    async with deps.desk.turn:
        return await asyncio.to_thread(make, document, revision, target, machine)


async def shown_beside(
    deps: Deps, whole: Resolved, revision: int, wish: Wish, of: Machine, *, clear: bool
) -> Preview:
    """As `shown`, beside the loop, in its turn."""
    async with deps.desk.turn:
        return await asyncio.to_thread(shown, whole, revision, wish, of, clear=clear)


async def preview(deps: Deps, caller: Caller, said: Said, wish: Wish, *, of: str = "") -> Preview:
    """What a machine would get of a document that is not kept yet.

    Raises BadContext, BadInput, TooMany.
    Masks in it stand for the secrets of the context ``of``, which must be the caller's.
    """
    deps.doors.throttle.take(deps.clock(), [(f"preview:{caller.account}", PREVIEWS)])

    async def read(tx: Tx) -> tuple[Resolved, int]:
        number, before, site = 1, Said(), ""
        if of:
            mine = await sight.owned(tx, caller, of)
            found = await sight.revision_of(tx, mine)
            before = Said() if found.sealed else keep.said_in(deps, found)
            number, site = found.number + 1, mine.context.site
        whole = keep.unmasked(said, before)
        lower = await layering.below_what(deps, tx, caller, said, site)
        if faults := draft.wrong(whole, lower):
            raise BadContext(faults)
        return layering.on(lower, whole), number

    whole, number = await deps.store.read(read)
    return await shown_beside(deps, whole, number, wish, pool.machine(deps), clear=wish.secrets)


async def checked(deps: Deps, caller: Caller, said: Said) -> Resolved:
    """What somebody writes, on what lies below it, without a fault. Raises BadContext."""

    async def read(tx: Tx) -> Resolved:
        lower = await layering.below_what(deps, tx, caller, said)
        if faults := draft.wrong(said, lower):
            raise BadContext(faults)
        return layering.on(lower, said)

    return await deps.store.read(read)


async def of_context(
    deps: Deps, caller: Caller, context: str, number: int, wish: Wish
) -> tuple[library.Opened, Preview]:
    """What a machine would get of a revision. Raises NotFound, BadInput, BadContext."""
    opened, whole = await whole_of(deps, caller, context, number)
    clear = wish.secrets and opened.sight.mine
    number, machine = opened.revision.number, pool.machine(deps)
    made = await shown_beside(deps, whole, number, wish, machine, clear=clear)
    if clear and made.secrets:
        await library.note_reading(deps, caller, context, opened.revision.number)
    return opened, made


async def whole_of(
    deps: Deps, caller: Caller, context: str, number: int = 0
) -> tuple[library.Opened, Resolved]:
    """A revision on its layers, secrets in clear: never to be shown as it is."""
    opened = await library.show(deps, caller, context, number)

    async def read(tx: Tx) -> Resolved:
        return await resolved(deps, tx, opened.sight, opened.revision)

    return opened, await deps.store.read(read)


async def resolved(deps: Deps, tx: Tx, seen: sight.Sight, revision: Revision) -> Resolved:
    """A revision on its layers, secrets in clear. Raises BadInput if it is sealed."""
    said = keep.said_in(deps, revision)
    trusted = not (seen.mine or seen.member)
    lower = await layering.below(
        deps, tx, said.site, said.role, seen.context.owner, trusted=trusted
    )
    return layering.on(lower, said)


def file_of(made: Preview, name: str) -> File:
    """One of the files. Raises NotFound."""
    for file in made.files:
        if file.name == name:
            return file
    raise NotFound("file", name[:80])
