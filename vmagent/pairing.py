"""Pairing, as the machine does it: a request, a wait, a collection; each may be cut off anywhere.

What the request was made with is kept in the state folder (0600) until the machine is somebody's,
so that a program that was killed goes on with it, and collects the one host, not a second.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Optional

from vmagent import clock, errors, joining, link, machine, monitor, trust
from vmagent.calls import Server
from vmagent.home import Home, Identity
from vmagent.settings import Settings
from vmagent.wire import codec, jws, pairing

NOTE = "pairing"
BOOT = Path("/proc/sys/kernel/random/boot_id")
PENDING, SLOW_DOWN, READY, EXPIRED, REJECTED = (
    "pending", "slow_down", "ready", "expired", "rejected",
)  # fmt: skip
SLOWER_S = 5  # RFC 8628, 3.5


@dataclass(frozen=True)
class Attempt:
    """A request under way. ``until`` is in ticks of `clock.monotonic` of this ``boot``.

    ``preimage`` and ``poll_token`` are secrets; the rest is for the person.
    """

    server: str
    nonce: str
    preimage: str
    request: str
    boot: str
    poll_token: str = ""
    words: str = ""
    interval: int = 5
    until: float = 0.0
    user_code: str = ""
    uri: str = ""
    uri_complete: str = ""
    qr: list[str] = field(default_factory=list)
    collecting: bool = False

    @property
    def left_s(self) -> float:
        """Seconds until it expires."""
        return self.until - clock.monotonic()


def _boot() -> str:
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


def fresh(server: str) -> Attempt:
    """A request that is not sent yet."""
    preimage = jws.b64(secrets.token_bytes(32))
    return Attempt(server, secrets.token_urlsafe(24), preimage, secrets.token_urlsafe(24), _boot())


def commit_of(preimage: str) -> str:
    """What the server is told of the 32 bytes."""
    return hashlib.sha256(jws.unb64(preimage)).hexdigest()


def resumed(home: Home, server: str) -> Optional[Attempt]:
    """A request of before with this server that can still come to something; else it is dropped.

    One that was being collected is always taken up: the server alone knows whether it is over.
    """
    try:
        found = codec.build(home.note(NOTE), Attempt)
    except codec.BadMessage:
        return None
    alive = found.boot == _boot() and 0 < found.left_s <= 86_400
    if found.server == server and found.poll_token and (alive or found.collecting):
        return found
    home.drop_note(NOTE)
    return None


def begin(home: Home, line: link.Link, pin: str, root: Path = Path("/")) -> Attempt:
    """Send the request, with a PIN or (empty) for a code; what came of it is kept."""
    made = fresh(line.server)
    said = machine.introduction(home, made.nonce, commit_of(made.preimage), pin, root)
    server = Server(line, clock.ServerClock())
    begun = clock.monotonic()
    if pin:
        told = server.pair(said)
        made = replace(
            made, poll_token=told.poll_token, words=told.words, interval=told.interval,
            until=begun + told.expires_in,
        )  # fmt: skip
    else:
        code = server.pair_code(said)
        made = replace(
            made, poll_token=code.poll_token, words=code.words, interval=code.interval,
            until=begun + code.expires_in, user_code=code.user_code, uri=code.verification_uri,
            uri_complete=code.verification_uri_complete, qr=code.qr,
        )  # fmt: skip
    keep(home, made)
    return made


def keep(home: Home, attempt: Attempt) -> None:
    """Keep a request for a program that comes after this one."""
    home.keep_note(NOTE, asdict(attempt))


def drop(home: Home) -> None:
    """Let a request go: at the server it expires."""
    home.drop_note(NOTE)


def look(line: link.Link) -> pairing.PairStatus:
    """How it stands by now; a server that knows nothing of it any more says expired."""
    try:
        return Server(line, clock.ServerClock()).pair_status()
    except errors.RequestRefused as error:
        if error.status in (401, 404, 410) and error.word != link.UNKNOWN:
            return pairing.PairStatus(EXPIRED)
        raise


def collect(
    home: Home, attempt: Attempt, line: link.Link, settings: Settings, name: str
) -> pairing.Collected:
    """Take what the owner agreed to. May be repeated after any `LinkFault`, and after a crash."""
    keep(home, replace(attempt, collecting=True))
    facts = monitor.facts(home.path, settings)
    request = pairing.CollectRequest(attempt.preimage, attempt.request, name, facts)
    try:
        return Server(line, clock.ServerClock()).collect(request)
    except errors.RequestRefused as error:
        if error.word == link.UNKNOWN:
            raise
        drop(home)
        if error.word == pairing.COLLECTED_ALREADY:
            raise errors.CollectedAlready(error.detail) from error
        raise errors.PairingOver(str(error)) from error


def store(home: Home, server: str, told: pairing.Collected, root: str, name: str) -> Identity:
    """Make the machine the host that was collected. ``root`` is the release key to believe.

    Empty, it is the one that the server named. `Untrusted` if the keys do not follow from it.
    """
    if not joining.HOST_TOKEN.fullmatch(told.token):
        raise errors.JoinRefused("the server's answer has no host token in it")
    if not (root or told.release):
        raise errors.Untrusted("unsigned", "the key list", "the server names no release key")
    pins = trust.Pins.start(root or told.release, told.keys)
    identity = Identity(server, told.host, told.token, told.account, told.name or name)
    home.start_anew()  # an identity of before goes first, so there are never two halves
    home.join(identity, pins)
    drop(home)
    return identity
