"""Who runs a site: named by operators, at home there alone, and nowhere else.

Whoever runs a site sees and switches it, looks after its machines and enrolment tokens, puts
machines into it and sets its defaults of contexts. Operators may do so (but for the defaults) of
every site.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.db import accounts, sites, stewards
from server.db.accounts import Account
from server.db.base import Tx
from server.db.sites import Site
from server.domain.errors import Forbidden, NotFound, Refusal
from server.domain.roles import Caller, reaches
from server.services import audit
from server.services.deps import Deps

NAMES = "operator"
"""The role that runs every site, and says who runs which."""
LEAST = "institute"
"""The role that somebody has at least who runs a site; who has less is given it."""


class NotYourSite(Refusal):
    """The site {site} is not run by you; ask an operator, who says who runs which site."""

    code = "not-your-site"
    site: str


@dataclass(frozen=True)
class StewardView:
    """Somebody who runs a site."""

    name: str
    full_name: str
    since: float


async def may_run(tx: Tx, account: int, role: str, site: int) -> bool:
    """Whether somebody may run a site; 0 is none."""
    if reaches(role, NAMES):
        return True
    return site != 0 and reaches(role, LEAST) and await stewards.runs(tx, account, site)


async def admit(tx: Tx, account: int, role: str, name: str) -> Site:
    """The site of this name, for who may run it.

    Raises NotYourSite, the same for one that never was; NotFound for those who may run all.
    """
    found = await sites.named(tx, name)
    if found is not None and await may_run(tx, account, role, found.id):
        return found
    if found is None and reaches(role, NAMES):
        raise NotFound("site", name[:64])
    raise NotYourSite(name[:64])


async def names(deps: Deps, caller: Caller) -> list[str]:
    """The sites that somebody may run, by name."""
    every = deps.registry.sites.values()
    if not reaches(caller.role, NAMES):
        if not reaches(caller.role, LEAST):
            return []
        own = await deps.store.read(lambda tx: stewards.sites_of(tx, caller.account))
        every = [site for site in every if site.id in own]  # type: ignore[assignment]
    return sorted(site.name for site in every)


async def admitted(deps: Deps, caller: Caller, name: str) -> Site:
    """As `admit`, in a transaction of its own."""
    return await deps.store.read(lambda tx: admit(tx, caller.account, caller.role, name))


async def listed(deps: Deps, caller: Caller, name: str) -> list[StewardView]:
    """Who runs a site, for those who may. Raises NotYourSite, NotFound."""

    async def read(tx: Tx) -> list[StewardView]:
        found = await admit(tx, caller.account, caller.role, name)
        every = await stewards.of_site(tx, found.id)
        return [StewardView(one.name, one.full_name, one.added_at) for one in every]

    return await deps.store.read(read)


async def add(deps: Deps, caller: Caller, name: str, whom: str) -> None:
    """Let somebody run a site. Raises NotYourSite, NotFound, Forbidden."""
    if not reaches(caller.role, NAMES):
        raise Forbidden(NAMES)
    now = deps.clock()

    async def write(tx: Tx) -> None:
        found = await admit(tx, caller.account, caller.role, name)
        other = await accounts.named(tx, whom)
        if other is None:
            raise NotFound("account", whom[:64])
        await enter(tx, found, other, caller.name, now)

    await deps.store.write(write)


async def enter(tx: Tx, site: Site, account: Account, by: str, at: float) -> None:
    """Let an account run a site, in this transaction; a volunteer is of the institute then."""
    if not reaches(account.role, LEAST) and await accounts.set_role(tx, account.id, LEAST):
        audit.note(tx, by, "account.role", account.name, f"{account.role} to {LEAST}", at=at)
    if await stewards.add(tx, site.id, account.id, at):
        audit.note(tx, by, "site.admin-add", site.name, account.name, at=at)


async def drop(deps: Deps, caller: Caller, name: str, whom: str) -> None:
    """Let somebody run a site no longer, at once. Raises NotYourSite, NotFound, Forbidden."""
    if not reaches(caller.role, NAMES):
        raise Forbidden(NAMES)
    now = deps.clock()

    async def write(tx: Tx) -> None:
        found = await admit(tx, caller.account, caller.role, name)
        other = await accounts.named(tx, whom)
        if other is None or not await stewards.drop(tx, found, other.id, now):
            raise NotFound("administrator", whom[:64])
        audit.note(tx, caller.name, "site.admin-drop", name, whom, at=now)

    await deps.store.write(write)


async def leave_all(tx: Tx, account: Account, by: str, at: float) -> None:
    """Let an account run no site any more, in this transaction: its role does not reach so far."""
    for site in await sites.everyone(tx):
        if await stewards.drop(tx, site, account.id, at):
            audit.note(tx, by, "site.admin-drop", site.name, account.name, at=at)
