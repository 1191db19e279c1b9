"""Orders to many machines at once: looked at before, stored, undone or carried out."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from server.db import accounts, units
from server.db import bulk as rows
from server.db.base import Tx
from server.db.bulk import Bulk
from server.domain.errors import BadInput, NotFound, Refusal
from server.domain.roles import reaches
from server.services import audit, bans, enrol, produce
from server.services.cards import HostCard
from server.services.deps import Deps
from server.services.hostview import state_of

log = logging.getLogger("windfall.bulk")
COMMANDS = ("drain", "stop", "suspend", "resume")
ACTIONS = (*COMMANDS, "ban", "unban", "release")
"""What can be ordered: commands, bans, and to let the held units of productions go on."""
GRACE_LEAST_S, GRACE_S, GRACE_MOST_S = 5.0, 60.0, 86_400.0
NAMED = 20  # subjects that a preview names
LISTED = 50
MOST = 20_000  # subjects of one order
AT_ONCE = 50  # subjects that share a flush to the disk
EVERY_S = 1.0
GIVERS = "admin"  # the least role that orders
LAPSED = "not carried out: who gave it may not any more"


class BulkChanged(Refusal):
    """It would not reach the same any more as when it was shown: look at it again, and give it."""

    code = "bulk-changed"


class BulkBegun(Refusal):
    """Order {id} has begun, or was undone already: nothing was changed; order the opposite."""

    code = "bulk-begun"
    id: int


@dataclass(frozen=True)
class Wish:
    """An order as somebody wants it.

    Machines are those of ``hosts``, or else all of this account, site, state and with this in their
    name; nothing said at all is all there are. ``productions`` are for ``release`` alone, by name.
    ``reason`` and ``seconds`` (None: until it is lifted) are of bans. ``seen`` is what a preview
    calls its subjects: others are not given the order; empty: whoever it is now.
    """

    action: str
    hosts: tuple[int, ...] = ()
    q: str = ""
    account: str = ""
    site: str = ""
    state: str = ""
    productions: tuple[str, ...] = ()
    reason: str = ""
    seconds: float | None = None
    grace_s: float = GRACE_S
    seen: str = ""


@dataclass(frozen=True)
class BulkPreview:
    """What an order would affect, as things are now.

    ``leases`` are those of its machines, ``events`` leased to them, ``held`` of these in hand, and
    ``lost`` computed and not in hand yet: what a stop or a ban may waste. ``units`` are held units.
    ``seen`` goes with an order that is to reach these and no others.
    """

    action: str
    subjects: int
    working: int
    leases: int
    events: int
    held: int
    lost: int
    units: int
    names: list[str] = field(default_factory=list)
    seen: str = ""


@dataclass(frozen=True)
class BulkView:
    """An order, where it stands (waiting, undone, done), and what came of it."""

    id: int
    action: str
    subjects: int
    reason: str
    made_by: str
    made_at: float
    begins_at: float
    state: str
    undone_by: str
    done_at: float | None
    outcome: str


async def preview(deps: Deps, wish: Wish) -> BulkPreview:
    """What an order would affect. Raises BadInput, NotFound."""
    _check(wish)
    if wish.action == "release":
        return await _preview_release(deps, wish)
    cards = _hosts(deps, wish)
    leases = [task for card in cards for task in card.tasks.values()]
    held = sum(task.held.events for task in leases)
    return BulkPreview(
        wish.action, len(cards), sum(card.running > 0 for card in cards), len(leases),
        sum(task.row.last - task.row.first for task in leases), held,
        sum(max(0, task.done - task.held.events) for task in leases), 0,
        [card.name for card in cards[:NAMED]], _seen([card.id for card in cards]),
    )  # fmt: skip


async def _preview_release(deps: Deps, wish: Wish) -> BulkPreview:
    found = [await produce.find(deps, name) for name in wish.productions]

    async def read(tx: Tx) -> int:
        return sum([(await units.held(tx, row.id, 0))[0] for row in found])

    count = await deps.store.read(read)
    names = [row.name for row in found[:NAMED]]
    seen = _seen([row.id for row in found])
    return BulkPreview(wish.action, len(found), 0, 0, 0, 0, 0, count, names, seen)


async def order(deps: Deps, wish: Wish, by: str) -> BulkView:
    """Store an order, which begins after its grace. Raises BadInput, NotFound, BulkChanged."""
    _check(wish)
    if wish.action == "release":
        subjects = [(await produce.find(deps, name)).id for name in wish.productions]
    else:
        subjects = [card.id for card in _hosts(deps, wish)]
    if not subjects:
        raise BadInput(["nothing is like that: no machine would be told anything"])
    if len(subjects) > MOST:
        raise BadInput([f"that is {len(subjects)} machines, and an order reaches {MOST}"])
    if wish.seen and wish.seen != _seen(subjects):
        raise BulkChanged()
    now = deps.clock()
    args = {"reason": wish.reason}
    if wish.seconds is not None:
        args["seconds"] = repr(wish.seconds)

    async def write(tx: Tx) -> Bulk:
        made = await rows.add(tx, wish.action, args, subjects, by, now, now + wish.grace_s)
        told = f"{len(subjects)} subjects, after {wish.grace_s:g} s"
        audit.note(tx, by, f"bulk.{wish.action}", str(made.id), told, at=now)
        return made

    return _view(await deps.store.write(write))


async def undo(deps: Deps, number: int, by: str) -> BulkView:
    """Take an order back that has not begun. Raises NotFound, BulkBegun."""
    now = deps.clock()

    async def write(tx: Tx) -> Bulk:
        undone = await rows.undo(tx, number, by, now)
        found = await rows.one(tx, number)
        if found is None:
            raise NotFound("order", number, "bulk-unknown")
        if not undone:
            raise BulkBegun(number)
        audit.note(tx, by, "bulk.undo", str(number), found.action, at=now)
        return found

    return _view(await deps.store.write(write))


async def listed(deps: Deps) -> list[BulkView]:
    """The latest orders, newest first."""
    return [_view(one) for one in await deps.store.read(lambda tx: rows.latest(tx, LISTED))]


async def once(deps: Deps) -> int:
    """Carry out what has to begin by now; how many orders.

    An order that a crash cut short is carried out again from its start: commands and bans are the
    same when they come twice.
    """
    now = deps.clock()
    found = await deps.store.read(lambda tx: rows.due(tx, now))
    for one in found:
        outcome = await _carry_out(deps, one) if await _still_may(deps, one) else LAPSED
        log.info("carried out", extra={"action": f"bulk.{one.action}", "order": one.id})
        await deps.store.write(partial(rows.done, number=one.id, outcome=outcome, at=deps.clock()))
    return len(found)


async def _still_may(deps: Deps, one: Bulk) -> bool:
    """Whether who gave an order could give it now: much may happen within a day's grace."""
    giver = await deps.store.read(lambda tx: accounts.named(tx, one.made_by))
    return giver is not None and giver.state == "active" and reaches(giver.role, GIVERS)


async def _carry_out(deps: Deps, one: Bulk) -> str:
    """Tell each subject, some at once; in words, how many heard and why others did not."""
    told, faults = 0, Counter[str]()
    subjects = await deps.store.read(lambda tx: rows.subjects(tx, one.id))
    for place in range(0, len(subjects), AT_ONCE):
        some = subjects[place : place + AT_ONCE]
        for end in await asyncio.gather(*(_tell(deps, one, subject) for subject in some)):
            told += not end
            faults.update([end] if end else [])
    said = [f"{told} of {one.subjects}"]
    return ", ".join([*said, *(f"{count} {code}" for code, count in sorted(faults.items()))])


async def _tell(deps: Deps, one: Bulk, subject: int) -> str:
    """Tell one subject; the code of a refusal, empty if all is well."""
    try:
        await _do(deps, one, subject)
    except Refusal as refusal:
        return refusal.code
    except Exception:
        # Begun again for its sake, the order would be given to all others once a second.
        log.exception("not told", extra={"action": f"bulk.{one.action}", "order": one.id})
        return "failed"
    return ""


async def _do(deps: Deps, one: Bulk, subject: int) -> None:
    seconds = float(one.args["seconds"]) if "seconds" in one.args else None
    match one.action:
        case "ban":
            await bans.ban(deps, subject, one.args.get("reason", ""), seconds, one.made_by)
        case "unban":
            await bans.lift(deps, subject, one.made_by)
        case "release":
            await produce.move(deps, str(subject), "release", one.made_by)
        case _:
            await enrol.order(deps, subject, one.action, {}, one.made_by)


def _check(wish: Wish) -> None:
    faults = []
    if wish.action not in ACTIONS:
        faults.append(f"action: {wish.action[:40]!r} is none; there are {', '.join(ACTIONS)}")
    if not GRACE_LEAST_S <= wish.grace_s <= GRACE_MOST_S:
        faults.append(f"grace_s: from {GRACE_LEAST_S:g} to {GRACE_MOST_S:g} seconds")
    reason = wish.reason
    bad = not reason.strip() or len(reason) > bans.REASON_MOST or not reason.isprintable()
    if wish.action == "ban" and bad:
        faults.append(f"reason: 1 to {bans.REASON_MOST} printable characters, told to the machines")
    if wish.seconds is not None and not 0 < wish.seconds < 1e10:
        faults.append("seconds: more than 0, or none at all: until it is lifted")
    if (wish.action == "release") != bool(wish.productions):
        faults.append("productions: named for release, and for nothing else")
    if faults:
        raise BadInput(faults)


def _hosts(deps: Deps, wish: Wish) -> list[HostCard]:
    """The machines that are meant, by name."""
    registry, now = deps.registry, deps.clock()
    if wish.hosts:
        strange = [host for host in wish.hosts if host not in registry.hosts]
        if strange:
            raise NotFound("host", strange[0])
        return [registry.hosts[host] for host in dict.fromkeys(wish.hosts)]
    found = []
    for card in registry.hosts.values():
        site = registry.site_name(card.site)
        words = f"{card.name}\n{card.account_name}\n{site}".lower()
        if (
            wish.q.lower() in words
            and wish.account in ("", card.account_name)
            and wish.site in ("", site)
            and wish.state in ("", state_of(card, now))
        ):
            found.append(card)
    return sorted(found, key=lambda card: (card.name, card.id))


def _seen(subjects: list[int]) -> str:
    """What subjects are called in few letters, in whatever order."""
    return hashlib.sha256(json.dumps(sorted(subjects)).encode()).hexdigest()[:16]


def _view(one: Bulk) -> BulkView:
    state = "undone" if one.undone_at is not None else "waiting"
    return BulkView(
        one.id, one.action, one.subjects, one.args.get("reason", ""), one.made_by, one.made_at,
        one.begins_at, "done" if one.done_at is not None else state, one.undone_by, one.done_at,
        one.outcome,
    )  # fmt: skip
