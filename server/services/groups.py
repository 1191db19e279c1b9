"""Groups as their people manage them: made, asked into, left, handed over, removed.

A group is there for its members, for who is asked to join, and for administrators; for anybody else
it is not: `NotFound`, like one that never was. Its one owner, or an administrator, changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from server.db import accounts, groups
from server.db.accounts import Account
from server.db.base import Tx
from server.db.groups import Group
from server.domain.errors import BadInput, Exists, Forbidden, NotFound, Refusal
from server.domain.people import group_faults
from server.domain.roles import Caller, reaches
from server.domain.throttle import Rate
from server.services import audit
from server.services.deps import Deps

RUNS_ALL = "admin"
"""The role that sees and changes every group, and puts people into one without asking them."""
OWNED_MOST = 50  # groups of one account
PEOPLE_MOST = 1000  # members of a group, and people who are asked to join
WRONG_NAMES = Rate(30, 3600.0)  # so many unknown names an account may ask to join: no guessing


class NotOwner(Refusal):
    """Only the owner of the group {group} may do this; ask him, or an administrator."""

    code = "not-owner"
    group: str


@dataclass(frozen=True)
class GroupView:
    """A group in a line; ``standing`` is the caller's: owner, member, asked, or "" for none."""

    name: str
    title: str
    owner: str
    members: int
    created_at: float
    standing: str


@dataclass(frozen=True)
class MemberView:
    """Somebody in a group."""

    name: str
    full_name: str
    owns: bool
    since: float


@dataclass(frozen=True)
class AskedView:
    """Somebody who is asked to join."""

    name: str
    asked_by: str
    at: float


@dataclass(frozen=True)
class GroupFacts:
    """A group with its people, whom only members see; ``may_change`` says that the caller may."""

    group: GroupView
    may_change: bool
    members: list[MemberView] = field(default_factory=list)
    asked: list[AskedView] = field(default_factory=list)


async def listed(deps: Deps, caller: Caller, *, everybody: bool = False) -> list[GroupView]:
    """The groups that one is in or is asked to join; every one, for administrators."""

    async def read(tx: Tx) -> list[GroupView]:
        mine = {each.name: each for each in await groups.of_account(tx, caller.account)}
        asking = {each.name: each for each in await groups.asking(tx, caller.account)}
        found = {**asking, **mine}
        if everybody and reaches(caller.role, RUNS_ALL):
            found |= {each.name: each for each in await groups.everyone(tx)}
        return [
            _view(each, _standing(caller, each, name in mine, name in asking))
            for name, each in sorted(found.items())
        ]

    return await deps.store.read(read)


async def show(deps: Deps, caller: Caller, name: str) -> GroupFacts:
    """One group. Raises NotFound."""
    return await deps.store.read(lambda tx: _facts(tx, caller, name))


async def create(deps: Deps, caller: Caller, name: str, title: str = "") -> GroupFacts:
    """A new group, of which the caller is the owner. Raises BadInput, Exists."""
    title = title.strip()
    if faults := group_faults(name, title):
        raise BadInput(faults)
    now = deps.clock()

    async def write(tx: Tx) -> GroupFacts:
        owned = [
            each
            for each in await groups.of_account(tx, caller.account)
            if each.owner_id == caller.account
        ]
        if len(owned) >= OWNED_MOST:
            raise BadInput([f"groups: {OWNED_MOST} are yours, and no more may be; remove some"])
        if await groups.create(tx, name, title, caller.account, now) is None:
            raise Exists("group", name)
        audit.note(tx, caller.name, "group.create", name, title, at=now)
        return await _facts(tx, caller, name)

    return await deps.store.write(write)


async def change(deps: Deps, caller: Caller, name: str, new: str, title: str) -> GroupFacts:
    """Call a group something else; what is shared with it stays so.

    Raises NotFound, NotOwner, BadInput, Exists.
    """
    title = title.strip()
    if faults := group_faults(new, title):
        raise BadInput(faults)
    now = deps.clock()

    async def write(tx: Tx) -> GroupFacts:
        found = await _mine(tx, caller, name)
        if not await groups.change(tx, found, new, title):
            raise Exists("group", new)
        audit.note(tx, caller.name, "group.change", name, {"name": new, "title": title}, at=now)
        return await _facts(tx, caller, new)

    return await deps.store.write(write)


async def remove(deps: Deps, caller: Caller, name: str) -> None:
    """Forget a group, and share nothing with it any more. Raises NotFound, NotOwner."""
    now = deps.clock()

    async def write(tx: Tx) -> None:
        found = await _mine(tx, caller, name)
        await groups.remove(tx, found)
        audit.note(tx, caller.name, "group.remove", name, f"{found.members} members", at=now)

    await deps.store.write(write)


async def ask(deps: Deps, caller: Caller, name: str, whom: str) -> None:
    """Ask somebody to join, who may say no. Raises NotFound, NotOwner, BadInput, TooMany."""
    now = deps.clock()
    await deps.store.read(lambda tx: _mine(tx, caller, name))
    well = deps.doors.throttle.take(now, ((f"group-ask {caller.account}", WRONG_NAMES),))

    async def write(tx: Tx) -> None:
        found = await _mine(tx, caller, name)
        other = await _account(tx, whom)
        await _room(tx, found)
        if await groups.is_member(tx, found.id, other.id):
            raise BadInput([f"account: {whom} is in the group already"])
        if await groups.ask(tx, found.id, other.id, caller.name, now):
            audit.note(tx, caller.name, "group.ask", name, whom, at=now)

    await deps.store.write(write)
    well()


async def unask(deps: Deps, caller: Caller, name: str, whom: str) -> None:
    """Ask somebody no longer, or say no oneself. Raises NotFound, NotOwner."""
    now = deps.clock()

    async def write(tx: Tx) -> None:
        found, _ = await _seen(tx, caller, name)
        if whom != caller.name:
            found = await _mine(tx, caller, name)
        other = await accounts.named(tx, whom)
        if other is None or not await groups.unask(tx, found.id, other.id):
            raise NotFound("invitation", whom[:64])
        word = "group.decline" if whom == caller.name else "group.unask"
        audit.note(tx, caller.name, word, name, whom, at=now)

    await deps.store.write(write)


async def join(deps: Deps, caller: Caller, name: str) -> GroupFacts:
    """Say yes to who asked. Raises NotFound."""
    now = deps.clock()

    async def write(tx: Tx) -> GroupFacts:
        found, standing = await _seen(tx, caller, name)
        if standing in ("owner", "member"):
            return await _facts(tx, caller, name)
        if standing != "asked":  # an administrator sees groups that never asked him
            raise NotFound("invitation", caller.name)
        await groups.add(tx, found.id, caller.account, now)
        audit.note(tx, caller.name, "group.join", name, at=now)
        return await _facts(tx, caller, name)

    return await deps.store.write(write)


async def add(deps: Deps, caller: Caller, name: str, whom: str) -> None:
    """Put somebody into a group without asking him. Raises Forbidden, NotFound, BadInput."""
    if not reaches(caller.role, RUNS_ALL):
        raise Forbidden(RUNS_ALL)
    now = deps.clock()

    async def write(tx: Tx) -> None:
        found, _ = await _seen(tx, caller, name)
        other = await _account(tx, whom)
        await _room(tx, found)
        if await groups.add(tx, found.id, other.id, now):
            audit.note(tx, caller.name, "group.add", name, whom, at=now)

    await deps.store.write(write)


async def drop(deps: Deps, caller: Caller, name: str, whom: str) -> None:
    """Put a member out, or leave: what is shared with the group is his no longer, at once.

    What he shared with it is taken back too. Raises NotFound, NotOwner, BadInput.
    """
    now = deps.clock()

    async def write(tx: Tx) -> None:
        found, _ = await _seen(tx, caller, name)
        if whom != caller.name:
            found = await _mine(tx, caller, name)
        if found.owner == whom:
            raise BadInput([f"account: {whom} owns the group; hand it over first, or remove it"])
        other = await accounts.named(tx, whom)
        if other is None or not await groups.drop(tx, found, other.id):
            raise NotFound("member", whom[:64])
        word = "group.leave" if whom == caller.name else "group.drop"
        audit.note(tx, caller.name, word, name, whom, at=now)

    await deps.store.write(write)


async def hand_over(deps: Deps, caller: Caller, name: str, whom: str) -> GroupFacts:
    """Make another member the owner. Raises NotFound, NotOwner."""
    now = deps.clock()

    async def write(tx: Tx) -> GroupFacts:
        found = await _mine(tx, caller, name)
        other = await accounts.named(tx, whom)
        if other is None or not await groups.is_member(tx, found.id, other.id):
            raise NotFound("member", whom[:64])
        if other.state != "active":
            raise BadInput([f"account: {whom} is disabled; hand the group to somebody else"])
        await groups.hand_over(tx, found.id, other.id)
        audit.note(tx, caller.name, "group.hand-over", name, f"{found.owner} to {whom}", at=now)
        return await _facts(tx, caller, name)

    return await deps.store.write(write)


async def enter(tx: Tx, found: Sequence[Group], account: Account, by: str, at: float) -> None:
    """Put a new account into the groups of its invitation, in this transaction."""
    for each in found:
        if await groups.add(tx, each.id, account.id, at):
            audit.note(tx, by, "group.add", each.name, account.name, at=at)


def _standing(caller: Caller, group: Group, member: bool, asked: bool) -> str:
    if group.owner_id == caller.account:
        return "owner"
    return "member" if member else "asked" if asked else ""


def _view(group: Group, standing: str) -> GroupView:
    return GroupView(
        group.name, group.title, group.owner, group.members, group.created_at, standing
    )


async def _seen(tx: Tx, caller: Caller, name: str) -> tuple[Group, str]:
    """A group as the caller may see it, and his standing. Raises NotFound."""
    found = await groups.named(tx, name)
    if found is not None:
        member = await groups.is_member(tx, found.id, caller.account)
        asked = await groups.is_asked(tx, found.id, caller.account)
        if standing := _standing(caller, found, member, asked):
            return found, standing
        if reaches(caller.role, RUNS_ALL):
            return found, ""
    raise NotFound("group", name[:64])


async def _mine(tx: Tx, caller: Caller, name: str) -> Group:
    """A group that the caller may change. Raises NotFound, NotOwner."""
    found, standing = await _seen(tx, caller, name)
    if standing != "owner" and not reaches(caller.role, RUNS_ALL):
        raise NotOwner(name)
    return found


async def _facts(tx: Tx, caller: Caller, name: str) -> GroupFacts:
    found, standing = await _seen(tx, caller, name)
    above = reaches(caller.role, RUNS_ALL)
    view = _view(found, standing)
    if standing == "asked" and not above:
        return GroupFacts(view, False)
    people = await groups.members(tx, found.id)
    asked = await groups.asked(tx, found.id)
    return GroupFacts(
        view,
        standing == "owner" or above,
        [MemberView(one.name, one.full_name, one.owns, one.added_at) for one in people],
        [AskedView(one.name, one.made_by, one.made_at) for one in asked],
    )


async def _account(tx: Tx, name: str) -> Account:
    found = await accounts.named(tx, name)
    if found is None or found.state != "active":
        raise NotFound("account", name[:64])
    return found


async def _room(tx: Tx, group: Group) -> None:
    if group.members + len(await groups.asked(tx, group.id)) >= PEOPLE_MOST:
        raise BadInput([f"group: {PEOPLE_MOST} people are in it or asked, and no more may be"])
