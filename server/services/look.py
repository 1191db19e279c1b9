"""What people are shown of the pool: views made of what is in memory and a few counted rows."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field

from server.db import findings, frames, hosts, moves, set_aside, trust, units, views
from server.db.base import Tx
from server.db.findings import Group
from server.db.moves import Move
from server.db.productions import Production
from server.db.set_aside import Aside
from server.db.trust import OnTrust
from server.db.views import TaskRow
from server.domain import definition as definitions
from server.domain.latest import Latest
from server.domain.production import ProductionState
from server.domain.split import units_total
from server.services import credit, plotting, produce, sites, stats, words
from server.services.deps import Deps
from server.services.failures import AsideView, FailureView, aside_view, group_view, starved
from server.services.hostview import NOW_S, HostView, revoked
from server.services.hostview import believed as host_view
from server.services.lately import Lately
from server.services.plotting import PlotsView
from server.services.sites import SiteView
from server.services.stats import Now
from server.services.strip import strip

REASONS = 3  # held units, and units in trouble, whose reasons are told
LINE = 200  # characters of a host's own words
ASIDE = 100  # pieces set aside that are told one by one
KEPT = 1000  # productions whose views are kept for a second
PLOTS_S = 15.0  # for so long plots are shown as they were
FRONT_S = 3.0  # for so long the first page and the numbers of the pool may be kept
OVER_S = 60.0  # ... and on it a production that is over
HOSTS_S = 1.0  # for so long the list of all machines is shown as it was
RATE_S = 60.0  # rates are taken over this time


Held = tuple[int, list[tuple[int, str]]]
Apart = tuple[list[Aside], list[Group]]
Counted = tuple[int, list[tuple[int, int]], dict[int, str], tuple[int, int], Held, Apart, OnTrust]


@dataclass(frozen=True)
class OutputView:
    """The merged output of a production."""

    size: int
    digest: str
    url: str


@dataclass(frozen=True)
class ProductionView:
    """A production as people see it; rates in events per second.

    ``in_hand`` and ``leased`` are copies of events not settled yet, divided by the quorum (an
    adaptive production begins with one): what they come to as events. ``taken_on_trust``,
    ``spot_checked`` and ``doubtful`` are events (see `server.domain.trust`). ``logs_unread`` counts
    those of tasks that came too fast to be read since the server started.
    """

    id: int
    name: str
    state: str
    reason: str
    events: int
    settled: int
    in_hand: int
    leased: int
    units: int
    units_settled: int
    created_at: float
    finished_at: float | None
    events_per_s: float
    eta_s: float | None
    quorum: int
    priority: int
    payload: str
    description: str
    rejected: int
    output: OutputView | None
    strip: list[str]
    rejected_hosts: list[tuple[str, int]]
    reissued: int
    recomputed: int
    set_aside: int = 0
    set_aside_events: list[AsideView] = field(default_factory=list)
    adaptive: bool = False
    taken_on_trust: int = 0
    spot_checked: int = 0
    doubtful: int = 0
    failures: list[FailureView] = field(default_factory=list)
    credit: float = 0.0
    most_set_aside: int = 0
    logs_unread: int = 0


@dataclass(frozen=True)
class FrontView:
    """The whole pool; ``countries`` has machines here now by the two letters of each."""

    machines_now: int
    hosts_total: int
    events_settled: int
    events_per_s: float
    productions: list[ProductionView]
    countries: dict[str, int]


@dataclass(frozen=True)
class TaskView:
    """One lease as people see it; ``held`` are the events in hand of it."""

    id: int
    unit: int
    first: int
    last: int
    state: str
    host: int
    host_name: str
    leased_at: float
    ended_at: float | None
    cause: str
    held: int
    log: str


@dataclass(frozen=True)
class MoveView:
    """One line of the move log."""

    at: float
    machine: str
    subject: str
    source: str
    target: str
    cause: str


@dataclass(eq=False)
class Look:
    """Makes the views, and remembers counts of the last minute to tell rates."""

    deps: Deps
    marks: dict[int, deque[tuple[float, int]]] = field(default_factory=dict)
    kept: Latest[int, tuple[float, Production, ProductionView]] = field(
        default_factory=lambda: Latest(KEPT)
    )
    viewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Nothing was looked at yet."""
        self._pools: Lately[None, FrontView] = Lately(1.0, 1, self._clock)
        self._fronts: Lately[None, FrontView] = Lately(FRONT_S, 1, self._clock)
        self._everyone: Lately[None, list[HostView]] = Lately(HOSTS_S, 1, self._clock)
        self._nows: Lately[None, Now] = Lately(FRONT_S, 1, self._clock)
        self._plotted: Lately[int, PlotsView] = Lately(PLOTS_S, KEPT, self._clock)

    def _clock(self) -> float:
        return self.deps.clock()

    async def pool(self) -> FrontView:
        """The pool, at most one second old."""
        return await self._pools.of(None, self._front)

    async def front(self) -> FrontView:
        """What the first page shows, at most `FRONT_S` old."""
        return await self._fronts.of(None, lambda: self._front(OVER_S))

    async def hosts(self, account: int = 0) -> list[HostView]:
        """The hosts of an account as they are; those of all (0) as they were `HOSTS_S` ago."""
        if account:
            return await self._hosts(account)
        return await self._everyone.of(None, self._hosts)

    async def now(self) -> Now:
        """The pool in numbers, at most `FRONT_S` old."""
        return await self._nows.of(None, lambda: stats.now(self.deps))

    def countries(self) -> dict[str, int]:
        """All machines of the pool by the two letters of their country, here or not."""
        hosts = self.deps.registry.hosts.values()
        return dict(Counter(card.country for card in hosts if card.country))

    async def sites(self) -> list[SiteView]:
        """Every site."""
        return await sites.everyone(self.deps)

    async def _front(self, over_s: float = 0.0) -> FrontView:
        """Of productions that are over, views of so many seconds ago will do."""
        now = self.deps.clock()
        rows = await produce.everyone(self.deps)
        shown = [
            await self._viewed(row, over_s if row.finished_at is not None else 0.0)
            for row in rows[:50]
        ]
        here = [card for card in self.deps.registry.hosts.values() if now - card.seen_at < NOW_S]
        return FrontView(
            len(here),
            len(self.deps.registry.hosts),
            sum(row.events_settled for row in rows),
            sum(view.events_per_s for view in shown),
            shown,
            dict(Counter(card.country for card in here if card.country)),
        )

    async def site(self, name: str) -> tuple[SiteView, float]:
        """One site, and when it was looked at. Raises NotFound."""
        return await sites.show(self.deps, name), self.deps.clock()

    async def production(self, name: str, old_s: float = 0.0) -> ProductionView:
        """One production by name or id, its counts at most so many seconds old. Raises NotFound."""
        row = await produce.find(self.deps, name)
        return await self._viewed(row, old_s)

    async def _viewed(self, row: Production, old_s: float) -> ProductionView:
        """One after the other, each for all who wait: anybody may ask, and many units are read."""
        asked = self.deps.clock()
        async with self.viewing:
            now = self.deps.clock()
            if kept := self.kept.get(row.id):
                at, of, view = kept
                if at > asked or (of == row and 0 <= now - at < old_s):
                    return view
            view = await self._production(row, now)
            self.kept[row.id] = now, row, view
            return view

    async def plots(self, production: int) -> PlotsView:
        """Its histograms, at most `PLOTS_S` old. Raises NotFound."""
        return await self._plotted.of(production, lambda: plotting.show(self.deps, str(production)))

    async def moves(self, production: int, limit: int) -> list[MoveView]:
        """The latest moves of a production, newest first."""
        found = await self.deps.store.read(lambda tx: moves.latest(tx, production, limit))
        return [_move_view(move) for move in found]

    async def tasks(
        self, production: int, host: int | None, state: str | None, limit: int
    ) -> list[TaskView]:
        """The latest tasks of a production that had a host, newest first."""
        rows = await self.deps.store.read(
            lambda tx: views.tasks_of(tx, production, host, state, limit)
        )
        return [self._task_view(row) for row in rows]

    def _task_view(self, row: TaskRow) -> TaskView:
        card = self.deps.registry.tasks.get(row.id)
        held = row.held if card is None else card.held.events
        return TaskView(
            row.id, row.unit, row.first, row.last, row.state, row.host, self._name(row.host),
            row.leased_at, row.ended_at, row.cause, held, row.log,
        )  # fmt: skip

    async def _production(self, row: Production, now: float) -> ProductionView:
        found = definitions.parse(row.definition)

        async def read(tx: Tx) -> Counted:
            in_hand = await views.in_hand(tx, row.id)
            rejected = await frames.rejected_by_host(tx, row.id)
            states = await views.unit_states(tx, row.id)
            cut_short = await views.cut_short(tx, row.id)
            held = await units.held(tx, row.id, REASONS)
            logs = await set_aside.of(tx, row.id), await findings.groups(tx, row.id)
            trusted = await trust.on_trust(tx, row.id)
            return in_hand, rejected, states, cut_short, held, logs, trusted

        in_hand, rejected, states, cut_short, held, logs, trusted = await self.deps.store.read(read)
        leases = [t for t in self.deps.registry.tasks.values() if t.row.production == row.id]
        quorum, copies = found.policy.quorum, found.policy.first_copies
        leased = sum(t.row.last - t.row.first - t.held.events for t in leases)
        rate = self._rate(row, now)
        apart, groups = logs
        gone = sum(part.last - part.first for part in apart)
        left = max(0, row.events - row.events_settled - gone)
        output = None
        if row.output_size is not None and row.output_digest is not None:
            url = f"/api/v1/productions/{row.id}/output"
            output = OutputView(row.output_size, row.output_digest, url)
        total = units_total(row.events, row.unit)
        running = {t.row.unit for t in leases}
        return ProductionView(
            row.id, row.name, str(row.state), self._reason(row, held), row.events,
            row.events_settled, in_hand // copies, leased // copies, total, row.units_settled,
            row.created_at,
            row.finished_at, rate,
            left / rate if rate > 0 and left else None, quorum, row.priority,
            f"{found.payload.name} {found.payload.version}", found.description,
            sum(events for _, events in rejected), output, strip(total, states, running),
            [(self._name(host), events) for host, events in rejected], *cut_short,
            gone, [aside_view(part) for part in apart[:ASIDE]],
            found.policy.adaptive, trusted.taken, trusted.checked, trusted.doubtful,
            [group_view(one) for one in groups],
            credit=(await credit.sums(self.deps)).productions.get(row.id, 0.0),
            most_set_aside=found.policy.most_set_aside,
            logs_unread=self.deps.scans.unread[row.id],
        )  # fmt: skip

    def _reason(self, row: Production, held: Held) -> str:
        """Why it stands still, or parts of it do."""
        said = [row.reason] if row.reason else []
        count, shown = held
        if count:
            said.append(f"{count} work unit{'s' * (count > 1)} held, to be released by a manager")
            said += [f"unit {number}: {reason}" for number, reason in shown]
        troubles = self.deps.troubles.of(
            row.id, lambda unit: "output not merged" if unit is None else f"unit {unit} not written"
        )
        said += troubles[:REASONS] + starved(self.deps, row.id)
        if not said and row.state is ProductionState.ACTIVE:
            said = self._unable(row.digest)
        return "; ".join(said)

    def _unable(self, manifest: str) -> list[str]:
        """Which host cannot compute the reference events of a manifest, and how many more.

        By its number: pages that anybody may see tell nobody's names.
        """
        now, believed = self.deps.clock(), self.deps.registry.hosts
        found = [
            (host, unable)
            for host, unable in self.deps.registry.unable.get(manifest, {}).items()
            if unable.until > now and host in believed
        ]
        if not found:
            return []
        host, unable = found[-1]
        lines = [line for line in unable.log.splitlines() if line.strip()]
        told = f": {lines[-1].strip()[:LINE]}" if lines else ""
        others = len(found) - 1
        more = f"; and on {others} host{'s' * (others > 1)} more" if others else ""
        return [f"its reference events fail on host {host} ({unable.word}){told}{more}"]

    async def revoked(self) -> list[HostView]:
        """The hosts that are believed no longer."""
        rows = await self.deps.store.read(hosts.everyone)
        return [revoked(row) for row in rows if row.state == "revoked"]

    def _name(self, host: int) -> str:
        return self.deps.registry.names.get(host, f"host {host}")

    def _rate(self, row: Production, now: float) -> float:
        marks = self.marks.setdefault(row.id, deque())
        marks.append((now, row.events_settled))
        while len(marks) > 2 and now - marks[0][0] > RATE_S:
            marks.popleft()
        (then, before), (_, after) = marks[0], marks[-1]
        over = row.finished_at is not None
        return 0.0 if over or now - then < 0.5 else max(0.0, (after - before) / (now - then))

    async def _hosts(self, account: int = 0) -> list[HostView]:
        now = self.deps.clock()
        tallies = await self.deps.store.read(lambda tx: views.tallies(tx, account))
        registry, believed = self.deps.registry, words.summaries(self.deps)
        credits = (await credit.sums(self.deps)).hosts
        return [
            host_view(
                card,
                tallies,
                now,
                registry.site_name(card.site),
                str(believed.get(card.id, "new")),
                credits.get(card.id, 0.0),
            )
            for card in registry.hosts.values()
            if account in (0, card.account)
        ]


def _move_view(move: Move) -> MoveView:
    return MoveView(move.at, move.machine, str(move.subject), move.source, move.target, move.cause)
