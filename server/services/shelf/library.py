"""Contexts found and looked at: one's own, those shared with one, and those for everybody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from contexts.diff import Change, diff
from contexts.hiding import hidden
from server.db import contexts
from server.db.base import Tx
from server.db.contexts import Context, Revision
from server.domain.errors import BadInput
from server.domain.roles import Caller
from server.services import audit
from server.services.deps import Deps
from server.services.shelf import keep, sight, veil
from server.services.shelf.sight import Sight
from server.services.shelf.veil import Said

SCOPES = ("mine", "shared", "public", "templates", "review", "removed")
MOST = 500
REVISIONS_SHOWN = 200


@dataclass(frozen=True)
class Listed:
    """A context in a list. ``uses`` counts how often it was taken, ``machines`` who has it now."""

    context: Context
    revision: int
    mine: bool
    shares: tuple[str, ...] = ()
    uses: int = 0
    machines: int = 0
    used_at: float = 0.0


@dataclass(frozen=True)
class Opened:
    """A revision of a context as somebody sees it.

    ``said`` has masks for secrets unless its owner asked for them; ``envelope`` is there instead
    if it is sealed.
    """

    sight: Sight
    revision: Revision
    said: Said
    envelope: Mapping[str, Any] | None = None
    uses: int = 0
    machines: int = 0

    @property
    def context(self) -> Context:
        """The context."""
        return self.sight.context


@dataclass(frozen=True)
class Words:
    """What is looked for: all of ``every``, one of ``some`` tags, none of ``no`` tags."""

    every: tuple[str, ...] = ()
    some: frozenset[str] = field(default_factory=frozenset)
    no: frozenset[str] = field(default_factory=frozenset)

    def fit(self, found: Context) -> bool:
        """Whether a context is looked for."""
        tags = frozenset(found.tags)
        text = " ".join((found.name, found.description, found.owner_name, found.id, *found.tags))
        known = text.casefold()
        return (
            all(word in known for word in self.every)
            and (not self.some or bool(self.some & tags))
            and not self.no & tags
        )


def words(text: str) -> Words:
    """``squid cern +proxy -old``: words that all stand in it, tags of which one, or none, does."""
    every, some, no = [], set(), set()
    for word in text[:400].casefold().split():
        if re.fullmatch(r"\+[a-z0-9-]+", word):
            some.add(word[1:])
        elif re.fullmatch(r"-[a-z0-9-]+", word):
            no.add(word[1:])
        else:
            every.append(word)
    return Words(tuple(every), frozenset(some), frozenset(no))


async def search(deps: Deps, caller: Caller, scope: str, text: str = "") -> list[Listed]:
    """The contexts of a scope that fit, those used or changed last first. Raises BadInput."""
    if scope not in SCOPES:
        raise BadInput([f"scope {scope[:40]!r}: must be one of {', '.join(SCOPES)}"])
    wanted = words(text)

    async def read(tx: Tx) -> list[Listed]:
        found = [each for each in await _scope(tx, caller, scope) if wanted.fit(each)]
        uses, used = await contexts.times_used(tx), await contexts.last_used(tx, caller.account)
        machines = await contexts.machines_of_all(tx)
        made = []
        for latest in found:
            mine = latest.owner == caller.account
            number = _shown(latest, scope, mine=mine)
            each = await sight.as_of(tx, latest, number)
            shares = await contexts.shares(tx, each.id) if mine else ()
            made.append(
                Listed(
                    each, number, mine, shares, uses.get(each.id, 0),
                    machines.get(each.id, 0) if mine else 0, used.get(each.id, 0.0),
                )
            )  # fmt: skip
        return made

    return await deps.store.read(read)


def _shown(found: Context, scope: str, *, mine: bool) -> int:
    """The number of the revision that a list speaks of."""
    if scope == "review":
        return found.proposed
    return found.listed if found.visibility == "public" and not mine else found.revision


async def _scope(tx: Tx, caller: Caller, scope: str) -> Iterable[Context]:
    if scope == "mine":
        return await contexts.of_owner(tx, caller.account)
    if scope == "removed":
        return await contexts.removed_of(tx, caller.account)
    if scope == "public":
        return await contexts.public(tx, MOST)
    if scope == "review":
        waiting = await contexts.waiting(tx, MOST)
        account = caller.account
        return [one for one in waiting if one.owner == account or sight.reviews(caller, one)]
    circles = await sight.circles_of(tx, caller)
    shared = await contexts.shared_with(tx, circles.groups, circles.sites, MOST)
    if scope == "shared":
        return [each for each in shared if each.owner != caller.account]
    every = [
        *await contexts.of_owner(tx, caller.account),
        *shared,
        *await contexts.public(tx, MOST),
    ]
    once = {each.id: each for each in every if each.template and not each.sealed}
    return once.values()


async def show(
    deps: Deps, caller: Caller, context: str, number: int = 0, *, secrets: bool = False
) -> Opened:
    """A revision; with its secrets in clear if its owner asks for them. Raises NotFound."""

    async def read(tx: Tx) -> Opened:
        seen = await sight.seen(tx, caller, context)
        found = await sight.revision_of(tx, seen, number)
        uses = (await contexts.times_used(tx, context)).get(context, 0)
        machines = await contexts.machines(tx, context) if seen.mine else 0
        if found.sealed:
            return Opened(seen, found, Said(), veil.envelope(found.document), uses, machines)
        said = veil.bare(found.document)
        if secrets and seen.mine:
            said = keep.said_in(deps, found)
        return Opened(seen, found, said, None, uses, machines)

    opened = await deps.store.read(read)
    if secrets and opened.sight.mine and opened.revision.secrets is not None:
        await note_reading(deps, caller, context, opened.revision.number)
    return opened


async def note_reading(deps: Deps, caller: Caller, context: str, number: int) -> None:
    """Note that somebody has looked at the secrets of a revision."""
    now = deps.clock()

    async def write(tx: Tx) -> None:
        told = {"revision": number}
        audit.note(tx, caller.name, "context.read-secrets", context, told, at=now)

    await deps.store.write(write)


async def history(deps: Deps, caller: Caller, context: str) -> tuple[Sight, list[Revision]]:
    """The revisions that the caller may see, newest first. Raises NotFound."""

    async def read(tx: Tx) -> tuple[Sight, list[Revision]]:
        seen = await sight.seen(tx, caller, context)
        found = await contexts.revisions(tx, context, REVISIONS_SHOWN)
        return seen, [each for each in found if seen.may_see(each.number)]

    return await deps.store.read(read)


async def compare(deps: Deps, caller: Caller, context: str, old: int, new: int) -> list[Change]:
    """What differs between two revisions, without showing a secret. Raises NotFound, BadInput."""

    async def read(tx: Tx) -> list[Change]:
        seen = await sight.seen(tx, caller, context)
        one, other = [await sight.revision_of(tx, seen, number) for number in (old, new)]
        before, after = keep.said_in(deps, one), keep.said_in(deps, other)
        return [*_heads(one, other), *diff(before.document, after.document), *_less(before, after)]

    return await deps.store.read(read)


def _heads(one: Revision, other: Revision) -> list[Change]:
    pairs = (("name", one.name, other.name), ("description", one.description, other.description))
    return [Change(path, was, now) for path, was, now in pairs if was != now]


def _less(before: Said, after: Said) -> list[Change]:
    was, now = list(before.without), list(after.without)
    return [Change("(parts of defaults left out)", was, now)] if was != now else []


async def used(deps: Deps, caller: Caller, context: str) -> None:
    """Note that somebody has taken a context: it comes first in his lists. Raises NotFound."""
    now = deps.clock()

    async def write(tx: Tx) -> None:
        await sight.seen(tx, caller, context)
        await contexts.used(tx, context, caller.account, now)

    await deps.store.write(write)


async def recent(deps: Deps, caller: Caller, most: int = 5) -> list[Listed]:
    """The definitions that somebody used or changed last."""
    found = await search(deps, caller, "mine")
    return sorted(found, key=lambda one: -max(one.used_at, one.context.changed_at))[:most]


def masked(said: Said) -> Said:
    """The same with masks for secrets."""
    return replace(said, document=hidden(said.document))
