"""Sites: shown, switched off and on again, and what their hosts answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from server.db import moves, sites
from server.db.accounts import named as account_named
from server.db.base import Tx
from server.db.sites import Release, Site, Switch
from server.domain.errors import BadInput, Forbidden, NotFound
from server.domain.farm import (
    COMMANDS,
    MEMBERS_MOST,
    Answer,
    Mode,
    Scope,
    Target,
    after,
    check_switch,
    stage,
)
from server.domain.roles import Caller, reaches
from server.domain.rollup import MachineKind
from server.services import audit, stewards, switching
from server.services.cards import HERE_S, HostCard
from server.services.deps import Deps
from server.services.report import end

log = logging.getLogger("windfall.sites")
NAMED = 50  # hosts that have not answered, told by name
FOR_EVER_S = 100 * 365 * 86_400.0  # a switch holds until the next
OWN, OTHERS, EVERYBODY = stewards.LEAST, stewards.NAMES, "admin"
"""The roles that may switch these hosts."""


@dataclass(frozen=True)
class Wish:
    """What somebody wants of the hosts of a scope; ``name`` is a site's or an account's."""

    scope: Scope
    name: str
    how: str
    grace_s: float
    reason: str
    hosts: tuple[int, ...] = ()


@dataclass(frozen=True)
class SwitchView:
    """The last switch that told hosts of a site to leave; times in s after it.

    ``hosts`` were here then; ``taken_back`` are leases that they still had when they said that they
    had left. ``waiting`` names those that have not left, at most 50 of them.
    """

    seq: int
    how: str
    scope: str
    by: str
    at: float
    grace_s: float
    reason: str
    hosts: int
    heard: int
    released: int
    release_50_s: float | None
    release_95_s: float | None
    release_100_s: float | None
    taken_back: int
    waiting: list[str]


@dataclass(frozen=True)
class SiteView:
    """A site as people see it."""

    name: str
    mode: str
    how: str
    since: float
    reason: str
    stage: str
    hosts: int
    hosts_now: int
    working: int
    leases: int
    last_switch: SwitchView | None = None
    kind: str = ""


@dataclass(frozen=True)
class Switched:
    """A switch that was made: its number, and how many hosts were told at once."""

    seq: int
    hosts: int


def may_switch(caller: Caller, wish: Wish) -> None:
    """Forbidden unless this account may switch such a scope: its own hosts, others', or all.

    Of a site who runs it is asked in the transaction of the switch.
    """
    least = OTHERS
    if wish.scope is Scope.SITE or (wish.scope is Scope.ACCOUNT and wish.name == caller.name):
        least = OWN
    elif wish.scope is Scope.ALL:
        least = EVERYBODY
    if not reaches(caller.role, least):
        raise Forbidden(least)


async def switch(deps: Deps, wish: Wish, caller: Caller) -> Switched:
    """Tell all hosts of a scope how to go on, with one row, and wake their long polls at once.

    Raises BadInput, Forbidden, NotYourSite, NotFound.
    """
    may_switch(caller, wish)
    by = caller.name
    mode = check_switch(wish.how, wish.grace_s, wish.reason)
    args = {} if mode in (Mode.ONLINE, Mode.SUSPEND) else {"stay": "1"}
    if mode is not Mode.ONLINE:
        args["grace_s"] = f"{wish.grace_s:g}"
    now = deps.clock()

    async def write(tx: Tx) -> Switch:
        target, hit = await _target(tx, deps, wish, caller)
        seq = deps.registry.next_seq(now)
        made = Switch(seq, target, mode, COMMANDS[mode], args, by, now, wish.reason)
        await sites.add(tx, made, now + FOR_EVER_S)
        for site in hit:
            moves.log(tx, None, "site", site.id, str(site.mode), str(mode), f"{by}", now)
        told = f"{target.scope}: {mode} {wish.reason}".strip()
        audit.note(tx, by, "site.switch", wish.name, told, at=now)
        if hit:
            one = hit[0].id if target.scope is Scope.SITE else None
            await sites.set_mode(tx, one, mode, now, wish.reason)
        return made

    made = await deps.store.write(write)
    told = switching.spread(deps.registry, made)
    for number, site in deps.registry.sites.items():
        if made.target.scope is Scope.ALL or made.target == Target(Scope.SITE, number):
            deps.registry.sites[number] = replace(site, mode=mode, since=now, reason=wish.reason)
    log.info("switched", extra={"action": made.name, "scope": made.target.scope, "hosts": told})
    return Switched(made.seq, told)


async def set_kind(deps: Deps, name: str, kind: str, by: str) -> SiteView:
    """Say what kind of machines a site has, for the statistics from now on; empty: not said.

    Raises BadInput, NotFound.
    """
    known = ["", *map(str, MachineKind)]
    if kind not in known:
        raise BadInput([f"kind {kind!r}: must be one of {', '.join(known[1:])}, or empty"])

    async def write(tx: Tx) -> Site:
        site = await sites.named(tx, name)
        if site is None:
            raise NotFound("site", name)
        await sites.set_kind(tx, site.id, kind)
        audit.note(tx, by, "site.kind", name, kind, at=deps.clock())
        return replace(site, kind=kind)

    made = await deps.store.write(write)
    deps.registry.sites[made.id] = replace(deps.registry.sites.get(made.id, made), kind=kind)
    return await show(deps, name)


async def _target(tx: Tx, deps: Deps, wish: Wish, caller: Caller) -> tuple[Target, list[Site]]:
    """Whom a wish is for, and the sites that are switched whole."""
    if wish.scope is Scope.ALL:
        return Target(Scope.ALL), await sites.everyone(tx)
    if wish.scope is Scope.ACCOUNT:
        account = await account_named(tx, wish.name)
        if account is None:
            raise NotFound("account", wish.name)
        return Target(Scope.ACCOUNT, account.id), []
    site = await stewards.admit(tx, caller.account, caller.role, wish.name)
    if not wish.hosts:
        return Target(Scope.SITE, site.id), [site]
    _check_members(deps, site, wish.hosts)
    return Target(Scope.HOSTS, site.id, frozenset(wish.hosts)), []


def _check_members(deps: Deps, site: Site, members: Sequence[int]) -> None:
    if len(members) > MEMBERS_MOST:
        raise BadInput([f"hosts: {len(members)} are listed; at most {MEMBERS_MOST}"])
    cards = deps.registry.hosts
    strange = [n for n in members if n not in cards or cards[n].site != site.id]
    if strange:
        some = ", ".join(str(number) for number in strange[:10])
        raise BadInput([f"hosts {some}: not of site {site.name}; `windfall host list` shows whose"])


async def released(deps: Deps, card: HostCard, seq: int, released_at: float) -> None:
    """A host has obeyed a switch: nothing of it runs any more, or all of it is paused.

    What it had leased and has not given back is taken back, as it holds nothing. Said twice it is
    heard once; of a switch that does not reach it nothing is kept.
    """
    now, found = deps.clock(), card.switch
    card.seen_at = now
    if found is None or found.seq != seq or found.mode is Mode.ONLINE:
        return
    left = [] if found.mode is Mode.SUSPEND else list(card.tasks.values())
    for task in left:
        await end(deps, task, "deliver" if task.covered else "give-back")
    word = min(max(released_at, found.at), now)
    release = Release(card.id, word, now, len(left))

    async def write(tx: Tx) -> None:
        sites.released(tx, seq, release)

    await deps.store.write(write)


async def everyone(deps: Deps) -> list[SiteView]:
    """Every site, by name; of those that are online without their last switch."""
    found = sorted(deps.registry.sites.values(), key=lambda site: site.name)
    return [await _view(deps, site, site.mode is not Mode.ONLINE) for site in found]


async def mine(deps: Deps, caller: Caller) -> list[SiteView]:
    """The sites that somebody may run, by name, as `everyone` has them."""
    own = set(await stewards.names(deps, caller))
    return [view for view in await everyone(deps) if view.name in own]


async def show(deps: Deps, name: str) -> SiteView:
    """One site. Raises NotFound."""
    for site in deps.registry.sites.values():
        if site.name == name:
            return await _view(deps, site)
    raise NotFound("site", name)


async def _view(deps: Deps, site: Site, whole: bool = True) -> SiteView:
    async def read(tx: Tx) -> tuple[Switch | None, list[Release]]:
        last = await sites.last(tx, site.id)
        return last, [] if last is None else await sites.releases(tx, last.seq)

    last, said = await deps.store.read(read) if whole else (None, [])
    now = deps.clock()
    cards = [card for card in deps.registry.hosts.values() if card.site == site.id]
    answers = [] if last is None else _answers(cards, last, said)
    far = stage(site.mode, site.since, last.grace_s if last else 0.0, now, answers)
    return SiteView(
        site.name,
        "online" if site.mode is Mode.ONLINE else "offline",
        "" if site.mode is Mode.ONLINE else str(site.mode),
        site.since,
        site.reason,
        str(far),
        len(cards),
        sum(1 for card in cards if now - card.seen_at < HERE_S),
        sum(1 for card in cards if card.running),
        sum(len(card.tasks) for card in cards),
        None if last is None else _switch_view(deps, last, answers, said),
        site.kind,
    )


def _answers(cards: Sequence[HostCard], last: Switch, said: Sequence[Release]) -> list[Answer]:
    """What the hosts made of a switch that were here then, or have come since."""
    left = {release.host: max(0.0, release.heard_at - last.at) for release in said}
    return [
        Answer(card.id, card.acked >= last.seq or card.id in left, left.get(card.id))
        for card in cards
        if last.target.reaches(card.id, card.account, card.site)
        and (card.id in left or card.seen_at >= last.at - HERE_S)
    ]


def _switch_view(
    deps: Deps, last: Switch, answers: Sequence[Answer], said: Sequence[Release]
) -> SwitchView:
    waiting = [answer.host for answer in answers if answer.after_s is None]
    here = {answer.host for answer in answers}
    names = deps.registry.names
    return SwitchView(
        last.seq,
        str(last.mode),
        str(last.target.scope),
        last.by,
        last.at,
        last.grace_s,
        last.reason,
        len(answers),
        sum(1 for answer in answers if answer.heard),
        len(answers) - len(waiting),
        after(answers, 0.5),
        after(answers, 0.95),
        after(answers, 1.0),
        sum(release.leases for release in said if release.host in here),
        [names.get(host, str(host)) for host in waiting[:NAMED]],
    )
