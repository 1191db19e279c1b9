"""Who may see which revision of a context, and who may change it.

A context that somebody may not see is not there for him: `NotFound`, like one that never was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from server.db import circles, contexts
from server.db.base import Tx
from server.db.contexts import Context, Revision
from server.domain.errors import NotFound
from server.domain.roles import Caller, reaches

REVIEWER = "operator"
"""The role from which a person reads what wants to be public."""
KIND = "context"


@dataclass(frozen=True)
class Circles:
    """The groups and sites that an account belongs to, and the sites that it runs."""

    groups: frozenset[str] = field(default_factory=frozenset)
    sites: frozenset[str] = field(default_factory=frozenset)
    runs: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Sight:
    """What somebody sees of a context.

    ``revision`` is the number that he is shown, ``all_of_them`` whether he may see every one.
    ``mine`` says that he owns it, ``member`` that it is shared with him, ``reviews`` that he may
    say whether it becomes public.
    """

    context: Context
    revision: int
    shares: tuple[str, ...]
    mine: bool
    member: bool = False
    reviews: bool = False

    def may_see(self, number: int) -> bool:
        """Whether a revision is for his eyes."""
        found = self.context
        return (
            self.mine
            or number == self.revision
            or (self.reviews and number in (found.proposed, found.listed))
        )


async def circles_of(tx: Tx, caller: Caller) -> Circles:
    """Where an account belongs to."""
    groups, sites, runs = await circles.of(tx, caller.account)
    return Circles(groups, sites | runs, runs)


async def seen(tx: Tx, caller: Caller, context: str) -> Sight:
    """A context as the caller may see it. Raises NotFound."""
    found = await contexts.named(tx, context)
    if found is None:
        raise NotFound(KIND, context)
    shares = await contexts.shares(tx, context)
    reads = reviews(caller, found)
    if found.owner == caller.account:
        return Sight(found, found.revision, shares, mine=True, reviews=reads)
    if found.removed_at is not None:
        raise NotFound(KIND, context)
    if found.visibility in ("group", "site") and shares:
        circle = await circles_of(tx, caller)
        theirs = circle.groups if found.visibility == "group" else circle.sites
        if theirs & set(shares):
            return Sight(found, found.revision, shares, False, member=True, reviews=reads)
    if reads and found.proposed:
        shown = await as_of(tx, found, found.proposed)
        return Sight(shown, found.proposed, (), False, reviews=True)
    if found.visibility == "public" and found.listed:
        shown = await as_of(tx, found, found.listed)
        return Sight(shown, found.listed, (), False, reviews=reads)
    raise NotFound(KIND, context)


async def as_of(tx: Tx, context: Context, number: int) -> Context:
    """A context under the name that it had in a revision: what was read is what all are shown."""
    if number == context.revision:
        return context
    old = await contexts.revision(tx, context.id, number)
    if old is None:
        return context
    return replace(context, name=old.name, description=old.description)


def reviews(caller: Caller, context: Context) -> bool:
    """Whether somebody may say of a context that it becomes public; nobody may of his own."""
    public = context.visibility == "public" and (context.proposed or context.listed)
    return bool(public) and reaches(caller.role, REVIEWER) and context.owner != caller.account


async def owned(tx: Tx, caller: Caller, context: str, *, removed: bool = False) -> Sight:
    """A context that the caller may change. Raises NotFound, also for one only shared with him."""
    sight = await seen(tx, caller, context)
    if not sight.mine or (sight.context.removed_at is not None) != removed:
        raise NotFound(KIND, context)
    return sight


async def revision_of(tx: Tx, sight: Sight, number: int = 0) -> Revision:
    """A revision that may be seen; 0 is the one shown. Raises NotFound."""
    wanted = number or sight.revision
    found = None
    if sight.may_see(wanted):
        found = await contexts.revision(tx, sight.context.id, wanted)
    if found is None:
        raise NotFound("revision", wanted)
    return found
