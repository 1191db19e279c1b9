"""Messages of pairing: a machine becomes its owner's host by a PIN or a code, and gets its context.

Two ways in, one second half. With a PIN (shown on the web, typed at the machine): `PairRequest` to
``POST /pair``. With a code (shown by the machine, typed on the web; RFC 8628): the same message
without a PIN to ``POST /pair/device``. Then ``GET /pair/status`` and ``POST /pair/collect`` with
the poll token as bearer. Conventions as in `messages`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from vmagent.wire.messages import HEX64, REQUEST_ID, WORD, WORD_OR_NONE, HostFacts, bound

PIN = r"^([0-9]{6})?$"
UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
PREIMAGE = r"^[A-Za-z0-9_-]{43}$"
USER_CODE = r"^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$"
THREE_WORDS = r"^[a-z]{2,12} [a-z]{2,12} [a-z]{2,12}$"
USER_DATA_MOST = 262_144
QR_MOST = 85  # modules on a side: version 17, 395 letters and digits at the least

# What a machine must tell apart; codes of `Problem`.
UNMANAGED = "host-unmanaged"  # 410: its owner took it away; end at once, forget the token
PINS_LOCKED = "pins-locked"  # 429: too many wrong PINs everywhere; pair with a code
PAIRING_OVER = "pairing-over"  # 410: it can no longer be collected
COLLECTED_ALREADY = "pairing-collected"  # 409: somebody else has collected it


@dataclass(frozen=True)
class Image:
    """What the machine was started from, as far as it knows: name, version, branch and tag."""

    name: str = field(default="", metadata=bound(most=100))
    version: str = field(default="", metadata=bound(most=100))
    branch: str = field(default="", metadata=bound(most=200))
    tag: str = field(default="", metadata=bound(most=100))


@dataclass(frozen=True)
class PairRequest:
    """A machine asks for an owner. ``pin`` is six digits, or empty where it asks for a code.

    ``commit`` is the SHA-256 of 32 random bytes that only this process of the machine has, and will
    show when it collects. The same ``nonce`` with the same ``commit`` is the same request. ``uuid``
    is what the machine claims to be; it proves nothing.
    """

    uuid: str = field(metadata=bound(most=36, pattern=UUID))
    nonce: str = field(metadata=bound(most=64, pattern=REQUEST_ID))
    commit: str = field(metadata=bound(most=64, pattern=HEX64))
    arch: str = field(metadata=bound(most=32, pattern=WORD))
    cores: int = field(metadata=bound(least=1, most=4096))
    memory_mb: int = field(metadata=bound(least=1, most=2**30))
    pin: str = field(default="", metadata=bound(most=6, pattern=PIN))
    image: Image = field(default_factory=Image)
    hostname: str = field(default="", metadata=bound(most=253))
    agent_version: str = field(default="", metadata=bound(most=64))


@dataclass(frozen=True)
class PairStarted:
    """A request is under way (also if the PIN was wrong: it will expire).

    Ask with ``poll_token`` every ``interval`` seconds for at most ``expires_in``; ``words`` are
    three that the owner sees too, and compares.
    """

    poll_token: str = field(metadata=bound(least=16, most=200))
    interval: int = field(metadata=bound(least=1, most=3600))
    expires_in: int = field(metadata=bound(least=1, most=86_400))
    words: str = field(metadata=bound(most=40, pattern=THREE_WORDS))


@dataclass(frozen=True)
class DeviceStarted:
    """A code for the owner to type at ``verification_uri`` (RFC 8628); the rest as `PairStarted`.

    ``qr`` is ``verification_uri_complete`` as a QR code without its quiet zone: a row of ``0`` and
    ``1`` (dark) for each row of modules; empty if there is none.
    """

    poll_token: str = field(metadata=bound(least=16, most=200))
    interval: int = field(metadata=bound(least=1, most=3600))
    expires_in: int = field(metadata=bound(least=1, most=86_400))
    words: str = field(metadata=bound(most=40, pattern=THREE_WORDS))
    user_code: str = field(metadata=bound(most=9, pattern=USER_CODE))
    verification_uri: str = field(metadata=bound(most=300))
    verification_uri_complete: str = field(default="", metadata=bound(most=300))
    qr: list[str] = field(default_factory=list, metadata=bound(most=QR_MOST))


@dataclass(frozen=True)
class PairStatus:
    """How a request stands: pending, slow_down, ready, expired or rejected.

    ``interval`` is how long to wait from now on. After a wrong PIN it is pending and then expired,
    so that who guesses learns nothing.
    """

    state: str = field(metadata=bound(most=32, pattern=WORD))
    interval: int = field(default=5, metadata=bound(least=1, most=3600))


@dataclass(frozen=True)
class CollectRequest:
    """The machine takes what its owner agreed to; ``preimage`` is what ``commit`` was made of.

    ``request`` is a random word that is kept until all is stored: with it a collection that was cut
    off may be repeated (the same host, a new secret) until the host's first contact. Any other
    second collection is refused.
    """

    preimage: str = field(metadata=bound(most=43, pattern=PREIMAGE))
    request: str = field(metadata=bound(most=64, pattern=REQUEST_ID))
    name: str = field(metadata=bound(most=100, least=1))
    facts: HostFacts


@dataclass(frozen=True)
class NewToken:
    """Another token for this host; both are good until it says with it that it has kept it."""

    token: str = field(metadata=bound(least=16, most=256))


@dataclass(frozen=True)
class MachineLimits:
    """What the owner allows this machine to use; 0 and "" are no limit.

    ``cores`` and ``memory_mb`` are for all payloads together; ``hours`` are the machine's local
    ones, as in ``22-6`` or ``mon-fri 18:30-7; sat,sun 0-24``. Without ``network`` no payload gets
    it.
    """

    cores: int = field(default=0, metadata=bound(least=0, most=4096))
    memory_mb: int = field(default=0, metadata=bound(least=0, most=2**30))
    hours: str = field(default="", metadata=bound(most=200))
    network: bool = True


@dataclass(frozen=True)
class MachineContext:
    """A revision of a context, rendered for this machine.

    ``user_data`` is the MIME text that cloud-init reads; or, if the context is protected,
    ``envelope`` the JSON text of its envelope, which holds that MIME text. ``id`` is empty if the
    machine was paired without a context.
    """

    id: str = field(default="", metadata=bound(most=64, pattern=WORD_OR_NONE))
    revision: int = field(default=0, metadata=bound(least=0, most=2**31))
    name: str = field(default="", metadata=bound(most=200))
    user_data: str = field(default="", metadata=bound(most=USER_DATA_MOST))
    envelope: str = field(default="", metadata=bound(most=2 * USER_DATA_MOST))
    root_pubkeys: list[str] = field(default_factory=list, metadata=bound(most=32))


@dataclass(frozen=True)
class Collected:
    """The machine is a host now: as `Enrolled`, and what its owner gave it.

    ``release`` is the kid of the release key that the key list begins with. ``name`` is the name
    that its owner gave it. ``heartbeat_s`` is how often it shall be heard of; 0: as the protocol
    says.
    """

    host: int
    token: str
    account: str
    keys: list[str]
    time: float
    release: str = field(default="", metadata=bound(most=16, pattern=WORD_OR_NONE))
    name: str = field(default="", metadata=bound(most=100))
    context: Optional[MachineContext] = None
    limits: MachineLimits = field(default_factory=MachineLimits)
    heartbeat_s: float = field(default=0.0, metadata=bound(least=0, most=86_400))


@dataclass(frozen=True)
class ContextReport:
    """What became of a revision of a context on a machine; ``how`` is a word for the way.

    applied: done by ``cloud-init`` or ``amiconfig``, or ``settings``: only the agent's own. kept:
    stored and not applied, ``detail`` says why. locked: it needs its secret. failed: see
    ``detail``.
    """

    id: str = field(metadata=bound(most=64, pattern=WORD))
    revision: int = field(metadata=bound(least=0, most=2**31))
    outcome: str = field(metadata=bound(most=16, pattern=r"^(applied|kept|locked|failed)$"))
    how: str = field(default="", metadata=bound(most=32, pattern=WORD_OR_NONE))
    detail: str = field(default="", metadata=bound(most=2000))
