"""Links that are good once: made, looked at, used; each is told once and kept as a digest."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from server.db import accounts, links
from server.db.accounts import Account
from server.db.base import Tx
from server.db.links import Link
from server.domain.errors import BadInput, Forbidden, LinkOver, NotFound
from server.domain.people import email_faults
from server.domain.roles import ROLES, reaches
from server.services import audit
from server.services.deps import Deps
from server.services.postman import Letter

INVITES = "manager"
"""The role that may invite; and nobody invites somebody of a higher role than his own."""


@dataclass(frozen=True)
class Made:
    """A link, told once: its id, its address, and until when it is good."""

    id: int
    url: str
    expires_at: float
    mailed: bool = False


def digest_of(text: str) -> bytes:
    """What is kept of a link."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


async def add(
    deps: Deps,
    tx: Tx,
    kind: str,
    life_s: float,
    by: str,
    account: Account | None = None,
    email: str = "",
    role: str = "volunteer",
    note: str = "",
) -> Made:
    """Make a link in this transaction; older ones of the same kind and account end."""
    now, text = deps.clock(), f"wfl_{secrets.token_urlsafe(32)}"
    if account is not None:
        await links.revoke_of(tx, account.id, kind, now)
    whose = account.id if account else None
    number = await links.add(
        tx, kind, digest_of(text), whose, email.lower(), role, note, by, now, now + life_s
    )
    # The address is the one of the settings: who asks could say any in his request's Host.
    return Made(number, f"{deps.doors.rules.url}/link/{text}", now + life_s)


async def invite(deps: Deps, by: str, by_role: str, email: str, role: str, note: str) -> Made:
    """A link that makes an account; mailed if there is an address and a mail server.

    Raises BadInput, Forbidden.
    """
    faults = email_faults(email) if email else []
    if role not in ROLES:
        faults.append(f"role {role[:40]!r}: must be one of {', '.join(ROLES)}")
    if len(note) > 200 or not note.isprintable():
        faults.append("note: at most 200 printable characters")
    if faults:
        raise BadInput(faults)
    if not reaches(by_role, role):
        raise Forbidden(role)
    life = deps.doors.rules.invitation_s

    async def write(tx: Tx) -> Made:
        made = await add(deps, tx, "invitation", life, by, None, email, role, note)
        audit.note(tx, by, "invitation.make", str(made.id), f"{role} {email}".strip(),
                   at=deps.clock())  # fmt: skip
        return made

    made = await deps.store.write(write)
    mailed = bool(email) and deps.doors.postman.works
    if mailed:
        deps.doors.postman.later(invitation_letter(deps, email, by, made.url))
    return Made(made.id, made.url, made.expires_at, mailed)


def invitation_letter(deps: Deps, email: str, by: str, url: str) -> Letter:
    """The mail of an invitation."""
    return Letter(
        email,
        "An invitation to Windfall",
        f"{by} invites you to make an account at {deps.doors.rules.url}.\n\n"
        f"This link is good once:\n\n{url}\n\n"
        "If you do not know what this is about, do nothing.\n",
    )


async def look(deps: Deps, text: str) -> Link:
    """A link that is still good. Raises LinkOver."""
    now = deps.clock()
    found = await deps.store.read(lambda tx: links.of_digest(tx, digest_of(text)))
    return good(found, now)


def good(found: Link | None, now: float) -> Link:
    """The link, if it is still good. Raises LinkOver."""
    if (
        found is None
        or found.used_at is not None
        or found.revoked_at is not None
        or found.expires_at <= now
    ):
        raise LinkOver
    return found


async def take(deps: Deps, tx: Tx, text: str, kind: str) -> Link:
    """Use a link of this kind up, in this transaction. Raises LinkOver."""
    now = deps.clock()
    found = good(await links.of_digest(tx, digest_of(text)), now)
    if found.kind != kind or not await links.use(tx, found.id, now):
        raise LinkOver
    return found


async def invitations(deps: Deps) -> list[Link]:
    """The invitations that are still good."""
    now = deps.clock()
    return await deps.store.read(lambda tx: links.invitations(tx, now))


async def revoke_invitation(deps: Deps, link: int, by: str) -> None:
    """An invitation opens nothing any more. Raises NotFound."""
    now = deps.clock()

    async def write(tx: Tx) -> bool:
        if not await links.revoke(tx, link, now):
            return False
        audit.note(tx, by, "invitation.revoke", str(link), at=now)
        return True

    if not await deps.store.write(write):
        raise NotFound("invitation", link)


async def check_email(deps: Deps, text: str) -> str:
    """Somebody has followed the link to his address, which is his. Raises LinkOver; the address."""
    now = deps.clock()

    async def write(tx: Tx) -> str:
        link = await take(deps, tx, text, "email")
        account = await accounts.of_id(tx, link.account or 0)
        other = await accounts.of_email(tx, link.email)
        if account is None or account.email != link.email:
            raise LinkOver
        if other is not None and other.id != account.id:
            raise BadInput(["email: this address is another account's; log in to that one"])
        await accounts.set_email(tx, account.id, link.email, now)
        audit.note(tx, account.name, "account.email-checked", account.name, link.email, at=now)
        return link.email

    return await deps.store.write(write)
