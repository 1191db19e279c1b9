"""Teams: people who compare what they give; made, joined, left. They share nothing but a name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from server.db import teams as rows
from server.db.base import Tx
from server.db.teams import Member, Team
from server.domain.credit import MICROS
from server.domain.errors import BadInput, Exists, Forbidden, NotFound, Refusal
from server.domain.people import is_of_one_alphabet, looks_like
from server.domain.roles import Caller, reaches
from server.domain.throttle import Rate
from server.services import audit
from server.services.deps import Deps

NAME_MOST, WORDS_MOST = 64, 500
MEMBERS = 200  # that are shown
MADE = Rate(5, 86_400.0)
RUNS_ALL = "admin"
_URL = re.compile(r"https?://[^\s<>\"']{1,190}")


class InTeam(Refusal):
    """You are in a team, and nobody is in two: leave it first."""

    code = "in-team"


@dataclass(frozen=True)
class TeamView:
    """A team; credit is that of its present members, in core-seconds of the reference machine.

    ``founder`` and ``member`` say what one is in it oneself.
    """

    id: int
    name: str
    words: str
    url: str
    country: str
    made_at: float
    members: int
    credit: float
    founder: bool
    member: bool


@dataclass(frozen=True)
class MemberView:
    """Somebody in a team."""

    name: str
    joined_at: float
    events: int
    credit: float
    founder: bool


@dataclass(frozen=True)
class TeamStory:
    """A team and its people, who gave most first; at most 200."""

    team: TeamView
    people: list[MemberView] = field(default_factory=list)


@dataclass(frozen=True)
class TeamList:
    """Every team, that with most credit first; ``mine`` is the id of one's own, 0 for none."""

    teams: list[TeamView] = field(default_factory=list)
    mine: int = 0


async def listed(deps: Deps, caller: Caller) -> TeamList:
    """Every team."""

    async def read(tx: Tx) -> tuple[list[Team], int]:
        return await rows.everyone(tx), await rows.of_account(tx, caller.account)

    found, mine = await deps.store.read(read)
    found.sort(key=lambda team: (-team.micros, team.name))
    return TeamList([_view(team, caller, mine) for team in found], mine)


async def show(deps: Deps, caller: Caller, team: int) -> TeamStory:
    """One team. Raises NotFound."""

    async def read(tx: Tx) -> tuple[Team | None, list[Member], int]:
        found = await rows.one(tx, team)
        people = await rows.members(tx, team, MEMBERS)
        return found, people, await rows.of_account(tx, caller.account)

    found, people, mine = await deps.store.read(read)
    if found is None:
        raise NotFound("team", team)
    return TeamStory(
        _view(found, caller, mine),
        [
            MemberView(one.name, one.joined_at, one.events, one.micros / MICROS,
                       one.account == found.founder)
            for one in people
        ],
    )  # fmt: skip


async def make(
    deps: Deps, caller: Caller, name: str, words: str = "", url: str = "", country: str = ""
) -> int:
    """A new team, whose founder is in it; its id. Raises BadInput, Exists, InTeam, TooMany."""
    name = " ".join(name.split())
    _check(name, words, url, country)
    now = deps.clock()
    well = deps.doors.throttle.take(now, ((f"teams of {caller.account}", MADE),))

    async def write(tx: Tx) -> int:
        if await rows.of_account(tx, caller.account):
            raise InTeam()
        made = await rows.make(tx, name, words, url, country, caller.account, now)
        if made is None:
            raise Exists("team", name)
        if not await rows.join(tx, caller.account, made, now):
            raise InTeam()
        audit.note(tx, caller.name, "team.make", name, at=now)
        return made

    try:
        return await deps.store.write(write)
    except Refusal:
        well()
        raise


async def join(deps: Deps, caller: Caller, team: int) -> None:
    """Be in a team. Raises NotFound, InTeam."""
    now = deps.clock()

    async def write(tx: Tx) -> None:
        found = await rows.one(tx, team)
        if found is None:
            raise NotFound("team", team)
        if not await rows.join(tx, caller.account, team, now):
            raise InTeam()
        audit.note(tx, caller.name, "team.join", found.name, at=now)

    await deps.store.write(write)


async def leave(deps: Deps, caller: Caller) -> None:
    """Be in no team. Raises NotFound."""
    now = deps.clock()

    async def write(tx: Tx) -> None:
        team = await rows.of_account(tx, caller.account)
        if not team:
            raise NotFound("team of", caller.name, "team-unknown")
        await rows.leave(tx, caller.account, team)
        audit.note(tx, caller.name, "team.leave", str(team), at=now)

    await deps.store.write(write)


async def change(deps: Deps, caller: Caller, team: int, words: str, url: str, country: str) -> None:
    """What a team says of itself, by its founder or an administrator.

    Raises NotFound, Forbidden, BadInput.
    """
    now = deps.clock()

    async def write(tx: Tx) -> None:
        found = await rows.one(tx, team)
        if found is None:
            raise NotFound("team", team)
        if found.founder != caller.account and not reaches(caller.role, RUNS_ALL):
            raise Forbidden(RUNS_ALL)
        _check(found.name, words, url, country)
        await rows.change(tx, team, words, url, country)
        audit.note(tx, caller.name, "team.change", found.name, at=now)

    await deps.store.write(write)


def _check(name: str, words: str, url: str, country: str) -> None:
    faults = []
    if not name or len(name) > NAME_MOST or not name.isprintable():
        faults.append(f"name: 1 to {NAME_MOST} printable characters")
    elif not looks_like(name) or not is_of_one_alphabet(name):
        faults.append("name: letters or digits, and letters of one alphabet: no Greek among Latin")
    if len(words) > WORDS_MOST or not words.replace("\n", " ").replace("\r", " ").isprintable():
        faults.append(f"words: at most {WORDS_MOST} printable characters")
    if url and not _URL.fullmatch(url):
        faults.append("url: begins with http:// or https:// and has no blanks")
    if len(country) > NAME_MOST or not (country or "-").isprintable():
        faults.append(f"country: at most {NAME_MOST} printable characters")
    if faults:
        raise BadInput(faults)


def _view(team: Team, caller: Caller, mine: int) -> TeamView:
    return TeamView(
        team.id, team.name, team.words, team.url, team.country, team.made_at, team.members,
        team.micros / MICROS, team.founder == caller.account, team.id == mine,
    )  # fmt: skip
