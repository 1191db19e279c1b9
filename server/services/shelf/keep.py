"""Contexts are made, changed by another revision, removed for a while, and brought back."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, replace

from contexts import envelope
from contexts.hiding import restored, stripped
from contexts.layers import Layer
from contexts.templates import TEMPLATES
from server.db import contexts
from server.db.base import Tx
from server.db.contexts import Context, Revision
from server.domain.errors import BadInput, Exists, NotFound, Overtaken, Refusal
from server.domain.roles import Caller
from server.services import audit
from server.services.deps import Deps
from server.services.shelf import layering, sight, veil
from server.services.shelf.draft import ID, NAME_MOST, Draft, held
from server.services.shelf.faults import BadContext, shape
from server.services.shelf.sight import Circles, Sight
from server.services.shelf.veil import Said

GRACE_S = 14 * 86_400.0
"""How long what was removed can be brought back."""
SEALED = "it is sealed: only who has its secret can open it, with `windfall context`"
MOST, REVISIONS_MOST = 500, 1000
"""Contexts of an account, and revisions of a context: a bound on what one person can fill."""


class InUse(Refusal):
    """{machines} machines use this context; remove it all the same, or give them another first."""

    code = "in-use"
    machines: int


def about(context: str, revision: int) -> str:
    """What the secrets of a revision are bound to."""
    return f"context {context}:{revision}"


def aad(context: str, revision: int) -> str:
    """What the envelope of a revision is bound to."""
    return envelope.bound_to(context, revision)


def said_in(deps: Deps, found: Revision) -> Said:
    """What stands in a revision, secrets in clear. Raises BadInput if it is sealed, NotOpened."""
    if found.sealed:
        raise BadInput([SEALED])
    where = about(found.context, found.number)
    return veil.whole(deps.safe, found.document, found.secrets, where)


def _revision(deps: Deps, context: Context, wanted: Draft, by: str, at: float) -> Revision:
    """A revision of what is wanted, ready to be kept."""
    number, sealed, closed = context.revision, wanted.envelope is not None, None
    if wanted.envelope is not None:
        text = json.dumps(wanted.envelope)
    else:
        said = replace(wanted.said or Said(), site=wanted.site, role=wanted.role)
        kept = veil.keep(deps.safe, said, about(context.id, number))
        text, closed = kept.text, kept.closed
    return Revision(
        context.id, number, text, closed, sealed, context.name, context.description,
        wanted.note, by, at,
    )  # fmt: skip


async def create(deps: Deps, caller: Caller, wanted: Draft, number: str = "") -> Context:
    """A new private context. Raises BadContext, BadInput, Exists.

    Who seals chooses its id before (``number``), since the envelope is bound to it.
    """
    if number and not re.fullmatch(ID, number):
        raise BadInput(["id: 32 hexadecimal digits in lower case, or leave it out"])
    id, now = number or uuid.uuid4().hex, deps.clock()

    async def write(tx: Tx) -> Context:
        circles, lower = await _ground(deps, tx, caller, wanted)
        held(wanted, circles.sites, lower, aad(id, 1))
        if await contexts.named(tx, id) is not None:
            raise Exists("context", id)
        if await contexts.count_of(tx, caller.account) >= MOST:
            raise BadInput([f"you have {MOST} contexts, which is as many as there may be"])
        made = Context(
            id, caller.account, caller.name, wanted.name.strip(), wanted.description, "private",
            "none", 0, 0, "", wanted.tags, wanted.site, wanted.role, wanted.template,
            wanted.envelope is not None, 1, now, now,
        )  # fmt: skip
        await contexts.add(tx, made)
        revision = _revision(deps, made, wanted, caller.name, now)
        await contexts.add_revision(tx, revision, caller.account)
        audit.note(tx, caller.name, "context.create", id, {"name": made.name}, at=now)
        return made

    return await deps.store.write(write)


async def _ground(deps: Deps, tx: Tx, caller: Caller, wanted: Draft) -> tuple[Circles, list[Layer]]:
    circles = await sight.circles_of(tx, caller)
    site = wanted.site if wanted.site in circles.sites else ""
    return circles, await layering.below(deps, tx, site, wanted.role, caller.account)


async def edit(
    deps: Deps, caller: Caller, context: str, started_from: int, wanted: Draft
) -> Context:
    """The next revision of a context, unless it is not the next of what the editor began with.

    `veil.MASK` in the document keeps the secret that was there. Raises NotFound, BadContext,
    BadInput, Overtaken.
    """
    now = deps.clock()

    async def write(tx: Tx) -> Context:
        old = (await sight.owned(tx, caller, context)).context
        if old.revision != started_from:
            raise Overtaken("context", context)
        if old.revision >= REVISIONS_MOST:
            raise BadInput(
                [f"it has {REVISIONS_MOST} revisions: go on with a copy (use as template)"]
            )
        draft = await _with_secrets(deps, tx, old, wanted)
        circles, lower = await _ground(deps, tx, caller, draft)
        held(draft, circles.sites | {old.site}, lower, aad(context, old.revision + 1))
        return await _next(deps, tx, caller, old, draft, now)

    return await deps.store.write(write)


async def _with_secrets(deps: Deps, tx: Tx, old: Context, wanted: Draft) -> Draft:
    """A draft in which masks became the secrets of the revision before."""
    if wanted.said is None:
        return wanted
    before = Said()
    found = await contexts.revision(tx, old.id, old.revision)
    if found is not None and not found.sealed:
        before = said_in(deps, found)
    return replace(wanted, said=unmasked(wanted.said, before))


def unmasked(said: Said, before: Said) -> Said:
    """What was said, with the secrets of before where masks stand. Raises BadContext."""
    if faults := shape(said.document):
        raise BadContext(faults)
    return replace(said, document=restored(said.document, before.document))


async def _next(
    deps: Deps, tx: Tx, caller: Caller, old: Context, wanted: Draft, now: float
) -> Context:
    new = replace(
        old, name=wanted.name.strip(), description=wanted.description, tags=wanted.tags,
        site=wanted.site, role=wanted.role, template=wanted.template,
        sealed=wanted.envelope is not None, revision=old.revision + 1, changed_at=now,
    )  # fmt: skip
    if new.sealed and old.visibility == "public":
        raise BadInput(["envelope: what is public is read by others; take it back first"])
    if not await contexts.step(tx, new, old.revision):
        raise Overtaken("context", old.id)
    revision = _revision(deps, new, wanted, caller.name, now)
    await contexts.add_revision(tx, revision, caller.account)
    told = {"revision": new.revision, "note": wanted.note}
    audit.note(tx, caller.name, "context.change", old.id, told, at=now)
    return new


async def clear(deps: Deps, caller: Caller, context: str, wanted: Draft) -> Draft:
    """A draft with the secrets of the latest revision where masks stand. Raises NotFound."""

    async def read(tx: Tx) -> Draft:
        seen = await sight.owned(tx, caller, context)
        return await _with_secrets(deps, tx, seen.context, wanted)

    return await deps.store.read(read)


async def restore(
    deps: Deps, caller: Caller, context: str, number: int, started_from: int
) -> Context:
    """An older revision becomes the next one. Raises NotFound, BadInput, Overtaken."""
    now = deps.clock()

    async def write(tx: Tx) -> Context:
        found = await sight.owned(tx, caller, context)
        old = await sight.revision_of(tx, found, number)
        if found.context.revision != started_from:
            raise Overtaken("context", context)
        if old.sealed:
            raise BadInput(
                ["it is sealed for its own number: open it with its secret, and save that anew"]
            )
        kept = found.context
        said = said_in(deps, old)
        wanted = Draft(
            old.name, old.description, kept.tags, said.site, said.role, kept.template, said,
            note=f"as in revision {number}",
        )  # fmt: skip
        return await _next(deps, tx, caller, kept, wanted, now)

    return await deps.store.write(write)


@dataclass(frozen=True)
class Start:
    """What a new context can begin with; what it says has no secrets."""

    name: str
    description: str
    tags: tuple[str, ...]
    site: str
    role: str
    said: Said


async def beginning(deps: Deps, caller: Caller, context: str, number: int = 0) -> Start:
    """A context that may be seen, as the beginning of another of one's own; secrets stay behind.

    Raises NotFound, and BadInput if it is sealed.
    """

    async def read(tx: Tx) -> Start:
        seen = await sight.seen(tx, caller, context)
        found = await sight.revision_of(tx, seen, number)
        if found.sealed:
            raise BadInput([SEALED])
        mine = {each.name for each in await contexts.of_owner(tx, caller.account)}
        bare = veil.bare(found.document)
        site = bare.site if seen.mine or seen.member else ""
        return Start(
            copied(found.name, mine), found.description, seen.context.tags, site, bare.role,
            replace(bare, document=stripped(bare.document)),
        )  # fmt: skip

    return await deps.store.read(read)


def copied(name: str, taken: set[str]) -> str:
    """The name of a copy: its number at the end goes up, or " (copy)" is put behind it."""
    found = re.fullmatch(r"(.*?)(\d{1,9})", name)
    if found is None:
        first = f"{name[: NAME_MOST - 7]} (copy)"
        return first if first not in taken else copied(f"{name[: NAME_MOST - 10]} (copy) 1", taken)
    stem, number = found[1], int(found[2]) + 1
    while f"{stem}{number}" in taken:
        number += 1
    return f"{stem}{number}"[:NAME_MOST]


def from_role(role: str) -> Start:
    """A role as a beginning: its fields come from its layer. Raises NotFound."""
    found = TEMPLATES.get(role)
    if found is None:
        raise NotFound("template", role[:40])
    return Start(found.title, found.summary, (), "", role, Said())


async def remove(deps: Deps, caller: Caller, context: str, *, anyway: bool = False) -> float:
    """Take a context away; until when it can be brought back. Raises NotFound, InUse."""
    now = deps.clock()

    async def write(tx: Tx) -> None:
        await sight.owned(tx, caller, context)
        machines = await contexts.machines(tx, context)
        if machines and not anyway:
            raise InUse(machines)
        await contexts.remove(tx, context, now)
        audit.note(tx, caller.name, "context.remove", context, {"machines": machines}, at=now)

    await deps.store.write(write)
    return now + GRACE_S


async def bring_back(deps: Deps, caller: Caller, context: str) -> Context:
    """Undo a removal. Raises NotFound."""
    now = deps.clock()

    async def write(tx: Tx) -> Sight:
        found = await sight.owned(tx, caller, context, removed=True)
        await contexts.remove(tx, context, None)
        audit.note(tx, caller.name, "context.bring-back", context, at=now)
        return found

    return replace((await deps.store.write(write)).context, removed_at=None)


async def purge(deps: Deps) -> None:
    """Forget what was removed long enough ago: a background duty."""
    before = deps.clock() - GRACE_S
    await deps.store.write(lambda tx: contexts.purge(tx, before))
