"""The life of a running agent: it waits for an owner, works, begins anew, and is taken away."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from vmagent import banner, clock, errors, farewell, kin, limits, link
from vmagent.calls import Server
from vmagent.home import Home
from vmagent.loop import Agent
from vmagent.service import Service
from vmagent.settings import Settings

log = logging.getLogger("vmagent.life")

LOOK_S = 1.0
UNPAIRED = "unpaired"
HOW = "run `windfall-agent pair` on any terminal of this machine"
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def live(home: Home, settings_of: Callable[[Home], Settings], service: Service) -> int:
    """Until it is told to end; the exit code. ``settings_of`` reads them anew.

    `NotJoined` without an owner, unless it is to wait for one.
    """
    home.prepare()
    kin.adopt()
    begun = clock.monotonic()
    while True:
        settings = settings_of(home)
        waits = settings.unpaired == "wait"
        if waits and not home.is_joined():
            if not _await_owner(home, service):
                return 0
            settings = settings_of(home)
        if settings.lifetime_s is not None:
            left = settings.lifetime_s - (clock.monotonic() - begun)
            settings = replace(settings, lifetime_s=max(1.0, left))
        code, anew = _work(home, limits.fit(settings, limits.kept(home)), service)
        if code == errors.Unmanaged.code:
            _taken_away(home)
            if not waits:
                return code
        elif not anew:
            return code


def _work(home: Home, settings: Settings, service: Service) -> tuple[int, bool]:
    """One agent, to its end: its code, and whether it wants to begin anew."""
    identity = home.identity()
    home.lock()
    line = link.Link(identity.server, identity.token, settings.ca, connections=8)
    server = Server(line, clock.ServerClock())
    agent = Agent(home, identity, settings, server, service)
    agent.watch_signals()
    code = agent.run()
    if code == 0 and agent.brain.reason == "server-stop" and _is_unmanaged(server, agent.brain.seq):
        code = errors.Unmanaged.code
    line.renew()  # nobody waits for an answer any more
    anew = code == 0 and agent.brain.anew
    if not anew:
        said = farewell.message(code, agent.brain.reason, agent.brain.worked)
        farewell.leave(settings.job_outputs, said)
    return code, anew


def _is_unmanaged(server: Server, seq: int) -> bool:
    """Whether a stop was the last that this host hears: its owner has taken the machine away."""
    try:
        server.commands(seq, 0)
    except errors.Unmanaged:
        return True
    except errors.LinkFault:
        pass
    return False


def _taken_away(home: Home) -> None:
    """The secret goes, and who is at the machine is told how to pair it anew."""
    home.leave()
    banner.take_down(_root())  # an agent that waits for the next owner hangs it anew
    log.warning("unmanaged", extra={"why": f"its owner has taken this machine away; {HOW}"})
    sys.stderr.write(
        "windfall-agent: the owner has taken this machine away. Its secret is removed.\n"
        f"To pair it anew: {HOW}.\n"
    )
    home.unlock()


def _await_owner(home: Home, service: Service) -> bool:
    """Until the machine has an owner (True), or the agent is told to end (False)."""
    try:
        handle = home.await_owner()
    except errors.Locked as error:
        raise errors.Locked(f"{home.path}, which waits for an owner") from error
    ends, restore = _signals()
    try:
        banner.hang(home, os.environ.get("WINDFALL_SERVER", ""), _root())
        log.warning(UNPAIRED, extra={"why": f"this machine has no owner yet; {HOW}"})
        home.keep_note("status", {"pid": os.getpid(), "state": UNPAIRED, "why": HOW, "tasks": []})
        service.ready()
        while not _paired(home):
            if select.select([ends], [], [], LOOK_S)[0]:
                service.stopping("told to end")
                return False
            service.alive(clock.monotonic(), f"{UNPAIRED}: {HOW}")
        log.info("paired", extra={"server": home.identity().server})
        banner.hang(home, "", _root())
        return True
    finally:
        restore()
        os.close(handle)


def _paired(home: Home) -> bool:
    """Whether it is, and whoever has paired it is done."""
    return home.is_joined() and home.worker() is None


def _signals() -> tuple[int, Callable[[], None]]:
    """A handle that can be read once a signal wants the agent to end; and how to go back."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def told(*_: Any) -> None:
        with contextlib.suppress(OSError):
            os.write(writer, b"!")

    before: dict[int, Any] = {}
    for number in ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, told)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)

    return reader, restore


def _root() -> Path:
    return Path(os.environ.get("WINDFALL_ROOT", "/"))


__all__ = ["UNPAIRED", "live"]
