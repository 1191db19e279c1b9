"""What handing out work costs: a dispatch, a sign of life, and a dispatch from a long backlog."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from tools.benches import backlog
from tools.benches.figures import (
    Goal,
    Result,
    Slice,
    absolute,
    cpu_ratios,
    p99_ratios,
    spread,
)
from tools.benches.load import NoLoad, Side, measure
from tools.benches.pool import SLOTS, Admin, Paired, Pool, SetUpFailed, write_lines
from tools.benches.process import Served
from vmagent.wire import codec
from vmagent.wire import messages as m

UNIT = 100  # events: what a host whose speed is not known gets at once, so a lease is a whole unit
QUORUM = 2
RUNNING = 4  # tasks in a sign of life: a host of four cores
MANY = 10  # ... and of one with more, for comparison: a body of 300 bytes
TRIES = 50
ASK = "@@@ASK@@@"

DISPATCH = Goal(
    1,
    "durable, signed dispatch of 1 task over bare aiohttp POST echo of the same 1 kB,"
    " {connections} connections",
    0.55,
    0.70,
)
BACKLOG_CPU = Goal(
    5, "CPU per dispatch, {long} ready tasks in the table over about 10 000", 1.15, 1.05, False
)
BACKLOG_P99 = Goal(
    5, "p99 of a dispatch, {long} ready tasks in the table over about 10 000", 1.15, 1.05, False
)
HEARTBEAT = Goal(
    10,
    f"heartbeat naming {RUNNING} leased tasks over bare aiohttp POST echo of 1 kB,"
    " {connections} connections",
    0.90,
    1.0,
)


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    slices: int
    warm_up: int
    accounts: int
    hosts: int
    connections: int
    units: int
    long_units: int


FULL = Size(10, 1, 300, 2000, 256, 5_500_000, 5_000_000)
QUICK = Size(2, 0, 8, 40, 32, 200_000, 20_000)


def ask_body() -> str:
    """A host's ask of about 1 kB: it knows its class for six productions."""
    classes = {secrets.token_hex(32): secrets.token_hex(32) for _ in range(6)}
    message = m.AskRequest(ASK, SLOTS, 8000, 100_000, 86_400.0, classes, 1)
    return codec.encode(message).decode()


def heartbeat_body(leases: Sequence[m.Lease]) -> str:
    """A sign of life for these leases."""
    return codec.encode(m.HeartbeatRequest([m.Progress(k.task, 17) for k in leases])).decode()


async def fill(pool: Pool, size: Size, beats: bool) -> None:
    """A production and hosts; with ``beats`` every tenth host gets tasks to tell of."""
    async with aiohttp.ClientSession() as session:
        admin = Admin(pool, session)
        await admin.produce(size.units * UNIT, UNIT, 1, QUORUM)
        pool.hosts = await admin.pair(size.accounts, size.hosts)
        body = ask_body()
        write_lines(pool.folder / "asks", [f"{host.token} {body}" for host in pool.hosts])
        await _warm(admin, pool.hosts[0])
        if beats:
            tasks = [(host, await admin.ask(host, MANY)) for host in pool.hosts[::10]]
            for name, count in (("beats", RUNNING), ("many", MANY)):
                lines = [f"{host.token} {heartbeat_body(leases[:count])}" for host, leases in tasks]
                write_lines(pool.folder / name, lines)


async def _warm(admin: Admin, host: Paired) -> None:
    """Until there is work in memory: who comes to an empty queue is asked to come again."""
    for _ in range(TRIES):
        if await admin.ask(host, 1):
            return
        await asyncio.sleep(0.1)
    raise SetUpFailed("the server has no work to give")


async def leased(pool: Pool) -> int:
    """How many tasks are leased."""
    async with aiohttp.ClientSession() as session:
        return await Admin(pool, session).leased()


def every_answer_was_a_lease(pools: dict[str, Pool]) -> Callable[[Side, Slice], None]:
    """A check after each slice: as many tasks more are leased as requests were answered."""
    before = {name: asyncio.run(leased(pool)) for name, pool in pools.items()}

    def check(side: Side, found: Slice) -> None:
        if side.name not in pools:
            return
        now = asyncio.run(leased(pools[side.name]))
        if now - before[side.name] < found.requests:
            raise NoLoad(
                f"{side.name}: {found.requests} answers, but {now - before[side.name]} leases"
            )
        before[side.name] = now

    return check


def run(folder: Path, quick: bool, slices: int | None) -> list[Result]:
    """Measure goals 1, 5 and 10."""
    size = QUICK if quick else FULL
    size = replace(size, slices=slices or size.slices)
    with ExitStack() as stack:
        bare = Served("bare", [sys.executable, "-m", "tools.benches.bare"])
        stack.callback(bare.stop)
        lazy, long = Pool(folder / "lazy"), Pool(folder / "long")
        for pool in (lazy, long):
            pool.init()
            pool.start()
            stack.callback(pool.stop)
            asyncio.run(fill(pool, size, pool is lazy))
        _lengthen(long, size)
        return _results(size, _measure(size, bare, lazy, long))


def _lengthen(pool: Pool, size: Size) -> None:
    """Start a server anew on the table of a long backlog."""
    pool.stop()
    backlog.unroll(pool.data / "windfall.db", 1, size.long_units, QUORUM)
    pool.start()

    async def warm() -> None:
        async with aiohttp.ClientSession() as session:
            await _warm(Admin(pool, session), pool.hosts[0])

    asyncio.run(warm())


def _measure(size: Size, bare: Served, lazy: Pool, long: Pool) -> dict[str, list[Slice]]:
    script, many = "dispatch.lua", size.connections
    asks, beats = str(lazy.folder / "asks"), str(lazy.folder / "beats")
    work, beat = "/api/v1/work", "/api/v1/heartbeat"
    more = str(lazy.folder / "many")
    sides = [
        Side("bare", bare, "/echo", script, (asks,), many),
        Side("work", lazy.running, work, script, (asks,), many),
        Side("heartbeat", lazy.running, beat, script, (beats,), many),
        Side("heartbeat_of_10", lazy.running, beat, script, (more,), many),
        Side("long", long.running, work, script, (str(long.folder / "asks"),), many),
    ]
    check = every_answer_was_a_lease({"work": lazy, "long": long})
    return measure(sides, size.slices, size.warm_up, check=check)


def _results(size: Size, found: dict[str, list[Slice]]) -> list[Result]:
    sides = {name: absolute(name, slices) for name, slices in found.items()}
    count, long = size.slices, f"{size.long_units * QUORUM:,}".replace(",", " ")

    def result(goal: Goal, ratios: list[float], *names: str) -> Result:
        named = Goal(
            goal.number,
            goal.what.format(long=long, connections=size.connections),
            goal.must,
            goal.stretch,
            goal.at_least,
        )
        facts = {key: value for name in names for key, value in sides[name].items()}
        return Result(named, spread(ratios), count, facts)

    slower = [1 / ratio for ratio in cpu_ratios(found["work"], found["long"])]
    return [
        result(DISPATCH, cpu_ratios(found["bare"], found["work"]), "bare", "work"),
        result(BACKLOG_CPU, slower, "work", "long"),
        result(BACKLOG_P99, p99_ratios(found["work"], found["long"]), "work", "long"),
        result(
            HEARTBEAT,
            cpu_ratios(found["bare"], found["heartbeat"]),
            *("bare", "heartbeat", "heartbeat_of_10"),
        ),
    ]
