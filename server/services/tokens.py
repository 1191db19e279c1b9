"""API tokens that people make for themselves: with an end, and with no more than they hold."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from server.db import accounts
from server.db.accounts import Token
from server.db.base import Tx
from server.domain.errors import BadInput, NotFound
from server.domain.scopes import WHOLE, narrowed
from server.services import audit
from server.services.deps import Deps
from server.services.enrol import digest_of

LIVE_MOST = 50  # API tokens of one account that are good at a time
NOTE_MOST = 200
MINUTE_S, DAY_S = 60.0, 86_400.0


@dataclass(frozen=True)
class Maker:
    """Who makes a token, and what is held already: scopes and an end, None of a browser's."""

    account: int
    name: str
    scopes: str = WHOLE
    until: float | None = None


@dataclass(frozen=True)
class Wish:
    """A token that somebody wants; ``expires_s`` from now."""

    scopes: Sequence[str]
    expires_s: float
    note: str = ""


@dataclass(frozen=True)
class Made:
    """A new token; its text is told this once."""

    id: int
    token: str
    scopes: list[str]
    expires_at: float


async def create(deps: Deps, maker: Maker, wish: Wish) -> Made:
    """A new token. Raises BadInput."""
    now = deps.clock()
    scopes = narrowed(wish.scopes, maker.scopes)
    end = now + _checked(deps, wish)
    if maker.until is not None:
        end = min(end, maker.until)
    text = f"wfa_{secrets.token_urlsafe(32)}"

    async def write(tx: Tx) -> int:
        if len(live(await accounts.tokens_of(tx, maker.account), now)) >= LIVE_MOST:
            raise BadInput([f"tokens: {LIVE_MOST} are good, and no more may be; revoke some"])
        number = await accounts.add_token(
            tx, maker.account, "api", digest_of(text), 1, now, end, wish.note, scopes
        )
        audit.note(tx, maker.name, "token.create", str(number), scopes, at=now)
        return number

    return Made(await deps.store.write(write), text, scopes.split(), end)


def _checked(deps: Deps, wish: Wish) -> float:
    most = deps.doors.rules.token_s
    faults = []
    if not MINUTE_S <= wish.expires_s <= most:
        faults.append(
            f"expires_s {wish.expires_s:g}: from {MINUTE_S:g} to {most:g} (accounts.token_days)"
        )
    if len(wish.note) > NOTE_MOST or not wish.note.isprintable():
        faults.append(f"note: at most {NOTE_MOST} printable characters")
    if faults:
        raise BadInput(faults)
    return wish.expires_s


def live(found: Sequence[Token], now: float) -> list[Token]:
    """The API tokens among these that are good."""
    return [
        one
        for one in found
        if one.kind == "api"
        and one.revoked_at is None
        and (one.expires_at is None or one.expires_at > now)
    ]


async def mine(deps: Deps, account: int) -> list[Token]:
    """The API tokens of an account that are good, newest first; never their texts."""
    found = await deps.store.read(lambda tx: accounts.tokens_of(tx, account))
    return live(found, deps.clock())


async def revoke(deps: Deps, account: int, name: str, token: int) -> None:
    """A token of one's own acts for nobody any more. Raises NotFound, of another's token too."""
    now = deps.clock()

    async def write(tx: Tx) -> bool:
        found = await accounts.tokens_of(tx, account)
        if not any(one.id == token and one.kind == "api" for one in found):
            return False
        if not await accounts.revoke_token(tx, token, now):
            return False
        audit.note(tx, name, "token.revoke", str(token), at=now)
        return True

    if not await deps.store.write(write):
        raise NotFound("token", token, "issued-token-unknown")
