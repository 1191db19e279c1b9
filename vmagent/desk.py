"""The commands `pair` and `recontextualize`: the machine, the terminal and the conversation."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

from vmagent import banner, chores, console, context, errors, link, terminal
from vmagent.calls import Server
from vmagent.clock import ServerClock
from vmagent.home import Home, Identity
from vmagent.settings import Settings
from vmagent.terminal import Gone, Terminal
from vmagent.typed import Interrupted
from vmagent.wire import codec

WENT = 1  # the exit code where the person goes before it is done


def pair(
    home: Home, wishes: console.Wishes, settings: Settings, device: Optional[str], plain: bool
) -> int:
    """Give this machine an owner; the exit code."""
    _as_owner_of(home)
    home.prepare()
    rights = context.Rights.of(settings.apply, os.environ)
    hangs = wishes.service or home.is_awaited()  # a try by hand leaves no notice behind
    if hangs:
        banner.hang(home, wishes.server, rights.root)
    try:
        with _on(device, plain) as tty:
            talk = console.Console(home, wishes, settings, rights, tty)
            return _converse(home, talk, wishes.service, settings, tty)
    finally:
        if hangs or home.is_joined():
            banner.hang(home, wishes.server, rights.root)


def _converse(
    home: Home, talk: console.Console, service: bool, settings: Settings, tty: Terminal
) -> int:
    while True:
        try:
            if home.is_joined():
                talk.watch(home.identity(), once=not service)
                return 0
            identity = talk.pair()
            if identity is None:
                if service:
                    return 0  # started anew, it shows whose the machine is
                continue
            try:
                _contextualize(home, talk, identity, settings)
                told = _next(home, service)  # while a service that waits cannot have begun
            finally:
                home.unlock()
            tty.say(*told)
            return 0
        except console.Failed as failed:
            return failed.error.code
        except Interrupted:
            if not service:
                tty.say("", "Ended; the machine is not paired.")
                return WENT
        except Gone:
            return 0 if service else WENT
        except OSError as error:
            raise errors.StateUnusable(f"{home.path}: {error}") from error


def _next(home: Home, service: bool) -> list[str]:
    if home.is_awaited():
        return ["", "The agent begins to work now. What it does:  windfall-agent status"]
    if service:
        return ["", "To begin to work:  systemctl start windfall-agent"]
    return [""]


def _contextualize(
    home: Home, talk: console.Console, identity: Identity, settings: Settings
) -> Optional[context.Outcome]:
    """Apply the context kept, and tell the server; later if it does not hear now."""
    found = context.kept(home)
    if found is None:
        return None
    done = talk.apply(found)
    report = context.report(found, done)
    line = link.Link(identity.server, identity.token, settings.ca)
    try:
        Server(line, ServerClock()).report_context(report)
    except errors.LinkFault:
        chores.owe(home, chores.REPORT, codec.plain(report))
    finally:
        line.close()
    return done


def recontextualize(home: Home, settings: Settings, device: Optional[str]) -> int:
    """Fetch this machine's context and apply it; 0 if there is nothing left to do."""
    _as_owner_of(home)
    identity = home.identity()
    home.prepare()
    line = link.Link(identity.server, identity.token, settings.ca)
    try:
        found = Server(line, ServerClock()).context()
    finally:
        line.close()
    rights = context.Rights.of(settings.apply, os.environ)
    nobody = console.Wishes(identity.server, "", "", code=False, service=False)
    with _on(device, plain=False) as tty:
        if not found.id:
            tty.say("This machine has no context: its owner gives it one on the web.")
            return 0
        context.keep(home, found)
        tty.say(f"Context {found.name}, revision {found.revision}.")
        talk = console.Console(home, nobody, settings, rights, tty)
        try:
            done = _contextualize(home, talk, identity, settings)
        except (Gone, Interrupted):
            return WENT
        if done is not None and done.news and home.running():
            tty.say("The agent's settings are others now: restart it, and they count.")
    fine = done is not None and done.outcome in (context.APPLIED, context.ONLY_KEPT)
    return 0 if fine else WENT


def _as_owner_of(home: Home) -> None:
    """Root who pairs the machine of an agent that runs as another user goes on as that user."""
    try:
        facts = home.path.stat()
    except OSError:
        return
    if os.geteuid() == 0 and facts.st_uid != 0:
        user = _user(facts.st_uid)
        if user:
            os.initgroups(user, facts.st_gid)
        else:
            os.setgroups([])
        os.setgid(facts.st_gid)
        os.setuid(facts.st_uid)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return ""


@contextmanager
def _on(device: Optional[str], plain: bool) -> Iterator[Terminal]:
    """The terminal, in its modes; signals that end the program put them back."""

    def end(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    before = {one: signal.signal(one, end) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        shown = plain or terminal.is_plain(os.environ)
        with terminal.opened(device, shown) as found, found as tty:
            yield tty
    except FileNotFoundError as error:
        raise errors.CannotWork(f"--tty {device}: {error.strerror}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
