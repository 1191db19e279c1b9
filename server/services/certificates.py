"""Certificates: made of what the ledgers say, shown by their code, withdrawn by who has them."""

from __future__ import annotations

import dataclasses
import json
import secrets
from dataclasses import dataclass, field

from server.db import certificates as rows
from server.db.base import Tx
from server.db.certificates import Certificate
from server.domain.errors import NotFound, Refusal
from server.domain.throttle import Rate
from server.services import audit, contribution
from server.services.deps import Deps

ALPHABET = "23456789BCDFGHJKMNPQRSTVWXYZ"  # no vowels, and nothing that looks like another
LETTERS = 16  # 77 bits: nobody finds one by trying
KEPT = 50  # certificates that are listed
STUDIES = 8  # that a certificate names
MADE = Rate(20, 86_400.0)


class NothingToCertify(Refusal):
    """No event of yours has been agreed on yet; a certificate is made of what was."""

    code = "nothing-to-certify"


@dataclass(frozen=True)
class Certified:
    """What a certificate says, as of the day when it was made."""

    code: str
    name: str
    account: str
    made_at: float
    events: int
    cpu_h: float
    credit: float
    since: float | None
    studies: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CertificateList:
    """The latest certificates of an account that hold."""

    certificates: list[Certified] = field(default_factory=list)


async def make(deps: Deps, account: int, name: str) -> Certified:
    """Certify what an account gave until now. Raises NothingToCertify, TooMany."""
    found = await contribution.of_account(deps, account)
    if not found.events:
        raise NothingToCertify()
    deps.doors.throttle.take(deps.clock(), ((f"certificates of {account}", MADE),))
    studies = [one.study or one.production for one in found.studies if one.events][:STUDIES]
    made = Certified(
        "".join(secrets.choice(ALPHABET) for _ in range(LETTERS)), found.name,
        found.account, found.at,
        found.events, found.cpu_h, found.credit, found.since, studies,
    )  # fmt: skip
    facts = json.dumps(dataclasses.asdict(made))

    async def write(tx: Tx) -> None:
        await rows.add(tx, made.code, account, facts, made.made_at)
        audit.note(tx, name, "certificate.make", name, f"{made.events} events", at=made.made_at)

    await deps.store.write(write)
    return made


async def show(deps: Deps, code: str) -> Certified:
    """What the certificate with this code says. Raises NotFound."""
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    found = await deps.store.read(lambda tx: rows.by_code(tx, plain))
    if found is None or found.withdrawn_at is not None:
        raise NotFound("certificate", spelled(plain[:LETTERS]))
    return _certified(found)


async def mine(deps: Deps, account: int) -> CertificateList:
    """The certificates of an account that hold, newest first."""
    found = await deps.store.read(lambda tx: rows.of_account(tx, account, KEPT))
    return CertificateList([_certified(one) for one in found if one.withdrawn_at is None])


async def withdraw(deps: Deps, account: int, name: str, code: str) -> None:
    """Show a certificate of this account to nobody any more. Raises NotFound."""
    now = deps.clock()

    async def write(tx: Tx) -> None:
        if not await rows.withdraw(tx, account, code, now):
            raise NotFound("certificate", spelled(code[:LETTERS]))
        audit.note(tx, name, "certificate.withdraw", name, spelled(code), at=now)

    await deps.store.write(write)


def spelled(code: str) -> str:
    """A code in groups of four."""
    return "-".join(code[place : place + 4] for place in range(0, len(code), 4))


def _certified(row: Certificate) -> Certified:
    return Certified(**json.loads(row.facts))
