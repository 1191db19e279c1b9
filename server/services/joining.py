"""Accounts that people make for themselves: by an invitation, or freely where that is allowed."""

from __future__ import annotations

from dataclasses import dataclass

from server.db import accounts, credentials
from server.db.accounts import Account
from server.db.base import Tx
from server.domain.errors import BadInput, Exists, Forbidden
from server.domain.people import RESERVED, email_faults, full_name_faults, name_faults
from server.services import audit, links, people, roster, sessions
from server.services.deps import Deps
from server.services.sessions import Opened, Visit


@dataclass(frozen=True)
class Wish:
    """What somebody wants to be called, reached and let in by."""

    name: str
    password: str
    full_name: str = ""
    email: str = ""


def may_join(deps: Deps, invited: bool) -> bool:
    """Whether accounts are made here by people themselves."""
    signup = deps.doors.rules.signup
    return signup == "open" or (invited and signup == "invited")


async def join(deps: Deps, wish: Wish, visit: Visit, link: str = "", old: str = "") -> Opened:
    """A new account, and a session of it. Raises Forbidden, LinkOver, Exists, BadInput, TooMany."""
    if not may_join(deps, bool(link)):
        raise Forbidden("admin")
    invitation = await links.look(deps, link) if link else None
    if not link:
        deps.doors.try_rarely(deps.clock(), "join", visit.address, visit.address)
    email = wish.email.strip().lower()
    faults = name_faults(wish.name) + full_name_faults(wish.full_name.strip())
    faults += email_faults(email) if email else []
    if faults:
        raise BadInput(faults)
    if wish.name.lower() in RESERVED:
        raise Exists("account", wish.name)
    kept = await people.hashed(deps, wish.password, wish.name, email, wish.full_name)
    now = deps.clock()
    role = invitation.role if invitation else "volunteer"
    # Who came by a link that was mailed to this address has shown that it is his.
    checked = now if invitation and email and invitation.email == email else None

    async def write(tx: Tx) -> Opened:
        if link:
            await links.take(deps, tx, link, "invitation")
        number = await accounts.create(tx, wish.name, role, now)
        if number is None:
            raise Exists("account", wish.name)
        await _fill(tx, number, wish, email, checked)
        await credentials.set_password(tx, number, kept, now)
        how = f"invited by {invitation.made_by}" if invitation else "by oneself"
        audit.note(tx, wish.name, "account.join", wish.name, how, at=now, address=visit.address)
        account = Account(number, wish.name, role, now)
        if invitation:
            await roster.enter(tx, invitation, account, now)
        return await sessions.add(deps, tx, account, "new account", visit, old)

    opened = await deps.store.write(write)
    if email and checked is None and deps.doors.postman.works:
        made = await people.account_of(deps, wish.name)
        await people.set_profile(deps, made, wish.full_name, email)
    return opened


async def _fill(tx: Tx, account: int, wish: Wish, email: str, checked: float | None) -> None:
    await accounts.set_full_name(tx, account, wish.full_name.strip())
    if checked is not None and await accounts.of_email(tx, email) is not None:
        checked = None  # another account has it; this one is told nothing of that
    await accounts.set_email(tx, account, email, checked)
