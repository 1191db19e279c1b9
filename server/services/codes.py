"""The second thing to log in with: codes by time (TOTP, RFC 6238), and recovery codes."""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass

import pyotp

from server.db import credentials, sessions
from server.db.accounts import Account
from server.db.base import Tx
from server.db.credentials import Credentials
from server.domain.errors import CodeRefused, SignInRefused
from server.services import audit
from server.services.deps import Deps
from server.services.sessions import Opened, Visit, add, find_half

STEP_S = 30
DRIFT = 1  # steps that a telephone's clock may be off, either way (RFC 6238 5.2)
RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is read as another
_TOTP, _RECOVERY = re.compile(r"\d{6}"), re.compile(r"[a-z0-9]{10}")


@dataclass(frozen=True)
class Setup:
    """What an app is told: a secret, and the same as an address to scan."""

    secret: str
    uri: str


def _about(account: int) -> str:
    return f"totp of account {account}"


async def begin(deps: Deps, account: Account) -> Setup:
    """A new secret for an app; codes are asked for only once one was shown to be right."""
    kept = await deps.store.read(lambda tx: credentials.of(tx, account.id))
    if kept.totp_at is not None:
        raise CodeRefused("There are codes for this account already; switch them off first.")
    secret = pyotp.random_base32()
    closed = deps.safe.close(secret.encode(), _about(account.id))
    await deps.store.write(lambda tx: credentials.set_totp(tx, account.id, closed, None, 0))
    return _setup(account, secret)


def _setup(account: Account, secret: str) -> Setup:
    uri = pyotp.TOTP(secret).provisioning_uri(name=account.name, issuer_name="Windfall")
    return Setup(secret, uri)


async def begun(deps: Deps, account: Account) -> Setup | None:
    """The secret that waits for its first code."""
    kept = await deps.store.read(lambda tx: credentials.of(tx, account.id))
    if kept.totp is None or kept.totp_at is not None:
        return None
    return _setup(account, deps.safe.open(kept.totp, _about(account.id)).decode())


async def confirm(deps: Deps, account: Account, code: str, visit: Visit, by: str) -> list[str]:
    """Codes are asked for from now on; the recovery codes, told once. Raises CodeRefused."""
    kept = await deps.store.read(lambda tx: credentials.of(tx, account.id))
    if kept.totp is None or kept.totp_at is not None:
        raise CodeRefused("No secret waits for its first code; begin again.")
    well = deps.doors.try_password(deps.clock(), f"code of {account.name}", visit.address)
    step = _step(deps, kept, code)
    if step is None:
        raise CodeRefused
    well()
    return await _store(deps, account, kept.totp, step, by, "account.totp-on")


async def renew(deps: Deps, account: Account, by: str) -> list[str]:
    """New recovery codes in place of the old. Raises CodeRefused if there are no codes at all."""
    kept = await deps.store.read(lambda tx: credentials.of(tx, account.id))
    if kept.totp is None or kept.totp_at is None:
        raise CodeRefused("This account has no codes; set them up first.")
    return await _store(deps, account, kept.totp, kept.totp_step, by, "account.recovery-codes")


async def _store(
    deps: Deps, account: Account, secret: bytes, step: int, by: str, word: str
) -> list[str]:
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(10)) for _ in range(RECOVERY_CODES)]
    now = deps.clock()

    async def write(tx: Tx) -> None:
        await credentials.set_totp(tx, account.id, secret, now, step)
        digests = [_digest(deps, account.id, code) for code in codes]
        await credentials.replace_codes(tx, account.id, digests)
        audit.note(tx, by, word, account.name, at=now)

    await deps.store.write(write)
    return [f"{code[:5]}-{code[5:]}" for code in codes]


async def end(deps: Deps, account: Account, by: str) -> None:
    """No codes are asked for any more."""
    now = deps.clock()

    async def write(tx: Tx) -> None:
        await credentials.set_totp(tx, account.id, None, None, 0)
        await credentials.replace_codes(tx, account.id, ())
        audit.note(tx, by, "account.totp-off", account.name, at=now)

    await deps.store.write(write)


async def complete(deps: Deps, half: str, code: str, visit: Visit) -> Opened:
    """A session for who showed a password before, or came from a provider, and shows a code now.

    Raises SignInRefused (begin again), CodeRefused, TooMany.
    """
    waiting = await find_half(deps, half)
    if waiting is None:
        raise SignInRefused("That took too long; begin again.")
    now = deps.clock()
    well = deps.doors.try_password(now, f"code of {waiting.account_name}", visit.address)
    account = Account(waiting.account, waiting.account_name, waiting.role, 0.0)
    kept = await deps.store.read(lambda tx: credentials.of(tx, account.id))
    step, digest = _step(deps, kept, code), _digest(deps, account.id, code)

    async def write(tx: Tx) -> Opened | None:
        if not await _taken(tx, account.id, step, digest, now):
            audit.note(tx, account.name, "session.code-refused", account.name, at=now,
                       address=visit.address)  # fmt: skip
            return None
        if not await sessions.end(tx, waiting.id, account.id, now):
            return None  # two codes at once: one session
        how = "recovery code" if step is None else "code"
        return await add(deps, tx, account, f"{waiting.how}, {how}", visit, "")

    opened = await deps.store.write(write)
    if opened is None:
        raise CodeRefused
    well()
    return opened


async def _taken(tx: Tx, account: int, step: int | None, digest: bytes, now: float) -> bool:
    if step is not None:
        return await credentials.use_step(tx, account, step)
    return await credentials.use_code(tx, account, digest, now)


def _step(deps: Deps, kept: Credentials, code: str) -> int | None:
    """The time step whose code this is; None if it is of none that may still be used."""
    code = "".join(code.split())
    if kept.totp is None or _TOTP.fullmatch(code) is None:
        return None
    totp = pyotp.TOTP(deps.safe.open(kept.totp, _about(kept.account)).decode())
    present = int(deps.clock()) // STEP_S
    found = None
    for step in range(present - DRIFT, present + DRIFT + 1):
        if hmac.compare_digest(totp.at(step * STEP_S), code) and step > kept.totp_step:
            found = step
    return found


def _digest(deps: Deps, account: int, code: str) -> bytes:
    plain = "".join(each for each in code.lower() if each not in " -")
    plain = plain if _RECOVERY.fullmatch(plain) else ""
    return deps.safe.digest(f"{account} {plain}", "recovery code")
