"""Who else may use a context: a group, a site, or, once somebody has read it, everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contexts.hiding import secret_paths
from server.db import contexts
from server.db.base import Tx
from server.db.contexts import Context
from server.domain.errors import BadInput, Forbidden, NotFound, Refusal
from server.domain.roles import Caller, reaches
from server.services import audit
from server.services.deps import Deps
from server.services.shelf import keep, sight
from server.services.shelf.sight import REVIEWER

NAMES_MOST = 20
NOTE_MOST = 500


class HoldsSecrets(Refusal):
    """Everybody could read {paths}: take these secrets out, and publish it then."""

    code = "holds-secrets"
    paths: str

    def __init__(self, paths: Sequence[str]) -> None:
        """Where they stand."""
        super().__init__(paths=", ".join(paths))


class NotWaiting(Refusal):
    """Revision {revision} does not wait to be read any more; look at the list of what does."""

    code = "not-waiting"
    revision: int


@dataclass(frozen=True)
class Verdict:
    """What a reviewer says of a revision, and why."""

    revision: int
    listed: bool
    note: str = ""


async def share(
    deps: Deps, caller: Caller, context: str, visibility: str, names: Sequence[str] = ()
) -> Context:
    """Let nobody (private) or members of groups or sites use a context. Raises NotFound, BadInput.

    It is shared with circles of one's own alone. Machines that members start with it get its
    secrets. What was public is so no more; what became of that stays in its history.
    """
    if visibility not in ("private", "group", "site"):
        raise BadInput([f"visibility {visibility[:40]!r}: private, group or site; else publish it"])
    if (visibility == "private") == bool(names):
        raise BadInput([f"names: name {'none' if names else 'at least one'} with {visibility}"])
    if len(names) > NAMES_MOST:
        raise BadInput([f"names: at most {NAMES_MOST}"])
    now = deps.clock()

    async def write(tx: Tx) -> Context:
        await sight.owned(tx, caller, context)
        circles = await sight.circles_of(tx, caller)
        own = circles.groups if visibility == "group" else circles.sites
        strange = [name for name in names if name not in own]
        if strange:
            raise BadInput([f"{name[:80]!r}: no {visibility} of yours" for name in strange])
        await contexts.share(tx, context, visibility, names)
        await contexts.review(tx, context, "none", 0, 0, "")
        told = {"visibility": visibility, "names": sorted(names)}
        audit.note(tx, caller.name, "context.share", context, told, at=now)
        return await _again(tx, context)

    return await deps.store.write(write)


async def publish(deps: Deps, caller: Caller, context: str) -> Context:
    """Ask that everybody may use the latest revision, which somebody else has to read before.

    A revision that is listed stays so until the new one is. Raises NotFound, BadInput,
    HoldsSecrets.
    """
    now = deps.clock()

    async def write(tx: Tx) -> Context:
        found = (await sight.owned(tx, caller, context)).context
        revision = await contexts.revision(tx, context, found.revision)
        if revision is None:
            raise NotFound("revision", found.revision)
        if revision.sealed:
            raise BadInput(["it is sealed, and nobody could read it: publish an open copy"])
        if found.listed == found.revision:
            raise BadInput([f"revision {found.revision} is listed already"])
        if paths := secret_paths(keep.said_in(deps, revision).document):
            raise HoldsSecrets(paths)
        if found.visibility != "public":
            await contexts.share(tx, context, "public", ())
        await contexts.review(tx, context, "waiting", found.revision, found.listed, "")
        told = {"revision": found.revision}
        audit.note(tx, caller.name, "context.publish", context, told, at=now)
        return await _again(tx, context)

    return await deps.store.write(write)


async def withdraw(deps: Deps, caller: Caller, context: str) -> Context:
    """Take a public context back: its owner, or who reads for the pool. Raises NotFound."""
    now = deps.clock()

    async def write(tx: Tx) -> Context:
        seen = await sight.seen(tx, caller, context)
        if not (seen.mine or seen.reviews) or seen.context.visibility != "public":
            raise NotFound(sight.KIND, context)
        if seen.mine:
            await contexts.share(tx, context, "private", ())
            await contexts.review(tx, context, "none", 0, 0, "")
        else:
            note = f"taken back by {caller.name}"
            await contexts.review(tx, context, "refused", 0, 0, note)
        audit.note(tx, caller.name, "context.withdraw", context, at=now)
        return await _again(tx, context)

    return await deps.store.write(write)


async def review(deps: Deps, caller: Caller, context: str, verdict: Verdict) -> Context:
    """List a revision, or refuse it: never one's own. Raises NotFound, Forbidden, NotWaiting."""
    if not reaches(caller.role, REVIEWER):
        raise Forbidden(REVIEWER)
    note = verdict.note.strip()
    if not verdict.listed and not note:
        raise BadInput(["note: say why, so that its owner can mend it"])
    if len(note) > NOTE_MOST:
        raise BadInput([f"note: at most {NOTE_MOST} characters"])
    now = deps.clock()

    async def write(tx: Tx) -> Context:
        seen = await sight.seen(tx, caller, context)
        found = seen.context
        if seen.mine:
            raise Forbidden(f"{REVIEWER}, and somebody else than its owner")
        if found.review != "waiting" or found.proposed != verdict.revision:
            raise NotWaiting(verdict.revision)
        if verdict.listed:
            await contexts.review(tx, context, "listed", 0, verdict.revision, note)
        else:
            await contexts.review(tx, context, "refused", 0, found.listed, note)
        word = "list" if verdict.listed else "refuse"
        told = {"revision": verdict.revision, "note": note}
        audit.note(tx, caller.name, f"context.{word}", context, told, at=now)
        return await _again(tx, context)

    return await deps.store.write(write)


async def _again(tx: Tx, context: str) -> Context:
    found = await contexts.named(tx, context)
    if found is None:
        raise NotFound(sight.KIND, context)
    return found
