"""People: their passwords, profiles and standing, changed by themselves or by administrators."""

from __future__ import annotations

from server.db import accounts, credentials, sessions
from server.db.accounts import Account
from server.db.base import Tx
from server.db.credentials import Credentials
from server.domain.errors import BadInput, NotFound
from server.domain.people import email_faults, full_name_faults, password_faults
from server.domain.roles import ROLES, reaches
from server.services import audit, links, signin, stewards
from server.services.deps import Deps
from server.services.links import Made
from server.services.postman import Letter
from server.services.sessions import Visit


async def account_of(deps: Deps, name: str) -> Account:
    """The account of this name. Raises NotFound."""
    found = await deps.store.read(lambda tx: accounts.named(tx, name))
    if found is None:
        raise NotFound("account", name)
    return found


async def credentials_of(deps: Deps, account: Account) -> Credentials:
    """What an account is logged in to with."""
    return await deps.store.read(lambda tx: credentials.of(tx, account.id))


async def set_password(
    deps: Deps, account: Account, password: str, by: str, session: int = 0
) -> None:
    """Give an account a new password; its sessions end, but this one. Raises BadInput."""
    kept = await hashed(deps, password, account.name, account.email, account.full_name)
    now = deps.clock()

    async def write(tx: Tx) -> None:
        await store_password(tx, account, kept, by, now, session)

    await deps.store.write(write)
    deps.doors.throttle.forget(f"account {account.name.lower()}")


async def store_password(
    tx: Tx, account: Account, kept: str, by: str, now: float, session: int = 0
) -> None:
    """Store a hash in this transaction; whoever was in by the old password is out."""
    await credentials.set_password(tx, account.id, kept, now)
    ended = await sessions.end_all(tx, account.id, now, session)
    audit.note(tx, by, "account.password", account.name, f"{ended} sessions ended", at=now)


async def change_password(
    deps: Deps, account: Account, old: str, new: str, visit: Visit, session: int = 0
) -> None:
    """A new password for who knows the old one, or for who never had any.

    Raises SignInRefused, TooMany, BadInput.
    """
    await prove(deps, account, old, visit)
    await set_password(deps, account, new, account.name, session)


async def prove(deps: Deps, account: Account, password: str, visit: Visit) -> None:
    """Be sure that it is the owner who asks. Raises SignInRefused, TooMany."""
    kept = await credentials_of(deps, account)
    if kept.password:
        await signin.proved(deps, account, account.name, kept, password, visit)


async def hashed(deps: Deps, password: str, *known: str) -> str:
    """What is kept of a password that may be one. Raises BadInput."""
    faults = password_faults(password, deps.doors.rules.password_least, *known)
    if faults:
        raise BadInput(faults)
    return await deps.doors.passwords.hash(password)


async def reset_link(deps: Deps, account: Account, by: str) -> Made:
    """A link that sets a new password, to be told to its owner by who asked for it."""
    life = deps.doors.rules.reset_s

    async def write(tx: Tx) -> Made:
        made = await links.add(deps, tx, "reset", life, by, account)
        audit.note(tx, by, "account.reset-link", account.name, at=deps.clock())
        return made

    return await deps.store.write(write)


async def mail_reset(deps: Deps, name: str, visit: Visit) -> None:
    """Mail such a link to the checked address of an account, if there is one; say nothing of it.

    Raises TooMany, by what was typed, whoever that is.
    """
    name = name.strip()[:254]
    deps.doors.try_rarely(deps.clock(), "mail", name, visit.address)

    async def read(tx: Tx) -> Account | None:
        return await (accounts.of_email if "@" in name else accounts.named)(tx, name)

    found = await deps.store.read(read)
    can = found is not None and found.state == "active" and found.email_checked_at is not None
    if found is None or not can or not deps.doors.postman.works:
        return
    made = await reset_link(deps, found, found.name)
    deps.doors.postman.later(
        Letter(
            found.email,
            "A new password for Windfall",
            f"Somebody, probably you, asked for a new password of the account {found.name}.\n\n"
            f"This link sets one, and is good once and for "
            f"{deps.doors.rules.reset_s / 60:.0f} minutes:\n\n{made.url}\n\n"
            "If it was not you, do nothing: without the link nothing changes.\n",
        )
    )


async def reset_password(deps: Deps, text: str, password: str) -> Account:
    """Set a new password by a link. Raises LinkOver, BadInput; the account."""
    link = await links.look(deps, text)
    account = await deps.store.read(lambda tx: accounts.of_id(tx, link.account or 0))
    if account is None:
        raise NotFound("account", link.account or 0)
    kept = await hashed(deps, password, account.name, account.email, account.full_name)
    now = deps.clock()

    async def write(tx: Tx) -> None:
        await links.take(deps, tx, text, "reset")
        await store_password(tx, account, kept, account.name, now)

    await deps.store.write(write)
    deps.doors.throttle.forget(f"account {account.name.lower()}")
    return account


async def set_profile(deps: Deps, account: Account, full_name: str, email: str) -> bool:
    """Change how somebody is called and reached; whether a mail goes out to check the address.

    Until then the address opens nothing, and the old one no longer. Raises BadInput, TooMany.
    """
    full_name, email = full_name.strip(), email.strip().lower()
    faults = full_name_faults(full_name) + (email_faults(email) if email else [])
    if faults:
        raise BadInput(faults)
    now, moved = deps.clock(), email != account.email
    asks = bool(email) and (moved or account.email_checked_at is None)
    mails = asks and deps.doors.postman.works
    if mails:
        deps.doors.try_rarely(now, "check", account.name, account.name)

    async def write(tx: Tx) -> Made | None:
        await accounts.set_full_name(tx, account.id, full_name)
        if moved:
            await accounts.set_email(tx, account.id, email, None)
        audit.note(tx, account.name, "account.profile", account.name,
                   f"address {email or 'none'}" if moved else "", at=now)  # fmt: skip
        if not mails:
            return None
        life = deps.doors.rules.reset_s
        return await links.add(deps, tx, "email", life, account.name, account, email)

    made = await deps.store.write(write)
    if made is not None:
        text = (
            f"The account {account.name} at {deps.doors.rules.url} names this address.\n\n"
            f"If it is yours, this link says so:\n\n{made.url}\n\nIf not, do nothing.\n"
        )
        deps.doors.postman.later(Letter(email, "Your address at Windfall", text))
    return made is not None


async def disable(deps: Deps, account: Account, by: str) -> None:
    """Let an account in no more: its sessions and tokens end at once. Raises BadInput."""
    if account.name == by:
        raise BadInput(["name: nobody disables the account he works with; ask another admin"])
    await _stand(deps, account, "disabled", by)


async def enable(deps: Deps, account: Account, by: str) -> None:
    """Let an account in again; its tokens work again, its sessions are over."""
    await _stand(deps, account, "active", by)


async def _stand(deps: Deps, account: Account, state: str, by: str) -> None:
    now = deps.clock()

    async def write(tx: Tx) -> None:
        if not await accounts.set_state(tx, account.id, state):
            return
        await sessions.end_all(tx, account.id, now)
        word = "account.disable" if state == "disabled" else "account.enable"
        audit.note(tx, by, word, account.name, at=now)

    await deps.store.write(write)


async def set_role(deps: Deps, account: Account, role: str, by: str) -> None:
    """Change what an account may do, from its next request on; a volunteer runs no site.

    Raises BadInput.
    """
    if role not in ROLES:
        raise BadInput([f"role {role[:40]!r}: must be one of {', '.join(ROLES)}"])
    if account.name == by:
        raise BadInput(["name: nobody changes the role he works with; ask another admin"])
    now = deps.clock()

    async def write(tx: Tx) -> None:
        if await accounts.set_role(tx, account.id, role):
            audit.note(tx, by, "account.role", account.name, f"{account.role} to {role}", at=now)
            if not reaches(role, stewards.LEAST):
                await stewards.leave_all(tx, account, by, now)

    await deps.store.write(write)
