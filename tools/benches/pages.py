"""What pages cost with 10,000 machines and a year: the server's time, a listener's bytes, counting.

The history is made up (`tools/fleet --history`), the server is real. Its time is that of all its
threads, so a duty that runs meanwhile counts as well; the fastest slices show the page alone.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from itertools import product
from pathlib import Path

import aiohttp

from tools.benches.figures import Goal, Result, spread
from tools.benches.pool import SetUpFailed
from tools.benches.process import Served
from tools.fleets import ground
from vmagent.wire import codec

HOSTS, DAYS = 10_000, 365
QUICK_HOSTS, QUICK_DAYS = 100, 5
GOAL_MS = 100.0
GOAL_BYTES = 50_000.0
GOAL_BUSY = 0.25  # a tenth to render, the rest to tell and to ask who may see
GOAL_COUNT = 20.0  # of counting everything once over adding the same rows up in a bare loop
AT_ONCE = 5  # requests of a slice
STAY_S = 60.0
PATIENCE_S = 600.0
MORE = (
    "/productions/made-up-6",
    "/sites/cms-hlt",
    "/hosts/1",
    "/statistics?range=year",
    "/statistics?range=all",
    "/api/v1/stats/now",
    "/api/v1/stats/series?measure=events_settled&span=year",
    "/api/v1/stats/split?measure=tasks_leased&kind=country&span=year",
)
LIVE = (("/", "/events"), ("/statistics", "/statistics/live"))
LISTENERS = 100  # of each stream
SETTLE_S = 2.0  # in which most streams are rendered
OWN_LIVE = (
    "/events",
    "/statistics/live",
    "/productions/made-up-6/events",
    "/sites/cms-hlt/events",
    "/operations/events",
    "/tasks/events",
    "/tasks/events?after={number}",
    "/tasks/1/events",
    "/hosts/events",
    "/hosts/events?page={number}",
    "/hosts/1/events",
    "/machines/1/events",
    "/machines/events",
    "/contribution/events",
    "/sites/cms-hlt/giving/events",
)
"""Streams of the administrator; with {number}, each listener follows another page."""
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


def run(folder: Path, quick: bool, slices: int | None) -> list[Result]:
    """Measure every page that needs no more than a name."""
    hosts, days = (QUICK_HOSTS, QUICK_DAYS) if quick else (HOSTS, DAYS)
    try:
        sys.stderr.write(f"{asyncio.run(ground.imagine(folder, hosts, days, 1))}\n")
    except ground.GroundTrouble as error:
        raise SetUpFailed(str(error)) from error
    counted = _counted(folder / "data")
    served = _serve(folder / "data")
    try:
        pages = asyncio.run(_pages(served, folder / "data", slices or (2 if quick else 10), quick))
    finally:
        served.stop()
    return [*pages, counted]


def _serve(data: Path) -> Served:
    command = [sys.executable, "-m", "server", "serve", "--data", str(data), "--port", "0"]
    many = ("limits.sse_listeners=9000", "limits.listeners_per_address=9000",
            "limits.listeners_per_account=9000")  # fmt: skip
    sets = [word for one in ("log.level=warning", *many) for word in ("--set", one)]
    return Served("windfall serve", [*command, *sets])


async def _pages(served: Served, data: Path, slices: int, quick: bool) -> list[Result]:
    jar = aiohttp.CookieJar(unsafe=True)  # of an address that is a number
    many = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        served.url, cookie_jar=jar, auto_decompress=False, connector=many,
        timeout=aiohttp.ClientTimeout(total=None), read_bufsize=2**20,
    ) as session:  # fmt: skip
        stay_s = 2.0 if quick else STAY_S
        stayed = await asyncio.gather(*(_stay(session, *live, stay_s) for live in LIVE))
        await _log_in(session, (data / "admin.token").read_text(encoding="ascii").strip())
        found = [await _page(served, session, path, slices) for path in await _paths(session)]
        held = await _held(served, session, quick)
        return [*(one for one in found if one is not None), *stayed, *held]


async def _paths(session: aiohttp.ClientSession) -> list[str]:
    """The pages that the server says it has, without parameters, and some with."""
    async with session.get("/openapi.json", headers={"Accept-Encoding": "identity"}) as reply:
        document = codec.parse(await reply.read())
    pages = []
    for path, said in document["paths"].items():
        good = said.get("get", {}).get("responses", {}).get("200", {})
        if "{" not in path and "text/html" in good.get("content", {}):
            pages.append(path)
    return [*pages, *MORE]


async def _log_in(session: aiohttp.ClientSession, token: str) -> None:
    """A session of the administrator."""
    password = secrets.token_urlsafe(16)
    headers = {"Authorization": f"Bearer {token}"}
    body = codec.encode({"password": password})
    path = "/api/v1/accounts/admin/password"
    async with session.post(path, data=body, headers=headers) as reply:
        if reply.status >= 300:
            raise SetUpFailed(f"{path}: {reply.status} {(await reply.read()).decode()}")
    async with session.get("/login", headers={"Accept-Encoding": "identity"}) as reply:
        csrf = _CSRF.search(await reply.text())
    fields = {"csrf": csrf[1] if csrf else "", "name": "admin", "password": password, "next": "/"}
    async with session.post("/login", data=fields, allow_redirects=False) as reply:
        if reply.status != 303:
            raise SetUpFailed(f"/login: {reply.status}")


async def _page(
    served: Served, session: aiohttp.ClientSession, path: str, slices: int
) -> Result | None:
    """The server's time for a page; None if it is none for the administrator. `SetUpFailed`."""
    async with session.get(path, allow_redirects=False) as reply:
        size = len(await reply.read())
        if reply.status >= 500 or (reply.status != 200 and path in MORE):
            raise SetUpFailed(f"{path} cannot be measured: it is answered with {reply.status}")
        if reply.status != 200:
            return None
    taken = []
    for _ in range(slices):
        before = served.cpu_ns
        for _ in range(AT_ONCE):
            async with session.get(path) as reply:
                await reply.read()
        taken.append((served.cpu_ns - before) / 1e6 / AT_ONCE)
    goal = Goal(30, f"ms of server time of {path} over {GOAL_MS:g}", 1.0, 0.3, at_least=False)
    ratios = spread([ms / GOAL_MS for ms in taken])
    return Result(goal, ratios, slices, {"ms": min(taken), "bytes": size})


async def _stay(session: aiohttp.ClientSession, page: str, stream: str, seconds: float) -> Result:
    """The bytes that a browser gets of a page and its live parts while it stays. `SetUpFailed`."""
    async with session.get(page) as reply:
        if reply.status != 200:
            raise SetUpFailed(f"{page} cannot be measured: it is answered with {reply.status}")
        size = len(await reply.read())
    live = 0
    try:
        async with asyncio.timeout(seconds), session.get(stream) as reply:
            async for piece in reply.content.iter_any():
                live += len(piece)
    except TimeoutError:
        pass
    goal = Goal(
        31, f"bytes of {stream} in {seconds:g} s over {GOAL_BYTES:g}", 1.0, 0.5, at_least=False
    )
    return Result(goal, spread([live / GOAL_BYTES]), 1, {"live": live, "page": size})


async def _held(served: Served, session: aiohttp.ClientSession, quick: bool) -> list[Result]:
    """The bytes of the server's memory for a listener, and the time of the server with all."""
    each, settle = (3, 0.1) if quick else (LISTENERS, SETTLE_S)
    many, first = each * len(OWN_LIVE), 0
    async with AsyncExitStack() as stack:
        for stream in OWN_LIVE:
            await _listen(stack, session, stream.format(number=1))
        await asyncio.sleep(10 * settle)  # what renderings need and keep is no listener's
        before = served.memory
        for number, stream in product(range(2, each + 2), OWN_LIVE):
            first = max(first, await _listen(stack, session, stream.format(number=number)))
        await asyncio.sleep(10 * settle)
        # All together: what a rendering takes and gives back is more than many listeners hold.
        held = (served.memory - before) / many
        spent, began = served.cpu_ns, time.monotonic()
        await asyncio.sleep(10 * settle)
        busy = (served.cpu_ns - spent) / 1e9 / (time.monotonic() - began)
    goals = (
        Goal(33, f"bytes of memory for each of {many} listeners over {GOAL_BYTES:g}", 1.0, 0.5,
             at_least=False),
        Goal(34, f"server time with them over {GOAL_BUSY:g} of a core", 1.0, 0.5, at_least=False),
    )  # fmt: skip
    return [
        Result(goals[0], spread([held / GOAL_BYTES]), 1, {"bytes": held, "first": first}),
        Result(goals[1], spread([busy / GOAL_BUSY]), 1, {"busy": busy}),
    ]


async def _listen(stack: AsyncExitStack, session: aiohttp.ClientSession, stream: str) -> int:
    """Begin to listen; the bytes of the first event."""
    reply = await stack.enter_async_context(session.get(stream))
    if reply.status != 200:
        raise SetUpFailed(f"{stream}: {reply.status} {(await reply.read()).decode()[:300]}")
    return len(await reply.content.readuntil(b"\n\n"))


def _counted(data: Path) -> Result:
    """The server's time to count all that is in the ledgers, over a bare loop on the same rows."""
    with closing(sqlite3.connect(data / "windfall.db")) as base:
        bare_ns = _bare(base)
        moves = base.execute("SELECT count(*) FROM moves").fetchone()[0]
        leases = base.execute("SELECT count(*) FROM tasks WHERE host IS NOT NULL").fetchone()[0]
        base.execute("DELETE FROM figures")
        base.execute("DELETE FROM figure_marks")
        base.commit()
    idle = _serve(data)  # what a start takes is not counting
    try:
        spent = asyncio.run(_until_counted(idle, leases))
    finally:
        idle.stop()
    per = 100_000 / moves / 1e6
    goal = Goal(
        32, "counting everything over a bare loop on the same moves", GOAL_COUNT, 10.0,
        at_least=False,
    )  # fmt: skip
    facts = {"ms_per_100000_moves": spent * per, "bare_ms": bare_ns * per, "moves": moves}
    return Result(goal, spread([spent / bare_ns]), 1, facts)


async def _until_counted(served: Served, leases: int) -> int:
    """CPU time from when the server answers until all is counted, in ns."""
    before, until = served.cpu_ns, time.monotonic() + PATIENCE_S
    async with aiohttp.ClientSession(served.url) as session:
        while time.monotonic() < until:
            async with session.get("/api/v1/stats/totals") as reply:
                values = (await reply.json())["values"]
            if values["tasks_leased"] == leases and values["credit_micros"]:
                await asyncio.sleep(1.0)  # what is behind the last of the leases
                return served.cpu_ns - before
            await asyncio.sleep(0.2)
    raise SetUpFailed(f"after {PATIENCE_S:g} s not everything was counted")


def _bare(base: sqlite3.Connection) -> int:
    """The least that counting by minute, hour, day and host can take: one loop, one insert; ns."""
    began = time.process_time_ns()
    sums: Counter[tuple[str, int, int]] = Counter()
    for at, host in base.execute(
        "SELECT m.at, t.host FROM moves m JOIN tasks t ON t.id = m.subject WHERE m.machine = 'task'"
    ):
        whole = int(at)
        for step in (60, 3600, 86_400):
            sums["pool", step, whole - whole % step] += 1
        sums[f"host {host}", 86_400, whole - whole % 86_400] += 1
    base.execute("CREATE TEMP TABLE bare (key TEXT, step INTEGER, at INTEGER, value INTEGER)")
    base.executemany("INSERT INTO bare VALUES (?, ?, ?, ?)", _rows(sums))
    return time.process_time_ns() - began


def _rows(sums: Counter[tuple[str, int, int]]) -> Sequence[tuple[str, int, int, int]]:
    return [(*key, value) for key, value in sums.items()]
