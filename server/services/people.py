"""People: their passwords and profiles, changed by themselves or by administrators."""

from __future__ import annotations

from server.db import accounts, credentials, sessions
from server.db.accounts import Account
from server.db.base import Tx
from server.domain.errors import BadInput, NotFound
from server.domain.people import password_faults
from server.services import audit
from server.services.deps import Deps


async def account_of(deps: Deps, name: str) -> Account:
    """The account of this name. Raises NotFound."""
    found = await deps.store.read(lambda tx: accounts.named(tx, name))
    if found is None:
        raise NotFound("account", name)
    return found


async def set_password(
    deps: Deps, account: Account, password: str, by: str, session: int = 0
) -> None:
    """Give an account a new password; its sessions end, but this one. Raises BadInput."""
    kept = await hashed(deps, password, account.name, account.email, account.full_name)
    now = deps.clock()

    async def write(tx: Tx) -> None:
        await credentials.set_password(tx, account.id, kept, now)
        ended = await sessions.end_all(tx, account.id, now, session)
        audit.note(tx, by, "account.password", account.name, f"{ended} sessions ended", at=now)

    await deps.store.write(write)
    deps.doors.throttle.forget(f"account {account.name.lower()}")


async def hashed(deps: Deps, password: str, *known: str) -> str:
    """What is kept of a password that may be one. Raises BadInput."""
    faults = password_faults(password, deps.doors.rules.password_least, *known)
    if faults:
        raise BadInput(faults)
    return await deps.doors.passwords.hash(password)
