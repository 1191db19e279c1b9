"""The story of a fleet: it joins, works, leaves in the middle, comes back, and finishes."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp

from tools.benches.process import cpu_ns
from tools.fleets import check
from tools.fleets.agent import Agent, Pace
from tools.fleets.ground import SITE, Ground, GroundTrouble
from tools.fleets.line import Line
from tools.fleets.tally import Tally

JOINING = 64  # enrolments under way
QUIET_S = 300.0  # without one event more, a fleet has come to a stand
RELEASED_S = 120.0  # patience with agents that do not leave


@dataclass(frozen=True)
class Plan:
    """What a fleet is to do. Rates in events/s of one agent, shares of all events."""

    agents: int = 1000
    events: int = 200_000
    seed: int = 1
    rate: float = 10.0
    flush_s: float = 5.0
    unit: int = 2_000
    release: bool = False
    how: str = "stop"
    grace_s: float = 2.0
    after: float = 0.3
    name: str = "fleet"


@dataclass
class Found:
    """What came of it. Times in s; release times run from the switch, by the server's clock.

    CPU times are those of the release, of all threads: how long it takes beside other programs
    says little of a server.

    ``lost`` are events that the server had confirmed to an agent, or that an agent had finished,
    and that are not in the output or not in hand after the release.
    """

    agents: int
    events: int
    seed: int
    joined_s: float = 0.0
    worked_s: float = 0.0
    released: int = 0
    release_p50_s: float | None = None
    release_p95_s: float | None = None
    release_max_s: float | None = None
    release_server_cpu_s: float | None = None
    release_fleet_cpu_s: float = 0.0
    taken_back: int = 0
    confirmed_at_release: int = 0
    in_hand_after_release: int = 0
    leased_again: int = 0
    retries: int = 0
    output_faults: int = -1
    verified: bool = False
    lost: int = -1


@dataclass(eq=False)
class Fleet:
    """The agents of a plan on their ground."""

    plan: Plan
    ground: Ground
    show: Callable[[str], None]
    tally: Tally = field(init=False)
    agents: list[Agent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tally = Tally(self.plan.events)

    async def run(self) -> Found:
        """The whole story. Raises GroundTrouble if the fleet comes to a stand."""
        plan = self.plan
        found = Found(plan.agents, plan.events, plan.seed)
        await self.ground.produce(plan.name, plan.events, plan.unit, plan.seed)
        begun = time.monotonic()
        await self._join()
        found.joined_s = round(time.monotonic() - begun, 2)
        begun = time.monotonic()
        lives = [asyncio.create_task(agent.live()) for agent in self.agents]
        try:
            if plan.release:
                await self._until(lambda: self._share() >= plan.after, "working")
                await self._release(found)
            await self._until(self._is_done, "working")
        finally:
            for agent in self.agents:
                agent.end()
            for life in lives:
                life.cancel()
            ends = await asyncio.gather(*lives, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end
        found.worked_s = round(time.monotonic() - begun, 2)
        await self._verify(found)
        return found

    async def _join(self) -> None:
        plan, ground = self.plan, self.ground
        await ground.call("POST", "/accounts", json.dumps({"name": plan.name}).encode())
        tokens = await ground.tokens(plan.name, plan.agents, SITE)
        gate = asyncio.Semaphore(JOINING)
        chance = random.Random(plan.seed)

        async def join(number: int) -> Agent:
            own = random.Random(chance.getrandbits(64))
            event_s = 1.0 / (plan.rate * (0.5 + own.random()))
            line = Line(ground.session, ground.base, own, self.tally)
            pace = Pace(event_s, plan.flush_s, plan.seed)
            agent = Agent(number, line, pace, self.tally, own)
            async with gate:
                await agent.join(tokens[number // 1000])
            return agent

        joining = [asyncio.create_task(join(number)) for number in range(plan.agents)]
        for done, task in enumerate(joining):
            self.agents.append(await task)
            if done % 50 == 0:
                self.show(f"{done} agents have joined")

    def _share(self) -> float:
        return self.tally.done / self.plan.events

    async def _is_done(self) -> bool:
        return bool((await self._production())["state"] == "done")

    async def _production(self) -> Any:
        return await self.ground.call("GET", f"/productions/{self.plan.name}")

    async def _until(
        self, reached: Callable[[], bool] | Callable[[], Awaitable[bool]], word: str
    ) -> None:
        """Wait for something, and tell meanwhile how far it is."""
        best, since, begun = -1, time.monotonic(), time.monotonic()
        while True:
            answer = reached()
            if await answer if isinstance(answer, Awaitable) else answer:
                return
            now, done = time.monotonic(), self.tally.done
            if done > best:
                best, since = done, now
            elif now - since > QUIET_S:
                raise GroundTrouble(f"no event more in {QUIET_S:g} s at {done}")
            tally = self.tally
            self.show(
                f"{word} for {now - begun:.0f} s: {done} of {tally.events} events confirmed,"
                f" {tally.leases} leases, {tally.frames} frames, {tally.retries} retries"
            )
            await asyncio.sleep(0.25)

    async def _release(self, found: Found) -> None:
        """Switch the site off in the middle of work, and see how fast it is empty."""
        plan = self.plan
        made = await self.ground.call("GET", f"/sites/{SITE}")
        self.show(f"switching {made['hosts']} hosts off, of which {made['working']} work")
        server, own = self._cpu()
        switched = await self.ground.switch("offline", plan.how, plan.grace_s)
        patient = time.monotonic() + RELEASED_S
        while any(agent.released_seq < switched["seq"] for agent in self.agents):
            if time.monotonic() > patient:
                break
            await asyncio.sleep(0.02)
        server, own = (b - a for a, b in zip((server, own), self._cpu(), strict=True))
        found.release_fleet_cpu_s = round(own, 2)
        if self.ground.pid is not None:
            found.release_server_cpu_s = round(server, 2)
        view = (await self.ground.call("GET", f"/sites/{SITE}"))["last_switch"]
        while view["released"] < plan.agents and time.monotonic() < patient:
            await asyncio.sleep(0.05)
            view = (await self.ground.call("GET", f"/sites/{SITE}"))["last_switch"]
        found.released, found.taken_back = view["released"], view["taken_back"]
        found.release_p50_s = _rounded(view["release_50_s"])
        found.release_p95_s = _rounded(view["release_95_s"])
        found.release_max_s = _rounded(view["release_100_s"])
        found.confirmed_at_release = self.tally.done
        found.in_hand_after_release = await self._in_hand()
        self.show(f"{found.released} of {plan.agents} hosts have left: {asdict(found)}")
        await self.ground.switch("online", "stop", 0.0)

    def _cpu(self) -> tuple[float, float]:
        """CPU seconds of the server, if it is ours, and of this process."""
        pid = self.ground.pid
        return (0.0 if pid is None else cpu_ns(pid) / 1e9), time.process_time()

    async def _in_hand(self) -> int:
        """Settled events and those in hand, when both hold still: nobody sends any more."""
        before = -1
        while True:
            view = await self._production()
            now = int(view["settled"] + view["in_hand"])
            if now == before:
                return now
            before = now
            await asyncio.sleep(0.5)

    async def _verify(self, found: Found) -> None:
        """The server reads its output again, and so do we, event by event."""
        plan, tally = self.plan, self.tally
        self.show("the output is read")
        path = f"/productions/{plan.name}"
        said = await self.ground.call("POST", f"{path}/verify")
        found.verified = bool(said["ok"])
        output = self.ground.output(plan.name)
        found.output_faults = await check.faults(output, plan.events, plan.seed)
        found.leased_again, found.retries = tally.again, tally.retries
        short = max(0, found.confirmed_at_release - found.in_hand_after_release)
        found.lost = found.output_faults + tally.dropped + (short if plan.release else 0)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def session() -> aiohttp.ClientSession:
    """Connections for a fleet: as many as it wants, kept open, without cookies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=70.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=120.0),
        auto_decompress=False,
    )
