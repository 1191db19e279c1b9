"""My machines: what an owner sees of his hosts, and what he tells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from server.db import hosts as host_rows
from server.db import machines as rows
from server.db.base import Tx
from server.db.hosts import Order
from server.db.machines import Given, Machine
from server.domain.allowance import Allowance
from server.domain.errors import BadInput, NotFound
from server.domain.roles import Caller, reaches
from server.services import audit, enrol, reap, stewards
from server.services.cards import HostCard
from server.services.deps import Deps
from server.services.desk import Chosen, Rendering
from server.services.hostview import HostView
from server.services.pairing import check_label

OPERATORS = "operator"
"""The role from which on somebody sees and commands the machines of all."""
TIMELINE_MOST = 200
NONE_YET = "context: the machine has none yet; say which it shall take (--context, or its page)"
STATES = {
    "working": "working",
    "waiting for work": "waiting for work",
    "suspended": "paused",
    "away": "not heard of",
    "switched off": "switched off by its site",
    "resting": "resting",
    "draining": "finishing its work",
    "stopping": "stopping",
    "banned": "refused by those who run the server",
    "cloned": "copied: two agents speak with its token",
}


@dataclass(frozen=True)
class MachineView:
    """A machine as its owner sees it.

    ``doing`` is a sentence; ``progress`` is of its leases in hand, 0 to 1 (None: it has none), and
    ``events_done`` the events of it that were agreed with. ``context_state`` is what it said became
    of its context. ``twin`` says that a machine of somebody else claims the same UUID.
    """

    id: int
    name: str
    account: str
    site: str
    state: str
    doing: str
    why: str
    progress: float | None
    events_done: int
    running: int
    last_seen: float
    cores: int
    memory_mb: int
    arch: str
    agent: str
    credit: float
    uuid: str = ""
    twin: bool = False
    context_id: str = ""
    revision: int = 0
    context_name: str = ""
    context_state: str = ""
    limits: Allowance = field(default_factory=Allowance)


@dataclass(frozen=True)
class Happening:
    """One line of what happened to a machine."""

    at: float
    what: str
    said: str


@dataclass(frozen=True)
class MachineStory:
    """A machine and its latest history, newest first."""

    machine: MachineView
    timeline: list[Happening] = field(default_factory=list)


async def mine(
    deps: Deps,
    views: Sequence[HostView],
    caller: Caller,
    *,
    everybody: bool = False,
    site: str = "",
) -> list[MachineView]:
    """The machines of an account, of everybody for operators, or of a site that one runs, by name.

    Raises NotYourSite, NotFound.
    """
    if site:
        place = await stewards.admitted(deps, caller, site)
        cards = deps.registry.hosts
        there = [view for view in views if view.id in cards and cards[view.id].site == place.id]
        return await _shown(deps, there, 0)
    account = 0 if everybody and reaches(caller.role, OPERATORS) else caller.account
    return await _shown(deps, views, account)


async def _shown(deps: Deps, views: Sequence[HostView], account: int) -> list[MachineView]:
    async def read(tx: Tx) -> tuple[dict[int, Machine], dict[int, Given], set[int]]:
        twins = {host for same in (await rows.twins(tx)).values() for host in same}
        return await rows.everything(tx, account), await rows.all_given(tx, account), twins

    kept, given, twins = await deps.store.read(read)
    names: dict[str, str] = {}
    if given and deps.desk.contexts is not None:
        names = await deps.desk.contexts.names(sorted({g.context for g in given.values()}))
    cards = deps.registry.hosts
    found = [
        _machine(cards[view.id], view, kept.get(view.id), given.get(view.id), names, twins)
        for view in views
        if view.id in cards and account in (0, cards[view.id].account)
    ]
    return sorted(found, key=lambda one: (one.name.lower(), one.id))


def _machine(
    card: HostCard,
    view: HostView,
    kept: Machine | None,
    given: Given | None,
    names: dict[str, str],
    twins: set[int],
) -> MachineView:
    total = sum(task.row.last - task.row.first for task in card.tasks.values())
    done = sum(max(task.done, task.held.events) for task in card.tasks.values())
    progress = min(1.0, done / total) if total else None
    kept = kept or Machine(card.id)
    state = STATES.get(view.state, view.state)
    shown = MachineView(
        card.id, card.name, card.account_name, view.site, state, "", card.why, progress,
        view.delivered_events, card.running, card.seen_at, card.facts.cores, card.facts.memory_mb,
        card.facts.arch, card.agent, view.credit, kept.uuid, card.id in twins,
        limits=Allowance(kept.cores, kept.memory_mb, kept.hours, kept.network),
    )  # fmt: skip
    if given is not None:
        shown = replace(
            shown,
            context_id=given.context,
            revision=given.revision,
            context_name=names.get(given.context, ""),
            context_state=_became(given),
        )
    return replace(shown, doing=_sentence(shown))


def _became(given: Given) -> str:
    """What a machine said became of its context."""
    if not given.outcome:
        return "waiting for the machine"
    words = " ".join(word for word in (given.outcome, given.how and f"by {given.how}") if word)
    said = f"revision {given.reported} {words}"
    return f"{said}: {given.detail}" if given.detail else said


def _sentence(one: MachineView) -> str:
    said = [one.state]
    if one.progress is not None:
        said.append(f"{one.progress:.0%} of its job")
    said.append(f"{one.events_done:,} events done")
    return ", ".join(said)


async def own(deps: Deps, caller: Caller, host: int) -> HostCard:
    """The card of a machine of this account, or of a site that it runs. Raises NotFound."""
    card = deps.registry.hosts.get(host)
    if card is not None:
        site = card.site
        if card.account == caller.account or await deps.store.read(
            lambda tx: stewards.may_run(tx, caller.account, caller.role, site)
        ):
            return card
    raise NotFound("machine", host)


async def one(deps: Deps, views: Sequence[HostView], caller: Caller, host: int) -> MachineStory:
    """One machine with its history. Raises NotFound."""
    card = await own(deps, caller, host)
    found = [view for view in views if view.id == host] or [_bare(card)]
    [shown] = await _shown(deps, found, card.account)
    lines = await deps.store.read(lambda tx: rows.timeline(tx, host, TIMELINE_MOST))
    return MachineStory(shown, [Happening(*line) for line in lines])


def _bare(card: HostCard) -> HostView:
    """A machine that joined within the last second, before the pool was looked at again."""
    return HostView(
        card.id, card.name, card.account_name, "waiting for work", card.seen_at, card.facts.cores,
        card.facts.arch, card.agent, card.running, 0, 0, None,
    )  # fmt: skip


async def tell(deps: Deps, caller: Caller, host: int, name: str) -> Order:
    """Pause (suspend) or resume a machine. Raises NotFound."""
    await own(deps, caller, host)
    return await enrol.order(deps, host, name, {}, caller.name)


async def limit(deps: Deps, caller: Caller, host: int, wanted: Allowance) -> Allowance:
    """Allow a machine so much, from its next contact on. Raises NotFound, BadInput."""
    await own(deps, caller, host)
    wanted.check()

    async def write(tx: Tx) -> None:
        kept = await rows.one(tx, host)
        changed = replace(
            kept,
            cores=wanted.cores,
            memory_mb=wanted.memory_mb,
            hours=wanted.hours,
            network=wanted.network,
        )
        await rows.save(tx, changed)
        told = f"{wanted.cores} cores, {wanted.memory_mb} MB, hours {wanted.hours or 'always'}"
        audit.note(tx, caller.name, "machine.limit", str(host), told, at=deps.clock())

    await deps.store.write(write)
    await enrol.order(deps, host, "limits", {}, caller.name)
    return wanted


async def rename(deps: Deps, caller: Caller, host: int, name: str) -> None:
    """Call a machine something else. Raises NotFound, BadInput."""
    card = await own(deps, caller, host)
    if not name:
        raise BadInput(["name: a machine has one; write 1 to 100 printable characters"])
    check_label(name)
    now = deps.clock()

    async def write(tx: Tx) -> None:
        await rows.rename(tx, host, name)
        audit.note(tx, caller.name, "machine.rename", str(host), name, at=now)

    await deps.store.write(write)
    card.name = deps.registry.names[host] = name


async def unmanage(deps: Deps, caller: Caller, host: int) -> None:
    """Let a machine go: its token is worth nothing at once, and it is told to stop.

    Raises NotFound.
    """
    card = await own(deps, caller, host)
    now = deps.clock()

    async def write(tx: Tx) -> bool:
        await rows.unmanage(tx, host, caller.name, now)
        audit.note(tx, caller.name, "machine.unmanage", str(host), card.name, at=now)
        return await host_rows.revoke(tx, host)

    await deps.store.write(write)
    # A poll that is open comes back with the command; whatever it asks next is answered with 410.
    card.tell(Order(deps.registry.next_seq(now), host, "stop", {}))
    deps.registry.unmanaged[card.hash] = None
    deps.registry.drop_host(host)
    await reap.release_host(deps, host)


async def recontextualize(
    deps: Deps, caller: Caller, host: int, context: str, revision: int
) -> Chosen:
    """Give a machine this context, or its own in this revision (0: the newest).

    Raises NotFound, Forbidden, BadInput.
    """
    card = await own(deps, caller, host)
    had = await deps.store.read(lambda tx: rows.given(tx, host))
    if had is None and not context:
        raise BadInput([NONE_YET])
    kept = had is not None and context in ("", had.context)
    context = had.context if had is not None and kept else context
    if deps.desk.contexts is None:
        raise NotFound("context", context[:40])
    if not (kept or card.account == caller.account or reaches(caller.role, OPERATORS)):
        # Who runs its site chooses among what he sees himself, not among its owner's private ones.
        await deps.desk.contexts.choose(caller.account, context, revision)
    # What its owner may use, whoever gives it: an operator's own contexts are not his to hand out.
    chosen = await deps.desk.contexts.choose(card.account, context, revision)
    now = deps.clock()

    async def write(tx: Tx) -> None:
        await rows.give(tx, host, chosen.id, chosen.revision, now)
        told = f"{chosen.id} revision {chosen.revision}"
        audit.note(tx, caller.name, "machine.recontextualize", str(host), told, at=now)

    await deps.store.write(write)
    await enrol.order(deps, host, "recontextualize", {}, caller.name)
    return chosen


async def context_of(deps: Deps, card: HostCard) -> Rendering:
    """The context that a host shall have, made for it; without one, an empty one."""
    given = await deps.store.read(lambda tx: rows.given(tx, card.id))
    if given is None or deps.desk.contexts is None:
        return Rendering("", 0, "")
    return await deps.desk.contexts.render(given.context, given.revision, card.id)


async def context_became(
    deps: Deps, card: HostCard, context: str, revision: int, outcome: str, how: str, detail: str
) -> None:
    """Keep what a host says became of a revision. Raises NotFound if it was given another."""
    now = deps.clock()
    plain = "".join(sign if sign.isprintable() else " " for sign in detail)
    if not await deps.store.write(
        lambda tx: rows.report(tx, card.id, context, revision, outcome, how, plain, now)
    ):
        raise NotFound("context", context)


async def limits_of(deps: Deps, card: HostCard) -> Allowance:
    """What its owner allows a host."""
    kept = await deps.store.read(lambda tx: rows.one(tx, card.id))
    return Allowance(kept.cores, kept.memory_mb, kept.hours, kept.network)
