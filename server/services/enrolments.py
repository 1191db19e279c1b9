"""Enrolment tokens of one's own: machines that start without a person at them join with one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from server.db import accounts, enrolments, sites
from server.db.base import Tx
from server.db.enrolments import Enrolment
from server.domain.errors import BadInput, NotFound
from server.domain.farm import check_name
from server.domain.pairing import read_networks
from server.domain.roles import Caller
from server.services import audit, stewards
from server.services.deps import Deps
from server.services.desk import Chosen
from server.services.enrol import digest_of

OPEN_MOST = 50  # tokens of one account that are good at a time
DAYS_MOST = 366.0
DAY_S = 86_400.0


@dataclass(frozen=True)
class Invitation:
    """What a token is good for: so many machines, until when, in which site, with what context.

    ``networks`` are those that machines may come from (CIDR, commas or blanks between); "" is all.
    """

    uses: int = 1
    expires_s: float = DAY_S
    note: str = ""
    site: str = ""
    context: str = ""
    revision: int = 0
    networks: str = ""


@dataclass(frozen=True)
class EnrolmentView:
    """A token without its text; ``state`` is open, used up, expired or revoked."""

    id: int
    state: str
    uses_left: int
    hosts: int
    created_at: float
    expires_at: float | None
    note: str
    site: str
    context_id: str
    revision: int
    context_name: str
    networks: str
    account: str = ""


async def create(deps: Deps, caller: Caller, kid: str, wanted: Invitation) -> tuple[int, str]:
    """A token's id and its text, told once; ``kid`` is the release key agents shall expect.

    Raises BadInput, Forbidden, NotFound.
    """
    text = new_text(kid)
    return await keep(deps, caller, text, wanted), text


def new_text(kid: str) -> str:
    """A token; it opens nothing before it is kept."""
    return f"wf1.{secrets.token_urlsafe(32)}.{kid}"


async def keep(deps: Deps, caller: Caller, text: str, wanted: Invitation) -> int:
    """The id of a token, which opens from now on. Raises BadInput, Forbidden, NotFound."""
    networks = read_networks(wanted.networks)
    _check(deps, wanted)
    chosen = Chosen("", 0, "")
    if wanted.context:
        if deps.desk.contexts is None:
            raise NotFound("context", wanted.context[:40])
        chosen = await deps.desk.contexts.choose(caller.account, wanted.context, wanted.revision)
    now = deps.clock()

    async def write(tx: Tx) -> int:
        live = [one for one in await enrolments.of_account(tx, caller.account)
                if state_of(one, now) == "open"]  # fmt: skip
        if len(live) >= OPEN_MOST:
            raise BadInput([f"tokens: {len(live)} are open, and no more may be; revoke some"])
        end = now + wanted.expires_s
        token = await accounts.add_token(
            tx, caller.account, "enrol", digest_of(text), wanted.uses, now, end, wanted.note
        )
        await accounts.limit_token(tx, token, chosen.id, chosen.revision, networks)
        if wanted.site:
            place = await stewards.admit(tx, caller.account, caller.role, wanted.site)
            await sites.bind_token(tx, token, place.id)
        told = f"{wanted.uses} uses, networks {networks or 'any'}"
        audit.note(tx, caller.name, "enrolment.create", str(token), told, at=now)
        return token

    return await deps.store.write(write)


def _check(deps: Deps, wanted: Invitation) -> None:
    faults = []
    if wanted.site:
        check_name(wanted.site)
    if not 1 <= wanted.uses <= deps.limits.hosts_per_token:
        faults.append(f"uses {wanted.uses}: must be 1 to {deps.limits.hosts_per_token}")
    if not 60 <= wanted.expires_s <= DAYS_MOST * DAY_S:
        faults.append(f"expires_s {wanted.expires_s:g}: from a minute to {DAYS_MOST:g} days")
    if len(wanted.note) > 200 or not wanted.note.isprintable():
        faults.append("note: at most 200 printable characters")
    if faults:
        raise BadInput(faults)


async def mine(deps: Deps, caller: Caller) -> list[EnrolmentView]:
    """The tokens of an account, newest first."""
    return await _shown(
        deps, await deps.store.read(lambda tx: enrolments.of_account(tx, caller.account))
    )


async def of_site(deps: Deps, caller: Caller, name: str) -> list[EnrolmentView]:
    """The tokens by which machines join a site, whoever made them, newest first.

    Raises NotYourSite, NotFound.
    """

    async def read(tx: Tx) -> list[Enrolment]:
        site = await stewards.admit(tx, caller.account, caller.role, name)
        return await enrolments.of_site(tx, site.id)

    return await _shown(deps, await deps.store.read(read))


async def _shown(deps: Deps, found: Sequence[Enrolment]) -> list[EnrolmentView]:
    now = deps.clock()
    names: dict[str, str] = {}
    wanted = sorted({one.context for one in found if one.context})
    if wanted and deps.desk.contexts is not None:
        names = await deps.desk.contexts.names(wanted)
    return [
        EnrolmentView(
            one.id, state_of(one, now), one.uses_left, one.hosts, one.created_at, one.expires_at,
            one.note, deps.registry.site_name(one.site), one.context, one.revision,
            names.get(one.context, ""), one.networks, one.account,
        )
        for one in found
    ]  # fmt: skip


def state_of(one: Enrolment, now: float) -> str:
    """What a token still is."""
    if one.revoked_at is not None:
        return "revoked"
    if one.expires_at is not None and one.expires_at <= now:
        return "expired"
    return "open" if one.uses_left > 0 else "used up"


async def revoke(deps: Deps, caller: Caller, token: int, site: str = "") -> None:
    """A token opens nothing any more; the machines that joined with it stay.

    It is one of one's own, or of a ``site`` that one runs. Raises NotFound, NotYourSite.
    """
    now = deps.clock()

    async def write(tx: Tx) -> bool:
        if site:
            place = await stewards.admit(tx, caller.account, caller.role, site)
            found = await enrolments.revoke_of_site(tx, token, place.id, now)
        else:
            found = await enrolments.revoke(tx, token, caller.account, now)
        if found:
            audit.note(tx, caller.name, "enrolment.revoke", str(token), site, at=now)
        return found

    if not await deps.store.write(write):
        raise NotFound("token", token, "issued-token-unknown")
