"""The machine's context: kept as it came (0600), opened if sealed, applied if that is allowed.

Applied is only by root, and only where that was agreed to: what it says, the system does as root.
Else the agent takes its own settings out of it, and says what was not done.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from vmagent import applying, envelope, files, wanted
from vmagent.home import Home
from vmagent.plaintext import printable
from vmagent.wire import codec, pairing

log = logging.getLogger("vmagent.context")

FOLDER, KEPT, LOG, LOCK = "context", "context.json", "apply.log", "lock"
APPLIED, ONLY_KEPT, LOCKED, FAILED = "applied", "kept", "locked", "failed"
NOTE, AGREED = "applied", "agreed"


@dataclass(frozen=True)
class Outcome:
    """What became of a context, as in `pairing.ContextReport`.

    ``news``: it changed the agent's own settings.
    """

    outcome: str
    how: str = ""
    detail: str = ""
    news: bool = False


@dataclass(frozen=True)
class Rights:
    """What may be done with a context here, and where: ``root`` stands for ``/``.

    ``apply`` is the setting: no; yes; or auto, which is yes once a person at the machine agreed.
    """

    apply: str
    root: Path
    environment: Mapping[str, str]

    @classmethod
    def of(cls, apply: str, environment: Mapping[str, str]) -> Rights:
        """By the settings; WINDFALL_ROOT is another folder than ``/``, to try things."""
        return cls(apply, Path(environment.get("WINDFALL_ROOT", "/")), environment)

    def never(self) -> str:
        """Why nothing can be applied, whoever agrees; empty if it can be."""
        if self.apply == "no":
            return "--apply no forbids it"
        if self.root == Path("/") and os.geteuid() != 0:
            return "only root can do that, and this agent is not"
        return ""

    def why_not(self, home: Home) -> str:
        """Why nothing is applied; empty if it may be."""
        if not self.never() and self.apply == "auto" and not home.note(AGREED):
            return "nobody at this machine has agreed to it: windfall-agent recontextualize asks"
        return self.never()

    def ways(self, log: Path) -> list[tuple[str, str, applying.Way]]:
        """How it would be applied here: name, program and what hands it over."""
        place = applying.Place(self.root, log, self.environment)
        found = [(name, place.find(file), way) for name, file, way in applying.WAYS]
        return [(name, program, way) for name, program, way in found if program is not None]


def keep(home: Home, found: pairing.MachineContext) -> None:
    """Keep a context as it came."""
    folder = home.path / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    files.write(folder / KEPT, codec.encode(found))


def kept(home: Home) -> Optional[pairing.MachineContext]:
    """The context kept, if there is one."""
    try:
        raw = (home.path / FOLDER / KEPT).read_bytes()
        found = codec.decode(raw, pairing.MachineContext)
    except (OSError, codec.BadMessage):
        return None
    return found if found.id else None


def opened(found: pairing.MachineContext, secret: Optional[str]) -> str:
    """The user data of a context. `envelope.WrongSecret`, `envelope.Unreadable`."""
    if not found.envelope:
        return found.user_data
    if secret is None:
        raise envelope.WrongSecret("its secret is needed")
    raw = envelope.open_(found.envelope, secret, found.id, found.revision)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise envelope.Unreadable("it holds no text") from error


def apply(
    home: Home, found: pairing.MachineContext, secret: Optional[str], rights: Rights
) -> Outcome:
    """Make of a context what may be made of it here. Errors become the outcome."""
    try:
        user_data = opened(found, secret)
    except envelope.WrongSecret as error:
        return Outcome(LOCKED, detail=str(error))
    except envelope.Unreadable as error:
        return Outcome(FAILED, detail=f"the envelope cannot be read: {error}")
    with _alone(home):
        done = _apply(home, found, user_data, rights)
        home.keep_note(NOTE, {"id": found.id, "revision": found.revision, "outcome": done.outcome})
    log.info("context", extra={"context": found.id, "revision": found.revision, "how": done.how,
                               "outcome": done.outcome, "why": done.detail})  # fmt: skip
    return done


def _apply(home: Home, found: pairing.MachineContext, user_data: str, rights: Rights) -> Outcome:
    own = wanted.read(user_data)
    news = wanted.keep(home, own)
    notes = [f"passed over {one}" for one in own.passed_over]
    settings = f"the agent's own settings in it count ({len(own.settings)})"
    ways = rights.ways(home.path / FOLDER / LOG)
    why_not = rights.why_not(home) if ways else "there is neither cloud-init nor amiconfig here"
    if why_not:
        detail = "; ".join([f"not applied to the system: {why_not}", settings, *notes])[:2000]
        if own.settings and not ways:
            return Outcome(APPLIED, "settings", detail, news)
        return Outcome(ONLY_KEPT, "settings" if own.settings else "", detail, news)
    place = applying.Place(rights.root, home.path / FOLDER / LOG, rights.environment)
    for name, program, carry in ways:
        try:
            carry(place, program, found, user_data)
        except (applying.Failed, OSError) as error:
            return Outcome(FAILED, name, printable(str(error)), news)
    return Outcome(APPLIED, ways[0][0], "; ".join([*[w[0] for w in ways], *notes])[:2000], news)


def report(found: pairing.MachineContext, done: Outcome) -> pairing.ContextReport:
    """What the server is told of it."""
    return pairing.ContextReport(
        found.id, found.revision, done.outcome, done.how, printable(done.detail)
    )


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One program at a time applies a context."""
    folder = home.path / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
