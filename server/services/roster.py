"""Many people invited by one file: all of them or none, with their groups and sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.db import accounts, sites
from server.db import groups as group_rows
from server.db import links as link_rows
from server.db.accounts import Account
from server.db.base import Tx
from server.db.links import Link
from server.domain import roster
from server.domain.errors import Forbidden
from server.domain.roles import reaches
from server.domain.roster import Newcomer, fault
from server.services import audit, groups, links, stewards
from server.services.deps import Deps

BRINGS = "admin"
"""The role that invites by a file: it puts people into groups and says who runs a site."""


@dataclass(frozen=True)
class Brought:
    """Somebody of the file; ``url`` is his invitation, told once; "" if it was only looked at."""

    line: int
    full_name: str
    email: str
    role: str
    groups: list[str]
    site: str
    url: str = ""
    mailed: bool = False


async def bring(
    deps: Deps, by: str, by_role: str, text: str, *, only_look: bool = False
) -> list[Brought]:
    """Invite everybody in a CSV file; if anything in it is wrong, nobody.

    ``only_look`` checks it, and invites nobody either. Raises BadInput, Forbidden.
    """
    if not reaches(by_role, BRINGS):
        raise Forbidden(BRINGS)
    people = roster.read(text)
    now, life = deps.clock(), deps.doors.rules.invitation_s

    async def write(tx: Tx) -> list[Brought]:
        known = await _checked(tx, people, now)
        if only_look:
            return [_brought(one) for one in people]
        found = []
        for one in people:
            made = await links.add(deps, tx, "invitation", life, by, None, one.email, one.role,
                                   _note(one))  # fmt: skip
            numbers = [known.groups[name] for name in one.groups]
            await link_rows.bring(tx, made.id, one.full_name, numbers, known.sites.get(one.site))
            audit.note(tx, by, "invitation.make", str(made.id), f"{one.role} {one.email}", at=now)
            found.append(_brought(one, made.url, deps.doors.postman.works))
        audit.note(tx, by, "account.import", "", f"{len(people)} invited by a file", at=now)
        return found

    found = await (deps.store.read if only_look else deps.store.write)(write)
    for one in found if deps.doors.postman.works and not only_look else ():
        deps.doors.postman.later(links.invitation_letter(deps, one.email, by, one.url))
    return found


async def enter(tx: Tx, invitation: Link, account: Account, at: float) -> None:
    """Put a new account where its invitation says, in this transaction."""
    numbers = await link_rows.groups_of(tx, invitation.id)
    by = invitation.made_by
    await groups.enter(tx, await group_rows.numbered(tx, numbers), account, by, at)
    for site in await sites.everyone(tx) if invitation.site else ():
        if site.id == invitation.site:
            await stewards.enter(tx, site, account, by, at)


@dataclass(frozen=True)
class _Known:
    """What the file may name, by name."""

    groups: dict[str, int]
    sites: dict[str, int]


async def _checked(tx: Tx, people: Sequence[Newcomer], now: float) -> _Known:
    """All groups and sites, if what the file says fits what there is. Raises BadInput."""
    known = _Known(
        {each.name: each.id for each in await group_rows.everyone(tx)},
        {each.name: each.id for each in await sites.everyone(tx)},
    )
    has = {each.email: each.name for each in await accounts.everyone(tx) if each.email_checked_at}
    asked = {each.email for each in await link_rows.invitations(tx, now)}
    faults = []
    for one in people:
        if one.email in has:
            faults.append(fault(one.line, "email", f"{one.email} has the account {has[one.email]}"))
        if one.email in asked:
            told = f"{one.email} is invited already; revoke that invitation or leave the line out"
            faults.append(fault(one.line, "email", told))
        faults += [
            fault(one.line, "groups", f"there is no group {name}; make it first")
            for name in one.groups
            if name not in known.groups
        ]
        if one.site and one.site not in known.sites:
            faults.append(
                fault(one.line, "site", f"there is no site {one.site}; a token makes one")
            )
    roster.complain(faults)
    return known


def _brought(one: Newcomer, url: str = "", mailed: bool = False) -> Brought:
    return Brought(
        one.line, one.full_name, one.email, one.role, list(one.groups), one.site, url, mailed
    )


def _note(one: Newcomer) -> str:
    """For administrators that look at the invitation."""
    parts = [one.full_name, *one.groups, f"runs {one.site}" if one.site else ""]
    return ", ".join(part for part in parts if part)[:200]
