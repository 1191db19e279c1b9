"""Patterns and what they found in logs: looked at, tested and changed by operators."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.patterns import ELSEWHERE, Finding, Pattern
from server.domain.roles import Caller
from server.handlers import params
from server.handlers.access import Role
from server.handlers.routes import Body, Query, Reply, Route
from server.services import failures, patterning
from server.services.deps import Deps
from server.services.failures import FailuresView


@dataclass(frozen=True)
class PatternRequest:
    """A pattern as it shall be."""

    name: str
    regex: str
    kind: str = "unknown"
    action: str = ELSEWHERE
    most: int = 0
    factor: float = 2.0
    payload: str = ""
    rank: int = 500
    enabled: bool = True
    note: str = ""


@dataclass(frozen=True)
class PatternView:
    """A pattern with its counts; ``changed_by`` is empty if it is as it came."""

    name: str
    regex: str
    kind: str
    action: str
    most: int
    factor: float
    payload: str
    rank: int
    enabled: bool
    note: str
    built_in: bool
    changed_by: str
    changed_at: float
    matches: int
    hosts: int
    productions: int
    last_at: float


@dataclass(frozen=True)
class PatternList:
    """Every pattern in the order in which they are tried."""

    patterns: list[PatternView] = field(default_factory=list)


@dataclass(frozen=True)
class PatternSet:
    """Patterns to be taken in together, in the place of others of their names."""

    patterns: list[PatternRequest]


@dataclass(frozen=True)
class Taken:
    """How many patterns were taken in."""

    patterns: int


@dataclass(frozen=True)
class TrialRequest:
    """A log, or the logs kept of a production, to be read with the table.

    ``pattern`` is tried in it without being saved. ``word`` is the agent's own word.
    """

    pattern: PatternRequest | None = None
    log: str = ""
    word: str = ""
    payload: str = ""
    production: str = ""


@dataclass(frozen=True)
class MatchView:
    """A pattern that matches a log, and where."""

    pattern: str
    kind: str
    action: str
    number: int
    line: str
    around: str


@dataclass(frozen=True)
class ChangeView:
    """A log that would be read otherwise; ``before`` is empty if nothing matched."""

    task: int
    before: str
    after: str
    action: str
    line: str
    around: str


@dataclass(frozen=True)
class TrialView:
    """What the table makes of it; the first of ``matches`` is the one that counts."""

    logs: int
    matched: int
    matches: list[MatchView] = field(default_factory=list)
    changes: list[ChangeView] = field(default_factory=list)


def pattern_of(said: PatternRequest) -> Pattern:
    """A request in the words of the domain."""
    return Pattern(
        said.name, said.regex, said.kind, said.action, said.most, said.factor, said.payload,
        said.rank, said.enabled, said.note,
    )  # fmt: skip


def view_of(row: patterning.Row) -> PatternView:
    """A pattern as people see it."""
    one, count = row.pattern, row.count
    return PatternView(
        one.name, one.regex, one.kind, one.action, one.most, one.factor, one.payload, one.rank,
        one.enabled, one.note, row.built_in, row.changed_by, row.changed_at, count.matches,
        count.hosts, count.productions, count.last_at,
    )  # fmt: skip


def _match(found: Finding) -> MatchView:
    one = found.pattern
    return MatchView(one.name, one.kind, one.action, found.number, found.line, found.around)


@dataclass(frozen=True)
class PatternApi:
    """The handlers."""

    deps: Deps
    json_most: int

    async def everyone(self, request: web.Request, caller: Caller) -> PatternList:
        """Every pattern."""
        return PatternList([view_of(row) for row in await patterning.everyone(self.deps)])

    async def show(self, request: web.Request, caller: Caller) -> PatternView:
        """One pattern."""
        return view_of(await patterning.one(self.deps, request.match_info["name"]))

    async def add(self, request: web.Request, caller: Caller, message: PatternRequest) -> Reply:
        """A new pattern."""
        row = await patterning.add(self.deps, pattern_of(message), caller.name)
        return Reply(view_of(row), 201)

    async def save(
        self, request: web.Request, caller: Caller, message: PatternRequest
    ) -> PatternView:
        """A pattern as it is from now on."""
        await patterning.one(self.deps, message.name)
        return view_of(await patterning.save(self.deps, pattern_of(message), caller.name))

    async def take_in(self, request: web.Request, caller: Caller, message: PatternSet) -> Taken:
        """Many patterns, all or none."""
        new = [pattern_of(one) for one in message.patterns]
        return Taken(await patterning.take_in(self.deps, new, caller.name))

    async def remove(self, request: web.Request, caller: Caller) -> None:
        """Take a pattern away."""
        await patterning.remove(self.deps, request.match_info["name"], caller.name)

    async def test(self, request: web.Request, caller: Caller, message: TrialRequest) -> TrialView:
        """Read a log, or those of a production, with a table that is not saved."""
        new = pattern_of(message.pattern) if message.pattern else None
        if message.production:
            made = await patterning.try_production(self.deps, new, message.production)
        else:
            made = await patterning.try_log(
                self.deps, new, message.log, message.payload, message.word
            )
        changes = [
            ChangeView(c.task, c.before, c.after, c.action, c.line, c.around) for c in made.changes
        ]
        return TrialView(made.logs, made.matched, [_match(one) for one in made.found], changes)

    async def failures(self, request: web.Request, caller: Caller) -> FailuresView:
        """What was found in the logs of a production."""
        limit = params.query_number(request, "limit", 20, 1, 200)
        kind, pattern = request.query.get("kind"), request.query.get("pattern")
        name = request.match_info["name"]
        return await failures.of_production(self.deps, name, kind, pattern, limit)

    def routes(self) -> list[Route]:
        """Every route of patterns."""
        base, operator = "/api/v1/patterns", Role("operator")
        one = f"{base}/{{name:[a-z0-9][a-z0-9._-]{{0,62}}}}"
        production = "/api/v1/productions/{name:[a-zA-Z0-9_.-]{1,100}}"
        most = self.json_most
        return [
            Route("GET", base, self.everyone, operator, "Every pattern, with its counts.",
                  reply=PatternList),
            Route("POST", base, self.add, operator, "A new pattern.", Body.JSON, PatternRequest,
                  PatternView, 201, codes=("exists", "bad-input")),
            Route("POST", f"{base}/test", self.test, operator,
                  "Read logs with a pattern that is not saved.", Body.JSON, TrialRequest,
                  TrialView, most=most, codes=("bad-input", "production-unknown")),
            Route("POST", f"{base}/import", self.take_in, operator,
                  "Take many patterns in, all or none.", Body.JSON, PatternSet, Taken, most=most,
                  codes=("bad-input",)),
            Route("GET", one, self.show, operator, "One pattern.", reply=PatternView,
                  codes=("pattern-unknown",)),
            Route("POST", f"{one}/edit", self.save, operator, "A pattern as it shall be.",
                  Body.JSON, PatternRequest, PatternView, codes=("pattern-unknown", "bad-input")),
            Route("POST", f"{one}/remove", self.remove, operator,
                  "Take a pattern away; a built-in one that was changed is as it came.",
                  status=204, codes=("pattern-unknown", "built-in")),
            Route("GET", f"{production}/failures", self.failures, operator,
                  "What was found in the logs of a production.", reply=FailuresView,
                  codes=("production-unknown", "bad-parameter"),
                  query=(Query("kind", "string", "Only of this kind."),
                         Query("pattern", "string", "Only of this pattern."),
                         Query("limit", "integer", "At most so many tasks.", 20))),
        ]  # fmt: skip
