"""Signing in with a password: as slow and as silent for a name that is none as for any other."""

from __future__ import annotations

from dataclasses import dataclass

from server.db import accounts, credentials
from server.db.accounts import Account
from server.db.base import Tx
from server.db.credentials import Credentials
from server.domain.errors import AccountDisabled, NotFound, SignInRefused, Unavailable
from server.services import audit, sessions
from server.services.deps import Deps
from server.services.sessions import Opened, Visit


@dataclass(frozen=True)
class _Who:
    account: Account | None
    kept: Credentials


async def _who(deps: Deps, name: str) -> _Who:
    """Whom a name or an address means; asked of the database alike whether there is one or not."""

    async def read(tx: Tx) -> _Who:
        found = await (accounts.of_email if "@" in name else accounts.named)(tx, name)
        return _Who(found, await credentials.of(tx, found.id if found else 0))

    return await deps.store.read(read)


async def sign_in(deps: Deps, name: str, password: str, visit: Visit, old: str = "") -> Opened:
    """Open a session for who knows this password; a half one if a code is asked for beside it.

    ``name`` is an account's, or its checked e-mail address. ``old`` is the secret of the session
    that the browser had. Raises TooMany, SignInRefused, AccountDisabled.
    """
    name = name.strip()[:254]
    who = await _who(deps, name)
    account = await proved(deps, who.account, name, who.kept, password, visit)
    half = who.kept.totp_at is not None

    async def write(tx: Tx) -> Opened:
        return await sessions.add(deps, tx, account, "password", visit, old, half)

    return await deps.store.write(write)


async def proved(
    deps: Deps,
    account: Account | None,
    typed: str,
    kept: Credentials,
    password: str,
    visit: Visit,
) -> Account:
    """The account, if this is its password.

    Raises TooMany, SignInRefused, AccountDisabled, Unavailable.
    """
    key = account.name if account else typed
    well = deps.doors.try_password(deps.clock(), key, visit.address)
    try:
        right = await deps.doors.passwords.holds(kept.password, password)
    except Unavailable:
        well()  # it was not looked at
        raise
    if account is None or not right:
        # A name that is none is not written down: some type their password there.
        await _refused(deps, account.name if account else "(no such name)", visit)
        raise SignInRefused
    well()
    if account.state != "active":
        raise AccountDisabled(account.name)
    if deps.doors.passwords.is_outdated(kept.password):
        better = await deps.doors.passwords.hash(password)
        await deps.store.write(lambda tx: credentials.rehash(tx, account.id, kept.password, better))
    return account


async def _refused(deps: Deps, name: str, visit: Visit) -> None:
    now = deps.clock()

    async def write(tx: Tx) -> None:
        audit.note(tx, name, "session.refused", name, at=now, address=visit.address)

    await deps.store.write(write)


async def sign_out(deps: Deps, text: str) -> None:
    """End the session of this secret, if there is one."""
    found = await sessions.find(deps, text, Visit())
    if found is not None:
        try:
            await sessions.end(deps, found.account, found.session, found.name)
        except NotFound:
            return  # another request ended it meanwhile
