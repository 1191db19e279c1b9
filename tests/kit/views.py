"""Made-up views of a pool, and a look that shows them, for tests of pages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from server.db.patterns import Count
from server.domain.errors import NotFound
from server.domain.known import BUILT_IN
from server.domain.patterns import Pattern
from server.domain.rollup import Kind
from server.services.failures import AsideView, FailureView
from server.services.hostview import HostView
from server.services.look import FrontView, MoveView, OutputView, ProductionView
from server.services.patterning import Row
from server.services.plotting import PlotsView, PlotView
from server.services.sites import SiteView, SwitchView
from server.services.stats import Now

NOW = 1_800_000_000.0
HOSTILE = "<script>alert('x')</script>\"'&<img src=x onerror=alert(1)>"


def production(name: str, **facts: object) -> ProductionView:
    """A running production, with these facts instead of the ordinary ones."""
    ordinary = ProductionView(
        id=7,
        name=name,
        state="active",
        reason="",
        events=1_000_000,
        settled=621_900,
        in_hand=84_000,
        leased=61_000,
        units=200,
        units_settled=119,
        created_at=NOW - 93_000,
        finished_at=None,
        events_per_s=214.0,
        eta_s=1_380.0,
        quorum=2,
        priority=0,
        payload="pythia8 1.4",
        description="Minimum bias at 13 TeV for the tune of 2026",
        rejected=0,
        output=None,
        strip=["settled"] * 119 + ["running"] * 41 + ["open"] * 38 + ["held"] * 2,
        rejected_hosts=[],
        reissued=0,
        recomputed=0,
        set_aside=101,
        set_aside_events=[
            AsideView(137, 138, 3, "crashed", "Tracker::fit: no hits in event 137", NOW - 500),
            AsideView(90_200, 90_300, 4, "hung", HOSTILE + "x" * 150, NOW - 60),
        ],
        failures=[
            FailureView(
                "payload",
                "segfault",
                "retry-elsewhere",
                "failed",
                9,
                5,
                4,
                8812,
                " *** Break *** segmentation violation",
            ),
            FailureView(
                "unknown", "", "retry-elsewhere", "failed", 1, 1, 1, 9, HOSTILE + "y" * 200
            ),
            FailureView(
                "input", "mine", "ignore", "delivered", 3, 1, 1, 7, "using the default map"
            ),
        ],
    )
    return replace(ordinary, **facts)  # type: ignore[arg-type]  # the facts are the test's own


def host(number: int, name: str, **facts: object) -> HostView:
    """A working host, with these facts instead of the ordinary ones."""
    ordinary = HostView(
        id=number,
        name=name,
        account="anna",
        state="working",
        last_seen=NOW - 20,
        cores=16,
        arch="x86_64",
        agent="1.0.0",
        running=4,
        delivered_events=48_212,
        rejected_events=0,
        seconds_per_event=0.021,
        sandbox="bubblewrap",
    )
    return replace(ordinary, **facts)  # type: ignore[arg-type]  # the facts are the test's own


def front() -> FrontView:
    """A pool with a production in each state."""
    output = OutputView(48_300_112, "3f" * 32, "/api/v1/productions/3/output")
    productions = [
        production("minbias-13tev-tune26"),
        production("mumu-91gev", id=6, state="merging", settled=50_000, events=50_000, in_hand=0,
                   leased=0, eta_s=None, events_per_s=0.0),
        production("na61-pbpb-reco", id=5, state="held", settled=120, events=90_000, in_hand=410,
                   leased=0, eta_s=None, reason="events [120, 121) failed on 8 hosts: segfault"),
        production("dijets-8tev", id=4, state="paused", eta_s=None, settled=0, in_hand=0,
                   leased=0, events_per_s=0.0),
        production("zprime-scan-3tev", id=3, state="done", settled=250_000, events=250_000,
                   in_hand=0, leased=0, eta_s=None, finished_at=NOW - 7_200, output=output),
        production("waiting-room", id=2, leased=0, in_hand=0, settled=0, eta_s=None,
                   events_per_s=0.0),
    ]  # fmt: skip
    return FrontView(4, 5, 21_442_019, 214.0, productions, {"CH": 3, "RS": 1})


def numbers(machines: int = 4) -> Now:
    """A pool of so many machines, all by words that somebody may have chosen."""
    by = {kind: {HOSTILE: machines} for kind in (Kind.SITE, Kind.IMAGE, Kind.AGENT)}
    by |= {Kind.STATE: {"working": machines}, Kind.MACHINE: {"volunteer": machines}}
    by[Kind.COUNTRY] = {"CH": machines, "": 1}
    return Now(NOW, machines, 3, 118, 480_000, by, 5, 9, 4_000.0, 800.0, 77, 84_000, 61_000, 9_000)


def site(name: str, **facts: object) -> SiteView:
    """A farm on its way out, with these facts instead of the ordinary ones."""
    last = SwitchView(
        seq=9, how="stop", scope="site", by="run-control", at=NOW - 1.5, grace_s=2.0,
        reason="beam", hosts=1000, heard=998, released=961, release_50_s=0.71, release_95_s=1.12,
        release_100_s=None, taken_back=2, waiting=["trigger-farm-033", "trigger-farm-777"],
    )  # fmt: skip
    ordinary = SiteView(
        name=name, mode="offline", how="stop", since=NOW - 1.5, reason="beam", stage="draining",
        hosts=1020, hosts_now=1000, working=39, leases=41, last_switch=last,
    )  # fmt: skip
    return replace(ordinary, **facts)  # type: ignore[arg-type]  # the facts are the test's own


def board() -> list[Row]:
    """The built-in patterns, one of them switched off, and one of an operator."""
    counts = {"segfault": Count(12, 5, 2, NOW - 60), "mine": Count(1_204, 31, 1, NOW - 5)}
    own = Pattern(
        "mine", "no geometry", "input", "hold-production", 3, payload="shine", note=HOSTILE
    )
    rows = [replace(p, enabled=p.name != "python") for p in BUILT_IN]
    none = Count(0, 0, 0, 0.0)
    return [
        Row(p, p is not own, "olga" if p is own else "", 0.0, counts.get(p.name, none))
        for p in (*rows, own)
    ]


@dataclass
class MadeUpBoard:
    """Shows the patterns it is given."""

    found: list[Row] = field(default_factory=board)

    async def rows(self) -> list[Row]:
        """What it was given."""
        return self.found


def moves() -> list[MoveView]:
    """A short history."""
    return [
        MoveView(NOW - 5, "task", "8812", "leased", "delivered", "host lab-pc-14 reported"),
        MoveView(NOW - 61, "task", "8790", "delivered", "failed", "copy rejected: overclocked"),
        MoveView(NOW - 93_000, "production", "7", "", "active", "started by carla"),
    ]


def plots() -> PlotsView:
    """Two histograms, one beside a reference."""
    edges = [k * 4.0 for k in range(11)]
    counts = [31, 402, 1620, 3011, 2590, 1480, 610, 190, 52, 14]
    heights = [count / 40_000 for count in counts]
    errors = [count**0.5 / 40_000 for count in counts]
    return PlotsView(
        "pp158", 10_000, 12_000,
        [
            PlotView("multiplicity", "Charged particles in an event", "multiplicity", (), edges,
                     counts, 0, 3, heights, errors, [h * 1.02 for h in heights], "Pythia 8.317"),
            PlotView("pt", "Transverse momentum of charged particles", "pt", (),
                     [k * 0.25 for k in range(11)], counts[::-1], 0, 0, heights[::-1],
                     errors[::-1], [], ""),
        ],
    )  # fmt: skip


@dataclass
class MadeUpLook:
    """Shows what it is given; ``asked`` counts how often the pool was read."""

    view: FrontView = field(default_factory=front)
    farms: list[SiteView] = field(
        default_factory=lambda: [
            site("cms-hlt"),
            site("belgrade", mode="online", how="", stage="open", reason=""),
        ]
    )
    history: list[MoveView] = field(default_factory=moves)
    asked: int = 0
    drawn: PlotsView = field(default_factory=plots)

    async def front(self) -> FrontView:
        """The pool it was given."""
        self.asked += 1
        return self.view

    def countries(self) -> dict[str, int]:
        """None is known but those of the machines that are here."""
        return {}

    async def now(self) -> Now:
        """A pool in numbers."""
        return numbers()

    async def production(self, name: str, old_s: float = 0.0) -> ProductionView:
        """One of the productions it was given. Raises NotFound."""
        for each in self.view.productions:
            if each.name == name:
                return each
        raise NotFound("production", name)

    async def site(self, name: str) -> tuple[SiteView, float]:
        """One of the sites it was given. Raises NotFound."""
        for each in self.farms:
            if each.name == name:
                return each, NOW
        raise NotFound("site", name)

    async def plots(self, production: int) -> PlotsView:
        """The histograms it was given."""
        return self.drawn

    async def moves(self, production: int, limit: int) -> list[MoveView]:
        """The history it was given."""
        return self.history[:limit]
