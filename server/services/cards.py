"""What the server keeps in memory of hosts, leased tasks and productions: a cache of the table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from server.db.bans import AgentBan, Ban
from server.db.hosts import Order
from server.db.sites import Site, Switch
from server.db.tasks import Task
from server.domain import quota, sizing
from server.domain.definition import Definition
from server.domain.giving import Power
from server.domain.intervals import Intervals
from server.domain.latest import Latest
from server.domain.match import Facts, Requirements
from server.domain.production import ProductionState
from server.domain.quota import Quota
from server.domain.throttle import Minute
from server.services.book import Book

TWINS = 3  # turns in which two agents with one token speak, before one is told to go
INSTANCES = 8  # agents of a host that were started before, which are remembered
ORDERS_MOST = (
    50  # commands that wait for a host; it has not been here for a while if there are more
)
MODES = ("drain", "stop", "suspend", "resume")  # commands that say how a host shall go on
REVOKED_MOST = 10_000  # tokens told that they are revoked; older ones are merely unknown
HERE_S = 90.0  # who was heard of within this time is here, and may be given work


@dataclass(slots=True, eq=False)
class TaskCard:
    """A leased task: what of it is in hand, and until when it belongs to its host.

    ``lent`` is where it ended before it was trimmed (0: it was not), ``cut`` where it is to be
    trimmed to next. If ``late`` it is not counted on: others make copies of what it has left. If it
    ``rested``, frozen on its host, its time tells nothing of the host's speed.
    """

    row: Task
    until: float
    held: Intervals
    done: int = 0
    bytes: int = 0
    grown: int = -1
    grown_at: float = 0.0
    memory_mb: int = 0
    heard_at: float = 0.0
    lent: int = 0
    cut: int = 0
    late: bool = False
    rested: bool = False

    @property
    def covered(self) -> bool:
        """Whether every event of the lease is in hand."""
        return self.held.covers(self.row.first, self.row.last)


class Fits(NamedTuple):
    """The productions that suit a host as of a version of the registry, and the most they need."""

    version: int
    productions: list[ProductionCard]
    memory_mb: int
    disk_mb: int


@dataclass(slots=True, eq=False)
class HostCard:
    """A believed host; ``speeds`` are its seconds per event, per production.

    ``orders`` are the commands after ``acked``, the last that it has acknowledged. ``switch`` is
    the last that reaches it, and ``away`` whether that tells it to leave: it gets no work then.
    ``doing`` and ``why`` are its own word, if it does not simply work.
    ``instance`` is the agent started last, ``older`` those before it; see `speaks`.
    ``barred`` is the ban of its version of the agent, if that is banned.
    ``system`` is what it runs, ``role`` that of its account, ``country`` two letters if known.
    ``proven`` counts leases that it delivered, ``lost`` those that ran out in its hands.
    ``power`` is what it says that a core of it does.
    """

    id: int
    account: int
    account_name: str
    name: str
    facts: Facts
    seen_at: float
    agent: str = ""
    classes: dict[str, str] = field(default_factory=dict)
    speeds: dict[int, float] = field(default_factory=dict)
    tasks: dict[int, TaskCard] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    acked: int = 0
    suspended: bool = False
    doing: str = ""
    why: str = ""
    site: int = 0
    switch: Switch | None = None
    away: bool = False
    last_ask: str | None = None
    asks: Minute = field(default_factory=Minute)
    beats: Minute = field(default_factory=Minute)
    polls: Minute = field(default_factory=Minute)
    saved_at: float = 0.0
    unproven: Minute = field(default_factory=Minute)
    hash: bytes = b""
    next_hash: bytes = b""
    slots: int = 0
    promised: int = 0
    failures: int = 0
    lost: int = 0
    proven: int = 0
    rests_until: float = 0.0
    quotas: dict[str, Quota] = field(default_factory=dict)
    ban: Ban | None = None
    barred: AgentBan | None = None
    fits: Fits = field(default_factory=lambda: Fits(-1, [], 0, 0))
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    instance: str = ""
    instance_spoke: bool = False
    older: dict[str, int] = field(default_factory=dict)
    cloned_at: float = 0.0
    system: str = ""
    role: str = ""
    country: str = ""
    power: Power = field(default_factory=Power)

    @property
    def lease_cause(self) -> str:
        """What the move log says of a lease to this host."""
        return f"leased to host {self.id}"

    def speaks(self, instance: str, now: float) -> bool:
        """An agent with this host's token speaks; False if another, started later, does too.

        Each start of an agent has a word of its own. One that is heard again after a newer one, in
        turn with it, `TWINS` times, is the copy of a machine (or its original: both are alike). A
        restart, or a request that arrives late, is heard out of turn once at most.
        """
        if instance == self.instance or not instance:
            self.instance_spoke = True
            return True
        if instance not in self.older:
            if self.instance:
                self.older = dict([*self.older.items(), (self.instance, 0)][-INSTANCES:])
            self.instance, self.instance_spoke = instance, True
            return True
        if self.instance_spoke:
            self.older[instance] += 1
            self.instance_spoke = False
        if self.older[instance] < TWINS:
            return True
        self.cloned_at = now
        return False

    def tell(self, order: Order) -> None:
        """A command waits for the host, and its long poll wakes.

        What it has not heard yet of how to go on is worth nothing once it shall stop or resume.
        """
        waiting = self.orders
        if order.name in ("stop", "resume"):
            waiting = [each for each in waiting if each.name not in MODES]
        self.orders = [*waiting[-ORDERS_MOST:], order]
        self._goes_on(order.name)
        self.woken.set()

    def recall(self, order: Order) -> None:
        """A command from before the server started, or from before the host joined."""
        if self.switch is not None and order.seq < self.switch.seq and order.name in MODES:
            return
        if order.seq > self.acked:
            self.tell(order)
        else:
            self._goes_on(order.name)

    def _goes_on(self, name: str) -> None:
        if name in MODES:
            self.suspended = name == "suspend"
        if name == "resume":
            self.away = False

    def heard(self, seq: int, given: int) -> None:
        """The host has every command up to ``seq``; none after ``given`` was ever made.

        One that knows of less than before has lost its memory: how it shall go on is told anew.
        """
        seq = min(seq, given)
        if seq == self.acked:
            return
        last = self.switch
        if last is not None and seq < last.seq <= self.acked:
            self.orders = [Order(last.seq, self.id, last.name, last.args), *self.orders]
        self.acked = seq
        self.orders = [order for order in self.orders if order.seq > seq]

    def switched(self, switch: Switch, order: Order) -> None:
        """A switch reaches the host; ``order`` is the same object for all that it reaches."""
        self.switch, self.away = switch, switch.name != "resume"
        self.recall(order)

    def runs_in(self, sandbox: str, network: bool) -> None:
        """What payloads run in there by now, and whether those that ask get the network."""
        if (sandbox, network) != (self.facts.sandbox, self.facts.network):
            self.facts = replace(self.facts, sandbox=sandbox, network=network)
            self.fits = Fits(-1, [], 0, 0)  # what suited it may not any more

    def failed(self, now: float) -> None:
        """One more task failed in a row: the host rests, each time twice as long."""
        self.failures += 1
        if self.failures > 1:
            self.rests_until = now + quota.rest_s(self.failures)

    def delivered(self) -> None:
        """It can do it after all."""
        self.failures, self.rests_until = 0, 0.0
        self.proven += 1

    @property
    def running(self) -> int:
        """How many of its leases run: those that have something left, on the slots it has."""
        open_ones = sum(1 for task in self.tasks.values() if not task.covered)
        return min(open_ones, self.slots or self.facts.cores)


class Unable(NamedTuple):
    """A host could not compute the reference events: one word why, its last words, till when."""

    word: str
    log: str
    until: float


@dataclass(slots=True, eq=False)
class ProductionCard:
    """A production that is not over, with its parsed definition.

    ``bundle`` is the digest of its payload; ``here`` is kept by `server.services.trusting`: the
    accounts that are here with a trusted host, and how many others, as of a time.
    """

    id: int
    name: str
    state: ProductionState
    digest: str
    events: int
    unit: int
    definition: Definition
    next_unit: int
    settled: int
    units_settled: int
    bundle: str = ""
    here: tuple[float, set[int], int] | None = None

    @property
    def requirements(self) -> Requirements:
        """What it asks of a host."""
        return self.definition.requirements

    def cut(self, first: int, last: int, events: int) -> int:
        """Where a lease of about ``events`` events of ``[first, last)`` ends."""
        if last - first <= events:
            return last
        payload = self.definition.payload
        return sizing.cut(first, last, events, payload.block, payload.granule)


@dataclass(eq=False)
class Registry:
    """Every card, by the keys that requests come with.

    ``retired`` are tokens that have a successor, and until when they are good.
    ``found`` is the highest task id that the table held when this process started; ``unable`` are
    the hosts that cannot compute the reference events of a manifest. ``switches`` are those that
    reach hosts still to come, oldest first; ``seq`` is the last number of a command. Until
    ``quiet_until`` a farm is being emptied; ``closing`` says that the server ends, and that no
    long poll is to wait.
    """

    by_hash: dict[bytes, HostCard] = field(default_factory=dict)
    hosts: dict[int, HostCard] = field(default_factory=dict)
    revoked: Latest[bytes, None] = field(default_factory=lambda: Latest(REVOKED_MOST))
    unmanaged: Latest[bytes, None] = field(default_factory=lambda: Latest(REVOKED_MOST))
    retired: dict[bytes, float] = field(default_factory=dict)
    tasks: dict[int, TaskCard] = field(default_factory=dict)
    productions: dict[int, ProductionCard] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    unable: dict[str, dict[int, Unable]] = field(default_factory=dict)
    sites: dict[int, Site] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    switches: list[Switch] = field(default_factory=list)
    agent_bans: dict[str, AgentBan] = field(default_factory=dict)
    version: int = 0
    task_id: int = 0
    found: int = 0
    seq: int = 0
    quiet_until: float = 0.0
    closing: bool = False
    here: int = 0

    def count_here(self, now: float) -> None:
        """Keep in ``here`` how many hosts were heard of lately: asks share the work among them."""
        self.here = sum(now - host.seen_at < HERE_S for host in self.hosts.values())

    def next_task(self) -> int:
        """A task id that was never given."""
        self.task_id += 1
        return self.task_id

    def next_seq(self, now: float) -> int:
        """A number for a command, above all that were given before.

        It follows the clock (ms), so that a server that came back with an older database gives
        none that hosts have heard already, and would pass over.
        """
        self.seq = max(self.seq + 1, int(now * 1000))
        return self.seq

    def site_name(self, site: int) -> str:
        """The name of a site; empty if there is none."""
        found = self.sites.get(site)
        return "" if found is None else found.name

    def hang_up(self) -> None:
        """The server ends: every long poll comes back."""
        self.closing = True
        for card in self.hosts.values():
            card.woken.set()

    def add_host(self, card: HostCard, digest: bytes) -> None:
        """A host is believed from now on."""
        card.hash = digest
        self.hosts[card.id] = card
        self.by_hash[digest] = card
        self.names[card.id] = card.name
        self.book.own(card.id, card.account)

    def drop_host(self, host: int) -> HostCard | None:
        """A host is believed no longer."""
        card = self.hosts.pop(host, None)
        if card is not None:
            old = [digest for digest in self.retired if self.by_hash.get(digest) is card]
            for digest in (card.hash, card.next_hash, *old):
                self.revoke(digest)
            card.next_hash = b""
        return card

    def revoke(self, digest: bytes) -> None:
        """A token is good no longer, if it was."""
        if self.by_hash.pop(digest, None) is not None:
            self.revoked[digest] = None

    def is_unable(self, host: int, manifest: str, now: float) -> bool:
        """Whether a host is offered nothing of a manifest: its reference events failed there."""
        found = self.unable.get(manifest)
        return found is not None and host in found and found[host].until > now

    def add_task(self, card: TaskCard) -> None:
        """A task is leased from now on."""
        row = card.row
        self.tasks[row.id] = card
        host = self.hosts.get(row.host or 0)
        if host is not None:
            host.tasks[row.id] = card

    def drop_task(self, task: int) -> TaskCard | None:
        """A task is leased no longer."""
        card = self.tasks.pop(task, None)
        if card is not None and card.row.host in self.hosts:
            self.hosts[card.row.host].tasks.pop(task, None)
        return card

    def add_production(self, card: ProductionCard) -> None:
        """A production may be worked on from now on."""
        self.productions[card.id] = card
        self.version += 1

    def changed(self) -> None:
        """Which productions a host may work on has to be found anew."""
        self.version += 1

    def active(self) -> Iterator[ProductionCard]:
        """The productions that give out work, the most urgent first."""
        cards = [c for c in self.productions.values() if c.state is ProductionState.ACTIVE]
        return iter(sorted(cards, key=lambda c: (-c.definition.policy.priority, c.id)))
