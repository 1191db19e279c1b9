"""Contexts that only who has their secret can open: sealed here, once, for who asks for it.

Better is to seal where one types (`windfall context create --seal`): then the server never sees
secret or text. Here it sees both while it seals, and keeps the envelopes alone: one with the user
data for machines, one with the document for whoever edits it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from contexts import envelope
from server.db.contexts import Context
from server.domain.errors import BadInput, Refusal
from server.domain.roles import Caller
from server.services.deps import Deps
from server.services.shelf import keep, pool, rendering, veil
from server.services.shelf.draft import Draft
from server.services.shelf.library import Opened
from server.services.shelf.veil import Said

SECRET_LEAST = 8


class SecretsDiffer(Refusal):
    """Type the same secret twice, of at least {least} characters."""

    code = "secrets-differ"
    least: int

    def __init__(self) -> None:
        """Nobody could open what was sealed with a slip."""
        super().__init__(least=SECRET_LEAST)


async def create(deps: Deps, caller: Caller, draft: Draft, secret: str, again: str) -> Context:
    """A new context, sealed if a secret is given. Raises SecretsDiffer, and as `keep.create`."""
    if not secret and not again:
        return await keep.create(deps, caller, draft)
    id = uuid.uuid4().hex
    sealed = await _sealed(deps, caller, draft, _held(secret, again), id, 1)
    return await keep.create(deps, caller, sealed, id)


async def edit(
    deps: Deps, caller: Caller, context: str, started_from: int, draft: Draft, secret: str,
    again: str, *, sealed: bool,
) -> Context:  # fmt: skip
    """The next revision, sealed if a secret is given or it was before.

    Raises SecretsDiffer, and as `keep.edit`.
    """
    if not (secret or again or sealed):
        return await keep.edit(deps, caller, context, started_from, draft)
    held = _held(secret, again)
    clear = await keep.clear(deps, caller, context, draft)
    wanted = await _sealed(deps, caller, clear, held, context, started_from + 1)
    return await keep.edit(deps, caller, context, started_from, wanted)


def _held(secret: str, again: str) -> str:
    if secret != again or len(secret) < SECRET_LEAST:
        raise SecretsDiffer
    return secret


async def _sealed(
    deps: Deps, caller: Caller, draft: Draft, secret: str, context: str, revision: int
) -> Draft:
    said = replace(draft.said or Said(), site=draft.site, role=draft.role)
    whole = await rendering.checked(deps, caller, said)
    machine = pool.machine(deps)
    files = await rendering.made_beside(deps, whole.document, revision, "mime", machine)
    user_data = files.file("user-data").text
    aad = keep.aad(context, revision)
    # Some tenths of a second of scrypt each: beside the loop.
    made = await asyncio.to_thread(seal, user_data, veil.text_of(said), secret, aad)
    return replace(draft, said=None, envelope=made)


def seal(user_data: str, source: str, secret: str, aad: str) -> dict[str, Any]:
    """Both envelopes: what machines are given, and what is edited."""
    return {
        "user_data": envelope.seal(user_data, secret, aad),
        "source": envelope.seal(source, secret, f"{aad}:source"),
    }


def unseal(found: Mapping[str, Any], secret: str, aad: str) -> Said:
    """What is edited. Raises BadInput."""
    try:
        text = envelope.open_(found["source"], secret, f"{aad}:source")
    except (ValueError, KeyError) as error:
        raise BadInput(["this secret does not open it: try again"]) from error
    return veil.bare(text)


async def opened(found: Opened, secret: str) -> Said:
    """What stands in a sealed revision. Raises BadInput."""
    if found.envelope is None:
        return found.said
    aad = keep.aad(found.context.id, found.revision.number)
    return await asyncio.to_thread(unseal, found.envelope, secret, aad)
