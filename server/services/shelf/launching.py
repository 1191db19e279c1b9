"""A context with an enrolment token in its files, for machines that start with nobody at them."""

from __future__ import annotations

from dataclasses import replace

from contexts.render.gather import TOKEN
from server.domain.errors import BadInput
from server.domain.roles import Caller
from server.services import enrolments
from server.services.deps import Deps
from server.services.enrolments import Invitation
from server.services.shelf import library, pool, rendering
from server.services.shelf.rendering import Preview, Wish

NO_PLACE = (
    "enrol: nothing in these files takes a token of this pool; in the part agent switch it on, "
    "let it join by token, and name there neither a token nor another pool"
)


async def launch(
    deps: Deps, caller: Caller, context: str, number: int, wish: Wish, wanted: Invitation
) -> tuple[library.Opened, Preview, int]:
    """The files, and the id of the token in them, which is kept once they are made.

    Machines that join with it are the caller's and have this revision. Raises NotFound, BadInput,
    BadContext, Forbidden.
    """
    opened, whole = await rendering.whole_of(deps, caller, context, number)
    revision, text = opened.revision, enrolments.new_text(deps.desk.release())
    clear = wish.secrets and opened.sight.mine
    machine = replace(pool.machine(deps), token=text)
    made = await rendering.shown_beside(deps, whole, revision.number, wish, machine, clear=clear)
    if TOKEN not in made.secrets:
        raise BadInput([NO_PLACE])
    note = wanted.note or f"start of {revision.name}, revision {revision.number}"
    asked = replace(wanted, context=context, revision=revision.number, note=note[:200])
    token = await enrolments.keep(deps, caller, text, asked)
    if clear and len(made.secrets) > 1:
        await library.note_reading(deps, caller, context, revision.number)
    return opened, made, token
