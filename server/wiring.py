"""The one place that puts a server together from its settings, runs it and takes it down."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

from server import app as application
from server import countries, logs, lookout, loops, providers, safefile, tracing
from server.blobs.base import BackendAbsent, Blobs
from server.blobs.choose import BadBlobsUrl, open_blobs
from server.blobs.descriptor import sync_folder
from server.blobs.segments import Segments
from server.certificate import Certificate
from server.db import frames
from server.db.choose import open_store
from server.db.errors import StoreLost, StoreTaken, StoreUnusable
from server.domain.pairing import Rules
from server.domain.throttle import Rate
from server.handlers import mount, peer
from server.handlers.agent_file import FILE as AGENT_FILE
from server.handlers.door import Door, origin_of
from server.handlers.lane import Runner, Starter
from server.handlers.turnstile import Turnstile
from server.keyholder import KeyHolder
from server.keyring import write_private
from server.services import doors, enrol, oidc, start
from server.services.agentfile import AgentDigest
from server.services.census import Census
from server.services.deps import Deps, Exports, Limits
from server.services.desk import Desk
from server.services.passwords import Passwords
from server.services.plotting import Plotter
from server.services.postman import Postman
from server.services.postman import Route as Post
from server.services.shelf.handing import Shelf
from server.services.turns import Doorway, Turns
from server.services.upkeep.desk import Upkeep
from server.settings import Settings, shown
from server.steady import SteadyClock
from vmagent import __version__

log = logging.getLogger("windfall.server")
BACKLOG = 4096
DAY_S = 86_400.0
SHUTDOWN_S = 5.0  # what a request under way is given when the server stops


class AddressUnusable(OSError):
    """A server cannot listen where it should."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        """The address, and what the system says."""
        why = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            why = "another program has this port; choose another with --port"
        super().__init__(error.errno, f"cannot listen on {host}:{port}: {why}")


@dataclass(frozen=True)
class Running:
    """A server that answers: its parts and its address."""

    deps: Deps
    app: web.Application
    url: str
    certificate: Certificate | None


def serve(settings: Settings) -> None:
    """Run a server until SIGTERM or SIGINT."""
    logs.configure(settings.log.level, settings.log.format)
    os.umask(0o077)
    open_files()
    uvloop.run(_serve(settings))


def open_files() -> int:
    """Raise the soft limit of open files to the hard one; the limit.

    Every host holds a long poll and sends beside it; the usual 1024 is for programs with select().
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    log.info("open files", extra={"action": "limits", "most": hard})
    return hard


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as server:
        if server.certificate is not None:
            look = server.certificate.look_at_once
            loop.add_signal_handler(signal.SIGHUP, lambda: loop.run_in_executor(None, look))
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 1000)
        sys.stdout.write(f"Windfall {__version__} answers at {server.url}\n")
        sys.stdout.flush()
        waits = [asyncio.create_task(each.wait()) for each in (stop, server.deps.store.taken)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping", extra={"action": "stop"})
        if not stop.is_set():
            raise StoreTaken(shown(settings.database_url))


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """A server with its background duties, for as long as the block lasts."""
    async with AsyncExitStack() as stack:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        extra = tuple(Path(name) for name in settings.keys.release)
        keys = KeyHolder(settings.keys_folder, extra)
        certificate = _certificate(settings)
        deps = await _deps(stack, settings, keys, certificate)
        deps.desk = _desk(deps, settings, keys)
        deps.desk.contexts = Shelf(deps)
        await start.load(deps)
        stack.push_async_callback(_last_rows, deps)
        await _first_admin(deps, settings)
        traces = _traces(stack, settings)
        facts = replace(
            _facts(settings, keys),
            meter=deps.upkeep.meter,
            metrics=settings.metrics.access,
            tracer=traces.request if traces else None,
        )
        app = application.build(deps, facts)
        starter = application.lane(deps, facts)
        url = await _listen(stack, settings, app, starter, certificate)
        deps.doors.rules = replace(deps.doors.rules, url=url.rstrip("/"))  # the port that was free
        deps.desk.url = url.rstrip("/")
        spans = traces.duty if traces else loops.untraced
        tasks = loops.start(
            deps,
            lambda: _renew(keys, certificate),
            Plotter(deps, settings.plots.cpu_percent / 100),
            spans,
        )
        stack.push_async_callback(loops.stop, tasks)
        yield Running(deps, app, url, certificate)


def _certificate(settings: Settings) -> Certificate | None:
    """What is answered with over https. Raises OSError."""
    own = settings.server
    return Certificate(Path(own.tls_cert), Path(own.tls_key)) if own.tls_cert else None


async def _renew(keys: KeyHolder, certificate: Certificate | None) -> None:
    """Keys and certificate are read again where they have changed."""
    await keys.renew()
    if certificate is not None:
        await asyncio.to_thread(certificate.look)


async def _last_rows(deps: Deps) -> None:
    """Write the rows of frames that wait; without a database, the next start makes them."""
    try:
        await deps.frames.empty(deps.store)
    except StoreLost:
        log.warning("rows left to the next start", extra={"action": "stop"})


async def _deps(
    stack: AsyncExitStack, settings: Settings, keys: KeyHolder, served: Certificate | None
) -> Deps:
    store = await open_store(settings.database_url)
    stack.push_async_callback(store.close)
    blobs = _blobs(settings.blobs_url)
    stack.push_async_callback(blobs.close)
    used = await store.read(frames.segments)
    segment_bytes = settings.blobs.segment_mb * 1024 * 1024
    segments = Segments.open(settings.data / "segments", used, segment_bytes)
    stack.push_async_callback(segments.close)
    limits = settings.limits
    postman = _postman(settings)
    upkeep = _upkeep(settings, keys, postman, served)
    if upkeep.vault is not None and upkeep.vault.blobs is not None:
        stack.push_async_callback(upkeep.vault.blobs.close)
    return Deps(
        store,
        blobs,
        segments,
        SteadyClock(),
        keys.sealer,
        Limits(
            limits.frame_bytes,
            limits.hosts_per_token,
            limits.work_per_minute,
            settings.leases.window,
            settings.leases.retry_s,
            settings.credit.reference_host,
            settings.leases.bad_per_day,
            limits.slots_per_host,
            limits.beats_per_minute,
            limits.polls_per_minute,
            settings.leases.idle_most_s,
            settings.leases.idle_asks_per_s,
        ),
        doorway=Doorway(
            Turns(limits.joins_per_minute),
            Turns(limits.wrong_tokens_per_minute),
            Turns(limits.changes_per_minute),
        ),
        safe=safefile.read(settings.at_rest_file),
        census=_census(settings),
        doors=doors.Doors(
            _account_rules(settings),
            passwords=Passwords(waiting=settings.accounts.passwords_waiting),
            postman=postman,
            oidc=_providers(settings),
        ),
        upkeep=upkeep,
        exports=_exports(settings),
    )


def _upkeep(
    settings: Settings, keys: KeyHolder, postman: Postman, served: Certificate | None
) -> Upkeep:
    """The desk of operations. Raises StoreUnusable if backups cannot go where they should."""
    try:
        return lookout.upkeep(settings, keys, postman, served)
    except (BadBlobsUrl, BackendAbsent) as error:
        raise StoreUnusable(f"backup.to: {error}") from error


def _exports(settings: Settings) -> Exports:
    """The files for statistics sites; where statistics are not for everybody there are none."""
    hours = settings.export.hours if settings.statistics.public else 0.0
    return Exports(settings.data / "stats", hours * 3600.0, settings.export.gflops)


def _census(settings: Settings) -> Census:
    """Who counts who is here."""
    own = settings.statistics
    return Census(own.public, own.countries, countries.table(own.countries))


def _providers(settings: Settings) -> oidc.Desk:
    """Who people may sign in with."""
    path = settings.accounts.providers
    return oidc.Desk(providers.read(Path(path)) if path else {})


def _postman(settings: Settings) -> Postman:
    """Who brings letters to people."""
    mail = settings.mail
    password = ""
    if mail.password_file:
        password = Path(mail.password_file).read_text(encoding="utf-8").strip()
    return Postman(Post(mail.host, mail.port, mail.security, mail.user, password, mail.sender))


def _account_rules(settings: Settings) -> doors.Rules:
    """The rules of accounts."""
    own = settings.accounts
    window = own.tries_minutes * 60.0
    return doors.Rules(
        settings.url,
        own.signup,
        own.idle_days * DAY_S,
        own.session_days * DAY_S,
        own.invitation_days * DAY_S,
        own.reset_minutes * 60.0,
        own.addresses_days * DAY_S,
        own.password_least,
        Rate(own.tries_per_account, window),
        Rate(own.tries_per_address, window),
        own.token_days * DAY_S,
    )


def _desk(deps: Deps, settings: Settings, keys: KeyHolder) -> Desk:
    """Where pairing is done."""
    own = settings.pairing
    rules = Rules(
        own.life_s, own.code_life_s, own.interval_s, own.live_per_account, own.wrong_address,
        own.wrong_network, own.wrong_minute, own.lock_s,
    )  # fmt: skip
    agent = AgentDigest(settings.data / "agent" / AGENT_FILE)
    secret = deps.safe.digest("desk", "pairing")
    return Desk(secret, rules, settings.url, agent, lambda: keys.root)


def _traces(stack: AsyncExitStack, settings: Settings) -> tracing.Tracing | None:
    """Traces, if they are set. Raises StoreUnusable, so that the start says what is missing."""
    try:
        found = tracing.tracing(settings.traces, __version__)
    except tracing.OtelMissing as error:
        raise StoreUnusable(str(error)) from error
    if found is not None:
        stack.push_async_callback(asyncio.to_thread, found.close)
    return found


def _blobs(url: str) -> Blobs:
    """The blobs of a URL. Raises StoreUnusable, as a database that cannot be opened does."""
    try:
        return open_blobs(url)
    except (BadBlobsUrl, BackendAbsent) as error:
        raise StoreUnusable(f"blobs.url: {error}") from error


def _facts(settings: Settings, keys: KeyHolder) -> application.Facts:
    limits = settings.limits
    return application.Facts(
        __version__,
        keys.root,
        keys.statements,
        keys.trusted,
        settings.data / "agent",
        limits.json_bytes,
        limits.frame_bytes,
        limits.payload_bytes,
        limits.sse_listeners,
        _door(settings),
        limits.listeners_per_address,
        limits.listeners_per_account,
        peer.networks(settings.server.proxies) if settings.server.behind_proxy else (),
        settings.statistics.public,
    )


def _door(settings: Settings) -> Door:
    """How browsers come in; only an address that was set is one that they must name."""
    url = settings.server.url
    secure = settings.url.startswith("https://")
    return Door(origin_of(url) if url else "", secure)


async def _first_admin(deps: Deps, settings: Settings) -> None:
    """A new pool gets one administrator, whose token only the owner of the data folder can read."""
    path = settings.admin_token
    if await enrol.first_admin(deps, lambda token: _keep_token(path, token)):
        log.info("administrator made", extra={"action": "admin", "file": str(path)})


def _keep_token(path: Path, token: str) -> None:
    """Write the file so that it is there whole whatever happens next."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    write_private(partial, f"{token}\n".encode("ascii"))
    partial.replace(path)
    sync_folder(path.parent)


def _each(wanted: int) -> int:
    """How many connections one address may have: never so many that none are left for others."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if files == resource.RLIM_INFINITY else min(wanted, files // 2)


async def _listen(
    stack: AsyncExitStack,
    settings: Settings,
    app: web.Application,
    starter: Starter,
    certificate: Certificate | None,
) -> str:
    """Answer on the address of the settings; the URL, with the port that was free."""
    patience: dict[str, Any] = {**mount.RUNNER, "shutdown_timeout": SHUTDOWN_S}
    proxies = app[peer.PROXIES]
    turnstile = Turnstile(_each(settings.limits.connections_per_address), proxies)
    own = starter if settings.server.fast_lane else None
    runner = Runner(app, turnstile, own, access_log=None, **patience)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(
        runner,
        settings.server.host,
        settings.server.port,
        backlog=BACKLOG,
        ssl_context=None if certificate is None else certificate.context,
    )
    try:
        await site.start()
    except OSError as error:
        raise AddressUnusable(settings.server.host, settings.server.port, error) from error
    port = runner.addresses[0][1]
    return settings.server.url or settings.url.rsplit(":", 1)[0] + f":{port}"
