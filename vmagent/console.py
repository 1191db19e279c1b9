"""The conversation of pairing with the person at a terminal, from the first screen to the last."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from vmagent import context, errors, limits, link, machine, pairing, screen, troubles, trust
from vmagent.backoff import pause
from vmagent.calls import Server
from vmagent.clock import ServerClock
from vmagent.home import Home, Identity
from vmagent.settings import Settings
from vmagent.terminal import Gone, Terminal
from vmagent.typed import Interrupted, pin_of
from vmagent.wire.pairing import Collected, MachineContext

PAGE = "/pair"
LOOK_S = 1.0  # between looks whether somebody else has paired this machine meanwhile
TRIES = 6
ASKS_SECRET, SECRET_S, CONSENT_S = 3, 300.0, 120.0
AGAIN_S = 15.0  # a console that nobody sits at tries again by itself


@dataclass(frozen=True)
class Wishes:
    """What was said on the command line."""

    server: str
    release: str
    name: str
    code: bool
    service: bool


class Failed(Exception):
    """The pairing came to nothing; ``error`` has the exit code, ``trouble`` was shown."""

    def __init__(self, error: errors.AgentError) -> None:
        self.error = error
        super().__init__(str(error))


class NewPin(Exception):
    """The person pressed Enter while waiting: a PIN is to be typed."""


class Console:
    """Pairs this machine, and tells the person at the terminal all about it."""

    def __init__(
        self, home: Home, wishes: Wishes, settings: Settings, rights: context.Rights, tty: Terminal
    ) -> None:
        self._home, self._wishes, self._settings = home, wishes, settings
        self._rights, self._tty = rights, tty
        self._root: Path = rights.root

    def pair(self) -> Optional[Identity]:
        """Until the machine has an owner: who it is; the state folder is then locked for more.

        None if somebody else has paired it meanwhile.
        `Failed` where nobody can answer; `Gone` and `Interrupted` if the person goes.
        """
        server = self._server()
        self._tty.say(*screen.head(machine.identifier(self._home, self._root)))
        code, last = self._wishes.code, None
        while True:
            try:
                return self._once(server, code)
            except NewPin:
                code = False
            except Gone as gone:
                raise (gone if last is None else Failed(last)) from gone
            except errors.AgentError as error:
                last = error
                found = self._trouble_of(error, code)
                self._tty.say(*screen.trouble(found))
                code = (code or found.code) if self._tty.is_tty else code
                self._after(error, found)

    def _trouble_of(self, error: errors.AgentError, code: bool) -> troubles.Trouble:
        if isinstance(error, errors.PairingRefused):
            return troubles.REJECTED
        if isinstance(error, errors.PairingOver) and code:
            return troubles.CODE_EXPIRED
        return troubles.of(error)

    def _after(self, error: errors.AgentError, found: troubles.Trouble) -> None:
        """Go on after a trouble, if anybody is there to."""
        if self._wishes.service:
            wait = max(AGAIN_S, getattr(error, "retry_after", 0.0))
            self._tty.say(f"It goes on in {wait:.0f} seconds, or when you press Enter.")
            self._tty.wait(wait)
        elif not found.again or (not self._tty.is_tty and isinstance(error, errors.LinkFault)):
            raise Failed(error)
        elif self._tty.is_tty and isinstance(error, (errors.LinkFault, errors.Locked)):
            self._tty.ask("Press Enter to try again, Ctrl-C to end. ")
        elif not self._tty.is_tty and self._wishes.code:
            raise Failed(error)

    def _server(self) -> str:
        if self._wishes.server:
            return link.check_url(self._wishes.server)
        if not self._tty.is_tty:
            raise errors.NoServer
        while True:
            said = self._tty.ask("Address of the server (https://...): ").strip()
            with contextlib.suppress(errors.CannotWork):
                return link.check_url(said if "://" in said else f"https://{said}")
            self._tty.say("That is no address of a server, such as https://windfall.example.org .")

    def _once(self, server: str, code: bool) -> Optional[Identity]:
        """One pairing, begun or taken up."""
        self._home.lock_soon()
        attempt = pairing.resumed(self._home, server)
        self._home.unlock()
        if attempt is not None:
            self._tty.say("", "The pairing that was begun before goes on.")
        self._greet(server)
        pin = ""
        if attempt is None and not code:
            found = self._ask_pin(server)
            if found is None:
                return None
            pin = found
        self._home.lock_soon()  # until the context is applied, and nobody begins to work before
        try:
            if not self._home.is_joined():
                return self._go_on(attempt or self._begin(server, pin))
        except BaseException:
            self._home.unlock()
            raise
        self._home.unlock()
        return None

    def _go_on(self, attempt: pairing.Attempt) -> Identity:
        try:
            self._show(attempt)
            if not attempt.collecting:
                self._wait(attempt)
        except (NewPin, Interrupted, errors.JoinRefused):
            pairing.drop(self._home)
            raise
        return self._collect(attempt)

    def _greet(self, server: str) -> None:
        """Look whether the server is there and has the key that this machine was told of."""
        line = link.Link(server, ca=self._settings.ca)
        try:
            keys = Server(line, ServerClock()).keys().keys
        finally:
            line.close()
        if self._wishes.release:
            trust.Pins.start(self._wishes.release, keys)

    def _ask_pin(self, server: str) -> Optional[str]:
        """Six digits, or empty for a code; None if the machine has got an owner meanwhile."""
        self._tty.say("", *screen.how_to(server, PAGE))
        while True:
            found = self._tty.ask_for(LOOK_S, screen.PIN_PROMPT, pin=True)
            while found is None:
                if self._home.is_joined():
                    return None
                found = self._tty.ask_for(LOOK_S, "", pin=True)
            if not found.strip() or pin_of(found):
                return pin_of(found)
            self._tty.say(*screen.trouble(troubles.BAD_PIN))

    def _begin(self, server: str, pin: str) -> pairing.Attempt:
        line = link.Link(server, ca=self._settings.ca)
        try:
            return pairing.begin(self._home, line, pin, self._root)
        finally:
            line.close()

    def _show(self, attempt: pairing.Attempt) -> None:
        if attempt.user_code:
            self._tty.say("", *screen.code(attempt, self._tty.size(), self._tty.plain))
        else:
            self._tty.say("", *screen.words(attempt))
            self._tty.say(
                "If the page shows nothing within a minute the PIN was not right: press Enter,",
                "and type it again.",
            )

    def _wait(self, attempt: pairing.Attempt) -> None:
        """Until the owner has confirmed. `NewPin`, `errors.JoinRefused`, `errors.Untrusted`."""
        line = link.Link(attempt.server, attempt.poll_token, self._settings.ca)
        try:
            self._poll(attempt, line)
        finally:
            line.close()
            if self._tty.is_tty:
                self._tty.say("")

    def _poll(self, attempt: pairing.Attempt, line: link.Link) -> None:
        interval, failures = attempt.interval, 0
        while True:
            wait = interval + pause(failures, 0.5) if failures else interval
            self._pass(min(float(wait), max(0.0, attempt.left_s)), attempt)
            if attempt.left_s <= 0:
                raise errors.PairingOver
            try:
                found = pairing.look(line)
            except (errors.NetworkDown, errors.ServerBusy) as error:
                failures += 1
                if failures == 1:
                    self._tty.say("", f"({troubles.of(error).what} Trying on.)")
                continue
            failures, interval = 0, max(1, found.interval)
            if found.state == pairing.READY:
                return
            if found.state == pairing.EXPIRED:
                raise errors.PairingOver
            if found.state == pairing.REJECTED:
                raise errors.PairingRefused
            if found.state == pairing.SLOW_DOWN:
                interval = max(interval, attempt.interval + pairing.SLOWER_S)
            elif found.state != pairing.PENDING:
                raise errors.AnswerUnreadable(f"the server says {found.state}")

    def _pass(self, seconds: float, attempt: pairing.Attempt) -> None:
        """Let time pass, and show it on a tty."""
        while True:
            if self._tty.is_tty:
                self._tty.write(f"\r{screen.pending(attempt.left_s)}")
            step = min(1.0, seconds)
            if self._tty.wait(step):
                raise NewPin
            seconds -= step
            if seconds <= 0:
                return

    def _collect(self, attempt: pairing.Attempt) -> Identity:
        """Take host and context, and make this machine that host."""
        line = link.Link(attempt.server, attempt.poll_token, self._settings.ca)
        name = (self._wishes.name or socket.gethostname())[:100]
        try:
            told = self._collected(attempt, line, name)
        finally:
            line.close()
        return self._take(attempt.server, told, name)

    def _collected(self, attempt: pairing.Attempt, line: link.Link, name: str) -> Collected:
        failures = 0
        while True:
            try:
                return pairing.collect(self._home, attempt, line, self._settings, name)
            except (errors.NetworkDown, errors.ServerBusy) as error:
                failures += 1
                if failures >= TRIES:
                    raise
                self._tty.say(f"({troubles.of(error).what} Trying on.)")
                self._tty.wait(pause(failures, 0.5, error.retry_after))

    def _take(self, server: str, told: Collected, name: str) -> Identity:
        with contextlib.suppress(ValueError):  # hours that this agent does not understand
            limits.keep(self._home, told.limits)
        if told.context is not None and told.context.id:
            context.keep(self._home, told.context)
        root = self._wishes.release or told.release
        identity = pairing.store(self._home, server, told, root, name)
        self._tty.say(*screen.paired(identity, root, told.context))
        return identity

    def apply(self, found: MachineContext) -> context.Outcome:
        """Apply a context; its secret, if it needs one, is asked for without echo."""
        self._agree()
        tries = ASKS_SECRET if found.envelope else 1
        done = context.Outcome(context.LOCKED)
        for _ in range(tries):
            secret = self._secret() if found.envelope else None
            if found.envelope and not secret:
                break
            if not found.envelope:
                self._tty.say("Applying the context ...")
            done = context.apply(self._home, found, secret, self._rights)
            if done.outcome != context.LOCKED:
                break
            self._tty.say("That is not the secret of this context.")
        self._tty.say(*screen.context(done.outcome, done.how, done.detail))
        return done

    def _agree(self) -> None:
        """Ask the person whether a context may set up this system, if nobody has said so yet."""
        rights = self._rights
        ways = [name for name, _, _ in rights.ways(self._home.path)]
        if not ways or rights.never() or not rights.why_not(self._home):
            return
        self._tty.say("", *screen.consent(ways))
        with contextlib.suppress(Gone):
            said = self._tty.ask_for(CONSENT_S, "Set up this system with the context? (y/N) ")
            if said is not None and said.strip().lower() in ("y", "yes"):
                self._home.keep_note(context.AGREED, True)

    def _secret(self) -> str:
        with contextlib.suppress(Gone):
            prompt = "Secret of the context (Enter: later): "
            return self._tty.ask_for(SECRET_S, prompt, hidden=True) or ""
        return ""

    def watch(self, identity: Identity, once: bool) -> None:
        """Show what the machine does: once, or until it has no owner any more."""
        shown = ""
        while self._home.is_joined():
            status = self._home.status()
            state = str(status.get("state", "")) if status["running"] else ""
            if state != shown or not shown:
                shown = state or "none"
                self._tty.say("", *screen.owned(identity, state))
            if once:
                return
            self._tty.wait(5 * LOOK_S)
