"""Pairing as a machine does it: say a PIN or show a code, ask how it stands, collect once."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

from server.db import accounts, claims, hosts, machines, pairings, sites
from server.db.accounts import Token
from server.db.base import Tx
from server.db.claims import Claim, NewClaim
from server.db.machines import Given, Machine
from server.db.pairings import Pairing
from server.db.sites import Site
from server.domain import pairing as rules
from server.domain.errors import (
    NotYours,
    PairingCollected,
    PairingOver,
    PairingPending,
    PinsLocked,
    Refusal,
    TokenUnknown,
    TooMany,
)
from server.domain.pairing import LIVE, WINDOW_S, PairState
from server.services import agentbans, enrol, stewards
from server.services.deps import Deps
from server.services.desk import Desk
from server.services.enrol import Joined, digest_of
from server.services.factsheet import Sheet, to_text
from server.services.retoken import new_secret
from server.services.stewards import NotYourSite

CODES_MOST = 100  # codes that one network may ask for in ten minutes
CODES_ALL = 5000  # and everybody: what a crowd asks for must not fill the disk
INNER_S = 60.0  # life of a token that is used in the transaction that makes it


@dataclass(frozen=True)
class Said:
    """What a machine says when it asks for an owner; nothing of it is believed."""

    nonce: str
    commitment: str
    uuid: str
    hostname: str
    image: str
    version: str
    arch: str
    cores: int
    memory_mb: int
    agent_version: str

    def text(self) -> str:
        """What its owner is shown, as the table keeps it."""
        shown = {name: getattr(self, name) for name in _SHOWN}
        return json.dumps({k: _plain(v) if isinstance(v, str) else v for k, v in shown.items()})


_SHOWN = ("hostname", "image", "version", "arch", "cores", "memory_mb", "agent_version")


@dataclass(frozen=True)
class Started:
    """A request that is under way; ``code`` is empty if it came with a PIN."""

    poll_token: str
    interval: int
    expires_in: int
    words: str
    code: str = ""


@dataclass(frozen=True)
class Got:
    """What a machine collects."""

    joined: Joined
    name: str
    machine: Machine
    given: Given | None


def _plain(text: str) -> str:
    """What a machine says of itself, as far as it may be shown on a page or a terminal."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


async def present(deps: Deps, pin: str, said: Said, address: str) -> Started:
    """A machine says a PIN; the answer, and the work, are the same if it is wrong.

    Raises PinsLocked, TooMany.
    """
    now, desk = deps.clock(), deps.desk
    new = _claim(desk, "pin", said, address, now, desk.rules.life_s)
    digest = rules.keyed(desk.secret, "pin", pin)

    async def write(tx: Tx) -> tuple[str, list[str]]:
        known = await claims.same(tx, said.nonce, said.commitment)
        if known is not None:
            return known.handle, []
        tries = await claims.tries(tx, address, new.network, now)
        _hold(tries, desk, now)
        found = await pairings.of_pin(tx, digest, now, rules.MACHINES_MOST)
        await claims.add(tx, new, None if found is None else found.id)
        if found is not None:
            until = now + desk.rules.life_s
            await pairings.move(tx, found, "claim", now, expires_at=until, machines=1)
            return new.handle, [found.handle]
        await pairings.miss(tx, new.network, now)
        told = []
        if tries.minute + 1 > desk.rules.wrong_minute:
            await pairings.lock(tx, now + desk.rules.lock_s)
            for waiting in await pairings.waiting(tx):
                await pairings.move(tx, waiting, "lock", now)
                told.append(waiting.handle)
        return new.handle, told

    handle, told = await deps.store.write(write)
    desk.changed(*told)
    return _started(desk, handle, said.commitment, desk.rules.life_s)


def _hold(tries: rules.Tries, desk: Desk, now: float) -> None:
    if tries.locked_until > now:
        raise PinsLocked(tries.locked_until - now)
    if (wait := rules.wait_s(tries, desk.rules, now)) > 0:
        raise TooMany(wait)


async def show_code(deps: Deps, said: Said, address: str) -> Started:
    """A machine asks for a code to show (RFC 8628, 3.1). Raises TooMany."""
    now, desk = deps.clock(), deps.desk
    life_s = desk.rules.code_life_s
    new = _claim(desk, "code", said, address, now, life_s)

    async def write(tx: Tx) -> str:
        known = await claims.same(tx, said.nonce, said.commitment)
        if known is not None:
            return known.handle
        many, all_, first = await claims.codes_since(tx, new.network, now - WINDOW_S)
        if many >= CODES_MOST:
            raise TooMany(max(1.0, first + WINDOW_S - now))
        if all_ >= CODES_ALL:
            raise TooMany(60.0)
        await claims.add(tx, new, None)
        return new.handle

    handle = await deps.store.write(write)
    return _started(desk, handle, said.commitment, life_s, _code(desk, handle))


def _claim(desk: Desk, way: str, said: Said, address: str, now: float, life_s: float) -> NewClaim:
    handle = secrets.token_hex(16)
    code = rules.keyed(desk.secret, "code", _code(desk, handle)) if way == "code" else None
    poll = digest_of(desk.poll_token(handle))
    return NewClaim(
        handle, way, said.nonce, said.commitment, poll, code, said.uuid, said.text(), address,
        rules.network_of(address), now, now + life_s,
    )  # fmt: skip


def _code(desk: Desk, handle: str) -> str:
    """The code of a request, made again from its random id."""
    return rules.code_of(rules.keyed(desk.secret, "code of", handle))


def _started(desk: Desk, handle: str, commitment: str, life_s: float, code: str = "") -> Started:
    return Started(
        desk.poll_token(handle),
        int(desk.rules.interval_s),
        int(life_s),
        desk.words(handle, commitment),
        rules.code_shown(code) if code else "",
    )


async def status(deps: Deps, poll_token: str) -> tuple[str, int]:
    """How a request stands, and how long its machine is to wait. Raises TokenUnknown."""
    now, desk = deps.clock(), deps.desk

    async def read(tx: Tx) -> tuple[Claim, Pairing | None]:
        claim = await _polled(tx, poll_token)
        found = None if claim.pairing is None else await pairings.numbered(tx, claim.pairing)
        return claim, found

    claim, found = await deps.store.read(read)
    asked_at, before = desk.polls.get(claim.id, (0.0, desk.rules.interval_s))
    interval = rules.next_interval(asked_at, before, now, desk.rules)
    desk.asked(claim.id, now, interval)
    state = _state(claim, found, now)
    if state == "pending" and interval > before:
        state = "slow_down"
    return state, int(interval)


def _state(claim: Claim, found: Pairing | None, now: float) -> str:
    """What a machine is told. A wrong PIN is pending until its time is over, as a right one is."""
    if found is None:
        return "pending" if now < claim.expires_at else "expired"
    if found.state is PairState.CONFIRMED and now < found.expires_at:
        return "ready" if found.claim == claim.id else "rejected"
    if found.state is PairState.REJECTED:
        return "rejected"
    alive = found.state in LIVE and now < min(found.expires_at, _end(claim, found))
    return "pending" if alive else "expired"


def _end(claim: Claim, found: Pairing) -> float:
    """Until when a machine may wait: its own time, or that of the owner who typed its code."""
    return claim.expires_at if claim.way == "pin" else found.expires_at


async def _polled(tx: Tx, poll_token: str) -> Claim:
    claim = await claims.polled(tx, digest_of(poll_token))
    if claim is None:
        raise TokenUnknown
    return claim


async def collect(
    deps: Deps, poll_token: str, preimage: bytes, request: str, name: str, sheet: Sheet
) -> Got:
    """The machine that its owner confirmed becomes his host, once.

    The same request again brings the same host with a new secret, until the host was heard of; any
    other second collection is refused and told to the owner. Raises TokenUnknown, PairingPending,
    PairingOver, PairingCollected, NotYours, BadInput, AgentBanned.
    """
    enrol.check_facts(name, sheet)
    now, secret = deps.clock(), new_secret()
    digest = digest_of(secret)

    async def write(tx: Tx) -> tuple[_Entered | Refusal, str]:
        claim = await _polled(tx, poll_token)
        found = None if claim.pairing is None else await pairings.numbered(tx, claim.pairing)
        if found is None:
            return (PairingPending() if now < claim.expires_at else PairingOver()), ""
        if not rules.opens(preimage, claim.commitment):
            await pairings.alarm(tx, found.id)
            return NotYours("pairing of host", claim.handle[:8]), found.handle
        if found.claim != claim.id or found.state is PairState.CLAIMED:
            return (
                PairingPending() if _state(claim, found, now) == "pending" else PairingOver()
            ), ""
        if found.state is PairState.DELIVERED:
            return await _again(deps, tx, found, request, digest), found.handle
        if found.state is not PairState.CONFIRMED or found.expires_at <= now:
            return PairingOver(), ""
        agentbans.welcome(deps, sheet.agent)
        try:
            entered = await _enter(deps, tx, found, claim, request, name, digest, sheet, now)
        except NotYourSite:  # its owner has lost the site since he began
            await pairings.alarm(tx, found.id)
            return PairingOver(), found.handle
        return entered, found.handle

    entered, handle = await deps.store.write(write)
    deps.desk.changed(handle)
    if isinstance(entered, Refusal):
        raise entered
    enrol.let_in(deps, entered.host, entered.owner, entered.name, sheet, digest, now, entered.site)
    joined = Joined(entered.host, secret, entered.owner.account_name)
    return Got(joined, entered.name, entered.machine, entered.given)


@dataclass(frozen=True)
class _Entered:
    """A host as the transaction left it."""

    host: int
    owner: Token
    name: str
    site: int
    machine: Machine
    given: Given | None


async def _enter(
    deps: Deps,
    tx: Tx,
    found: Pairing,
    claim: Claim,
    request: str,
    name: str,
    digest: bytes,
    sheet: Sheet,
    now: float,
) -> _Entered:
    """A new host, by a token that lives in this transaction alone."""
    site = await _site(tx, found)
    inner = deps.desk.inner_token(claim.handle)
    note = f"pairing {found.handle[:8]}"
    token = await accounts.add_token(tx, found.account, "enrol", inner, 1, now, now + INNER_S, note)
    if site is not None:
        await sites.bind_token(tx, token, site.id)
    owner = await accounts.token(tx, inner)
    assert owner is not None  # noqa: S101  it was made above
    enrol.check(owner, now)
    called = found.name or name
    host, place = await enrol.enter(tx, owner, request, called, digest, to_text(sheet), now)
    machine = Machine(host, claim.uuid)
    await machines.save(tx, machine)
    if found.context:
        await machines.give(tx, host, found.context, found.revision, now)
    await pairings.move(tx, found, "deliver", now, token=token, host=host)
    return _Entered(host, owner, called, place, machine, await machines.given(tx, host))


async def _site(tx: Tx, found: Pairing) -> Site | None:
    """Where its host is to stand. Raises NotYourSite."""
    owner = await accounts.of_id(tx, found.account) if found.site else None
    if owner is None:
        return None
    return await stewards.admit(tx, owner.id, owner.role, found.site)


async def _again(
    deps: Deps, tx: Tx, found: Pairing, request: str, digest: bytes
) -> _Entered | Refusal:
    """The same collection, whose answer was lost; anything else is an alarm."""
    known = await hosts.enrolled_by(tx, found.token or 0, request)
    card = None if known is None else deps.registry.hosts.get(known.id)
    if known is None or card is None or card.seen_at > known.enrolled_at:
        await pairings.alarm(tx, found.id)
        return PairingCollected()
    await hosts.replace_hash(tx, known.id, digest)
    owner = await accounts.token(tx, deps.desk.inner_token((await _picked(tx, found)).handle))
    assert owner is not None  # noqa: S101  the host joined with it
    machine, given = await machines.one(tx, known.id), await machines.given(tx, known.id)
    return _Entered(known.id, owner, known.name, card.site, machine, given)


async def _picked(tx: Tx, found: Pairing) -> Claim:
    claim = await claims.numbered(tx, found.claim or 0)
    assert claim is not None  # noqa: S101  what was delivered was claimed
    return claim
