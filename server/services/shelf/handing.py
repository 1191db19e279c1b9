"""Contexts as pairing hands them to machines; satisfies `server.services.desk.Contexts`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from contexts.schema import Document
from server.db import contexts
from server.db.base import Tx
from server.db.contexts import Context
from server.domain.errors import NotFound
from server.services.deps import Deps
from server.services.desk import Chosen, Offer, Rendering
from server.services.shelf import library, pool, rendering, sight, veil

OFFERED_MOST = 200


@dataclass(frozen=True)
class Owner:
    """The account that a machine belongs to; what it may review gives machines nothing."""

    account: int
    name: str = ""
    role: str = "volunteer"


@dataclass(frozen=True)
class Shelf:
    """The contexts that machines can be given."""

    deps: Deps

    async def choose(self, account: int, context: str, revision: int) -> Chosen:
        """What an account may use; revision 0 is the newest. Raises NotFound."""
        owner, now = Owner(account), self.deps.clock()

        async def write(tx: Tx) -> Chosen:
            seen = await sight.seen(tx, owner, context)
            if seen.context.removed_at is not None:
                raise NotFound(sight.KIND, context)
            found = await sight.revision_of(tx, seen, revision)
            await contexts.used(tx, context, account, now)
            return Chosen(context, found.number, found.name)

        return await self.deps.store.write(write)

    async def render(self, context: str, revision: int, host: int) -> Rendering:
        """A revision made for a host, with its secrets. Raises NotFound, BadContext.

        What its owner may no longer see is not there for his machines either.
        """
        card = self.deps.registry.hosts.get(host)
        if card is None:
            raise NotFound("host", host)
        owner = Owner(card.account)
        machine = replace(
            pool.machine(self.deps),
            name=_label(card.name),
            number=host,
            cores=card.facts.cores,
            memory_mb=card.facts.memory_mb,
        )

        async def read(tx: Tx) -> tuple[Rendering, Document | None]:
            seen = await sight.seen(tx, owner, context)
            # What was chosen once stays with the machine, though others see a newer one by now.
            found = await contexts.revision(tx, context, revision or seen.revision)
            if found is None:
                raise NotFound("revision", revision)
            if found.sealed:
                sealed = json.dumps(veil.envelope(found.document)["user_data"])
                return Rendering(context, found.number, found.name, envelope=sealed), None
            whole = await rendering.resolved(self.deps, tx, seen, found)
            bare = Rendering(
                context, found.number, found.name, root_pubkeys=_root_keys(whole.document)
            )
            return bare, whole.document

        bare, document = await self.deps.store.read(read)
        if document is None:
            return bare
        made = await rendering.made_beside(self.deps, document, bare.revision, "mime", machine)
        return replace(bare, user_data=made.file("user-data").text)

    async def names(self, wanted: Sequence[str]) -> dict[str, str]:
        """The names of contexts by their ids."""

        async def read(tx: Tx) -> list[Context | None]:
            return [await contexts.named(tx, one) for one in dict.fromkeys(wanted)]

        found = await self.deps.store.read(read)
        return {each.id: each.name for each in found if each is not None}

    async def offered(self, account: int) -> list[Offer]:
        """What an account may give a machine: its own, shared and public; last used first."""
        owner, found = Owner(account), list[library.Listed]()
        for scope in ("mine", "shared", "public"):
            found += await library.search(self.deps, owner, scope)
        once = {each.context.id: each for each in reversed(found)}
        ranked = sorted(
            once.values(), key=lambda one: (-one.used_at, not one.mine, -one.context.changed_at)
        )
        return [_offer(each) for each in ranked[:OFFERED_MOST]]


def _offer(one: library.Listed) -> Offer:
    found = one.context
    owner = "" if one.mine else found.owner_name
    return Offer(found.id, one.revision, found.name, owner, found.changed_at, one.used_at > 0)


def _label(name: str) -> str:
    """A host's name as that of a machine (RFC 1123), or none."""
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name.lower())
    return kept.strip("-")[:63]


def _root_keys(document: Document) -> tuple[str, ...]:
    """The public keys that root is opened with."""
    keys = document.get("rootsshkeys", {}).get("keys", [])
    return tuple(str(key) for key in keys) if isinstance(keys, list) else ()
