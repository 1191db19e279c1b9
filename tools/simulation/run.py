"""One run: a policy, a crowd and a workload, from the first ask to the last settled event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import simpy

from server.domain.policy import Policy
from tools.simulation.hosts import Crowd, gather, power
from tools.simulation.ledger import Broken, Ledger
from tools.simulation.machine import Slot
from tools.simulation.ours import Ours, Rules
from tools.simulation.plain import Plain, Terms
from tools.simulation.workload import Shape, Workload

SHARES = (0.5, 0.9, 0.99, 1.0)


@dataclass(frozen=True)
class Case:
    """A policy: its name, what it is in one line, and the rules it runs by."""

    title: str
    rules: Rules | Terms


POLICIES: dict[str, Case] = {
    "windfall": Case("ours", Rules()),
    "windfall-adaptive": Case("ours, trusted hosts on their word", Rules(adaptive=True)),
    "windfall-unstreamed": Case("ours, nothing sent before a lease's end", Rules(streams=False)),
    "windfall-fixed": Case("ours, every lease 1 h of the mean host", Rules(fixed_s=3600.0)),
    "windfall-unhastened": Case("ours, nothing is hastened at the end", Rules(hastens=False)),
    "plain-1h": Case("1-h jobs, quorum 2, deadline 1 day", Terms()),
    "plain-4h": Case("the same, deadline 4 h", Terms(deadline_s=4 * 3600.0)),
    "plain-adaptive": Case("1-h jobs, 1 day, adaptive replication", Terms(adaptive=True)),
}


@dataclass(frozen=True)
class Setting:
    """Everything a run depends on.

    ``hours`` is the ideal length of one copy of each event; after ``cap`` times that a run is given
    up, and its missing times are None.
    """

    crowd: Crowd
    shape: Shape = field(default_factory=Shape)
    hours: float = 2.0
    seed: int = 1
    requests_per_s: float = 5000.0
    policy: Policy = field(default_factory=Policy)
    cap: float = 50.0


@dataclass(frozen=True)
class Figures:
    """What one run came to. Times are in units of the ideal, CPU shares of all CPU spent."""

    policy: str
    seed: int
    hosts: int
    events: int
    ideal_s: float
    times: dict[str, float | None]
    cpu: dict[str, float]
    wrong_events: int
    set_aside_events: int
    leases: int
    requests_per_s: float
    polls_per_s: float
    gigabytes: float
    longest_locked_s: float
    most_copies: int
    curve: list[tuple[float, float]]

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def run(name: str, setting: Setting, tell: Callable[[float], None] = lambda _: None) -> Figures:
    """Run a production to its end; ``tell`` hears the share that is done. Raises `Broken`."""
    hosts = gather(setting.crowd, setting.seed)
    ideal_s = setting.hours * 3600.0
    events = max(1, round(power(hosts) * ideal_s / setting.shape.event_s))
    workload = Workload(setting.shape, events, setting.seed)
    ledger = Ledger(events)
    env = simpy.Environment()
    rules = POLICIES[name].rules
    server: Ours | Plain
    if isinstance(rules, Rules):
        server = Ours(env, workload, ledger, setting.seed, setting.requests_per_s, rules,
                      replace(setting.policy, adaptive=rules.adaptive), hosts)  # fmt: skip
    else:
        server = Plain(env, workload, ledger, setting.seed, setting.requests_per_s, rules, hosts)
    slots = [
        Slot(env, host, server, workload, ledger, isinstance(rules, Terms))
        for host in hosts
        for _ in range(host.slots)
    ]
    _watch(env, server, ledger, ideal_s, setting.cap, tell)
    for slot in slots:
        slot.close()
    _assert_whole(ledger, server, setting.policy)
    return _figures(name, setting, ledger, env.now, ideal_s)


def _watch(
    env: simpy.Environment,
    server: Ours | Plain,
    ledger: Ledger,
    ideal_s: float,
    cap: float,
    tell: Callable[[float], None],
) -> None:
    """Let time pass until all is done, or it never will be."""
    at = step = ideal_s / 200
    while not server.over and env.now < cap * ideal_s:
        env.run(until=at)
        at += step
        tell((ledger.settled + ledger.set_aside) / ledger.events)


def _assert_whole(ledger: Ledger, server: Ours | Plain, policy: Policy) -> None:
    """The rules that hold after every run. Raises `Broken`."""
    faults = list(ledger.faults)
    if server.over and ledger.settled + ledger.set_aside != ledger.events:
        faults.append(f"{ledger.settled} + {ledger.set_aside} events of {ledger.events}")
    if isinstance(server, Ours) and ledger.most_copies > policy.most_copies:
        faults.append(f"an event has {ledger.most_copies} copies, {policy.most_copies} may be")
    if faults:
        raise Broken("; ".join(faults))


def _figures(name: str, setting: Setting, ledger: Ledger, ended: float, ideal_s: float) -> Figures:
    busy = max(ledger.busy, 1e-9)
    times = {
        f"{100 * share:g} %": None if at is None else at / ideal_s
        for share in SHARES
        for at in [ledger.at_share(share)]
    }
    last = ledger.curve[-1][0] if ledger.curve else ended
    requests = ledger.asks + ledger.reports + ledger.frames + ledger.beats
    return Figures(
        name, setting.seed, setting.crowd.hosts, ledger.events, ideal_s, times,
        {
            part: getattr(ledger, part) / busy
            for part in ("useful", "checked", "surplus", "lost", "rejected", "set_up")
        },
        ledger.wrong, ledger.set_aside, ledger.leases, requests / last, ledger.polls / last,
        ledger.bytes / 1e9, ledger.locked_s, ledger.most_copies,
        [(at / ideal_s, done / ledger.events) for at, done in ledger.curve],
    )  # fmt: skip
