"""Pairing as its owner does it: begin, look, type a code, confirm, reject, cancel."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from server.db import accounts, claims, pairings
from server.db.base import Tx
from server.db.claims import Claim
from server.db.pairings import NewPairing, Pairing
from server.domain import pairing as rules
from server.domain.errors import (
    BadInput,
    NotFound,
    PairingOver,
    PinsLocked,
    PinsMany,
    TooMany,
)
from server.domain.farm import check_name
from server.domain.pairing import LIVE, WINDOW_S, PairState
from server.services import audit, stewards
from server.services.deps import Deps
from server.services.desk import Chosen

DRAWS = 100  # of a PIN, until one is free: with all 10^6 but one taken that may fail
NAME_MOST = 100
SHOWN = 50
BEGUN_MOST = 100  # pairings of one account in ten minutes
WAITING_MOST = 2000  # people who wait for news at a time; others are answered at once
KEPT_S = 30 * 86_400.0  # so long a pairing that brought no host is remembered


@dataclass(frozen=True)
class Wish:
    """What is to become of the machine: context "" is none, revision 0 the newest."""

    context: str = ""
    revision: int = 0
    site: str = ""
    name: str = ""


@dataclass(frozen=True)
class MachineSeen:
    """A machine that waits for its owner: all but ``id``, ``address`` and ``words`` is its word."""

    id: str
    words: str
    address: str
    at: float
    uuid: str
    hostname: str
    image: str
    version: str
    arch: str
    cores: int
    memory_mb: int
    agent_version: str
    picked: bool = False


@dataclass(frozen=True)
class PairingView:
    """A pairing as its owner sees it.

    ``machine`` is the one that was picked, or the only one there is. ``changes`` goes up whenever
    something is new; ``failed_attempts`` are wrong PINs from the owner's own network meanwhile, and
    ``alarms`` tries to collect what was not theirs.
    """

    id: str
    way: str
    state: str
    expires_at: float
    expires_in: float
    created_at: float
    changes: int
    failed_attempts: int
    alarms: int
    pin: str = ""
    pin_display: str = ""
    url: str = ""
    context_id: str = ""
    revision: int = 0
    context_name: str = ""
    site: str = ""
    name: str = ""
    host: int | None = None
    machine: MachineSeen | None = None
    machines: list[MachineSeen] = field(default_factory=list)


async def begin(
    deps: Deps, account: int, role: str, wish: Wish, address: str, instead: str = ""
) -> PairingView:
    """A new PIN; the pairing ``instead`` of which it is, is cancelled.

    Raises BadInput, Forbidden, NotFound, PinsLocked, PinsMany.
    """
    chosen = await _granted(deps, account, role, wish)
    now, desk = deps.clock(), deps.desk
    handle = secrets.token_hex(16)
    new = NewPairing(
        handle, account, "pin", chosen.id, chosen.revision, wish.site, wish.name,
        rules.network_of(address), now, now + desk.rules.life_s,
    )  # fmt: skip

    async def write(tx: Tx) -> Pairing:
        locked = await pairings.locked_until(tx)
        if locked > now:
            raise PinsLocked(locked - now)
        await pairings.hold(tx, account)
        await _not_too_often(tx, account, now)
        open_ones = [one for one in await _open(tx, account, now) if one.way == "pin"]
        for one in open_ones:
            if one.handle == instead:
                await pairings.move(tx, one, "cancel", now)
        if sum(one.handle != instead for one in open_ones) >= desk.rules.live_per_account:
            raise PinsMany(desk.rules.live_per_account)
        for draw in range(DRAWS):
            digest = rules.keyed(desk.secret, "pin", rules.pin_of(desk.secret, handle, draw))
            if await pairings.add(tx, new, PairState.WAITING, digest, draw):
                await _note(tx, account, "begin", handle, now, address)
                return await _mine(tx, account, handle)
        raise PinsLocked(60.0)

    made = await deps.store.write(write)
    desk.changed(instead)
    return replace(_view(deps, made, [], now), context_name=chosen.name)


async def type_code(deps: Deps, account: int, role: str, code: str, wish: Wish) -> PairingView:
    """The machine that shows this code, to be confirmed. Raises as `begin`, and TooMany."""
    typed = rules.read_code(code)
    chosen = await _granted(deps, account, role, wish)
    now, desk = deps.clock(), deps.desk
    handle = secrets.token_hex(16)
    new = NewPairing(
        handle, account, "code", chosen.id, chosen.revision, wish.site, wish.name, "", now,
        now + desk.rules.life_s,
    )  # fmt: skip

    async def write(tx: Tx) -> Pairing | None:
        await pairings.hold(tx, account)
        await _not_too_often(tx, account, now)
        wrong = await pairings.wrong_codes(tx, account, now - WINDOW_S)
        if len(wrong) >= desk.rules.wrong_address:
            raise TooMany(max(1.0, wrong[0] + WINDOW_S - now))
        digest = rules.keyed(desk.secret, "code", typed)
        claim = await claims.of_code(tx, digest, now)
        if claim is None:
            await pairings.wrong_code(tx, account, now)
            return None
        number = await pairings.add(tx, new, PairState.WAITING, None, 0)
        if not await claims.bind(tx, claim.id, number):
            raise NotFound("code", rules.code_shown(typed))
        await pairings.move(tx, await _mine(tx, account, handle), "claim", now, machines=1)
        await _note(tx, account, "type-code", handle, now)
        return await _mine(tx, account, handle)

    made = await deps.store.write(write)
    if made is None:
        raise NotFound("code", rules.code_shown(typed))
    return await look(deps, account, made.handle)


async def look(deps: Deps, account: int, handle: str) -> PairingView:
    """A pairing of this account. Raises NotFound."""
    now = deps.clock()

    async def read(tx: Tx) -> tuple[Pairing, list[Claim]]:
        found = await _mine(tx, account, handle)
        return found, await claims.of_pairing(tx, found.id)

    found, seen = await deps.store.read(read)
    view = _view(deps, found, seen, now)
    if found.context and deps.desk.contexts is not None:
        names = await deps.desk.contexts.names([found.context])
        view = replace(view, context_name=names.get(found.context, ""))
    return view


async def wait(
    deps: Deps, account: int, handle: str, since: int | None, seconds: float
) -> PairingView:
    """A pairing as soon as it differs from ``since`` (None: from now), or after so many seconds.

    Raises NotFound.
    """
    first = await look(deps, account, handle)
    known = (first.changes if since is None else since, first.state)
    if since is not None and first.changes != since:
        return first
    latest = first

    async def differs() -> bool:
        nonlocal latest
        latest = await look(deps, account, handle)
        return (latest.changes, latest.state) != known or deps.registry.closing

    desk = deps.desk
    if desk.waiting < WAITING_MOST:
        desk.waiting += 1
        try:
            await desk.until(handle, differs, seconds)
        finally:
            desk.waiting -= 1
    return latest


async def everyone(deps: Deps, account: int) -> list[PairingView]:
    """The last pairings of an account, newest first; without the machines that asked."""
    now = deps.clock()
    rows = await deps.store.read(lambda tx: pairings.latest(tx, account, SHOWN))
    return [_view(deps, row, [], now) for row in rows]


async def confirm(deps: Deps, account: int, handle: str, machine: str) -> PairingView:
    """This machine is mine. Raises NotFound, IllegalMove, PairingOver, Overtaken."""
    now = deps.clock()

    async def write(tx: Tx) -> None:
        found = await _going_on(tx, account, handle, now)
        seen = {claim.handle: claim for claim in await claims.of_pairing(tx, found.id)}
        picked = seen.get(machine)
        if picked is None:
            raise NotFound("machine", machine[:40])
        until = now + deps.desk.rules.life_s
        await pairings.move(tx, found, "confirm", now, expires_at=until, claim=picked.id)
        await _note(tx, account, "confirm", handle, now)

    await deps.store.write(write)
    deps.desk.changed(handle)
    return await look(deps, account, handle)


async def end(deps: Deps, account: int, handle: str, cause: str) -> PairingView:
    """Reject what asks, or cancel. Raises NotFound, IllegalMove, PairingOver, Overtaken."""
    now = deps.clock()

    async def write(tx: Tx) -> None:
        found = await _going_on(tx, account, handle, now)
        await pairings.move(tx, found, cause, now)
        await _note(tx, account, cause, handle, now)

    await deps.store.write(write)
    deps.desk.changed(handle)
    return await look(deps, account, handle)


async def expire(deps: Deps) -> int:
    """Say of pairings whose time is over that they are, and forget old wrong tries; how many."""
    now = deps.clock()
    late = await deps.store.read(lambda tx: pairings.overdue(tx, now, 100))
    for one in late:

        async def write(tx: Tx, one: Pairing = one) -> None:
            found = await pairings.numbered(tx, one.id)
            if found is not None and found.state in LIVE and found.expires_at <= now:
                await pairings.move(tx, found, "expire", now)

        await deps.store.write(write)
        deps.desk.changed(one.handle)
    return len(late)


async def forget(deps: Deps) -> None:
    """Forget wrong tries that no bound looks at any more, and what came to nothing long ago."""
    now = deps.clock()
    old = now - 2 * WINDOW_S
    await deps.store.write(lambda tx: pairings.forget(tx, now, old, now - KEPT_S))


async def _note(tx: Tx, account: int, verb: str, handle: str, at: float, address: str = "") -> None:
    """Keep in the audit log what an owner did."""
    owner = await accounts.of_id(tx, account)
    who = owner.name if owner is not None else f"account {account}"
    audit.note(tx, who, f"pairing.{verb}", handle, at=at, address=address)


async def _open(tx: Tx, account: int, now: float) -> list[Pairing]:
    """The pairings of an account that wait for something its owner does."""
    live = await pairings.live(tx, account, now)
    return [one for one in live if one.state is not PairState.CONFIRMED]


async def _not_too_often(tx: Tx, account: int, now: float) -> None:
    many, first = await pairings.begun(tx, account, now - WINDOW_S)
    if many >= BEGUN_MOST:
        raise TooMany(max(1.0, first + WINDOW_S - now))


async def _mine(tx: Tx, account: int, handle: str) -> Pairing:
    found = await pairings.owned(tx, handle, account)
    if found is None:
        raise NotFound("pairing", handle[:40])
    return found


async def _going_on(tx: Tx, account: int, handle: str, now: float) -> Pairing:
    found = await _mine(tx, account, handle)
    if found.state in LIVE and found.expires_at <= now:
        raise PairingOver
    return found


async def _granted(deps: Deps, account: int, role: str, wish: Wish) -> Chosen:
    """The context that is wanted, if the account may have it and the rest of its wishes."""
    check_label(wish.name)
    if wish.site:
        check_name(wish.site)
        await deps.store.read(lambda tx: stewards.admit(tx, account, role, wish.site))
    if not wish.context:
        return Chosen("", 0, "")
    if deps.desk.contexts is None:
        raise NotFound("context", wish.context[:40])
    return await deps.desk.contexts.choose(account, wish.context, wish.revision)


def check_label(name: str) -> None:
    """`BadInput` unless a machine may be called this; "" is no name."""
    if len(name) > NAME_MOST or not name.isprintable() or name != name.strip():
        raise BadInput(
            [f"name {name[:120]!r}: up to {NAME_MOST} printable characters, no blanks around them"]
        )


def _view(deps: Deps, found: Pairing, seen: Sequence[Claim], now: float) -> PairingView:
    desk = deps.desk
    over = found.state in LIVE and found.expires_at <= now
    state = PairState.EXPIRED if over else found.state
    pin = ""
    if found.way == "pin" and state in (PairState.WAITING, PairState.CLAIMED):
        pin = rules.pin_of(desk.secret, found.handle, found.draw)
    machines = [_machine(deps, claim, found.claim) for claim in seen]
    picked = [one for one in machines if one.picked] or (machines if len(machines) == 1 else [])
    return PairingView(
        found.handle, found.way, str(state), found.expires_at,
        max(0.0, found.expires_at - now) if state in LIVE else 0.0,
        found.created_at, found.changes, found.failed, found.alarms, pin, rules.pin_shown(pin),
        f"{desk.url}/pair/{found.handle}", found.context, found.revision, "", found.site,
        found.name, found.host, picked[0] if picked else None, machines,
    )  # fmt: skip


def _machine(deps: Deps, claim: Claim, picked: int | None) -> MachineSeen:
    said = json.loads(claim.said)
    return MachineSeen(
        claim.handle, deps.desk.words(claim.handle, claim.commitment), claim.address, claim.at,
        claim.uuid, said["hostname"], said["image"], said["version"], said["arch"], said["cores"],
        said["memory_mb"], said["agent_version"], claim.id == picked,
    )  # fmt: skip
