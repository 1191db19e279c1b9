"""Pairing: how a machine and an account find each other by a number that a person carries over.

Two ways lead to one second half. A **PIN** is shown on the page and typed into the machine; a
**code** is shown by the machine and typed on the page (RFC 8628). Then both show the same three
words, the owner confirms, and the machine that asked collects once.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

from server.domain.errors import BadInput
from server.domain.moves import Moves


class PairState(StrEnum):
    """Where a pairing stands.

    - waiting: its PIN is shown, and no machine has said it yet;
    - claimed: at least one machine waits for its owner to compare the words;
    - confirmed: the owner has picked a machine, which has not collected yet;
    - delivered: that machine has what it came for, once;
    - rejected: the owner said that it is not theirs;
    - expired: nobody did what was to be done in time;
    - cancelled: the owner took it back, or asked for another PIN;
    - locked: too many PINs were being guessed, so no PIN is taken any more.
    """

    WAITING = "waiting"
    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    LOCKED = "locked"


_S = PairState

MOVES = Moves(
    "pairing",
    {
        (_S.WAITING, "claim"): _S.CLAIMED,
        (_S.CLAIMED, "claim"): _S.CLAIMED,
        (_S.CLAIMED, "confirm"): _S.CONFIRMED,
        (_S.CLAIMED, "reject"): _S.REJECTED,
        (_S.CONFIRMED, "deliver"): _S.DELIVERED,
        (_S.WAITING, "cancel"): _S.CANCELLED,
        (_S.CLAIMED, "cancel"): _S.CANCELLED,
        (_S.CONFIRMED, "cancel"): _S.CANCELLED,
        (_S.WAITING, "expire"): _S.EXPIRED,
        (_S.CLAIMED, "expire"): _S.EXPIRED,
        (_S.CONFIRMED, "expire"): _S.EXPIRED,
        (_S.WAITING, "lock"): _S.LOCKED,
    },
    finals=frozenset(_S) - {_S.WAITING, _S.CLAIMED, _S.CONFIRMED},
)

LIVE = frozenset({_S.WAITING, _S.CLAIMED, _S.CONFIRMED})
PIN_DIGITS = 6
MACHINES_MOST = 3  # that one PIN is shown with; a fourth is treated as if its PIN were wrong
# Twenty letters without vowels and Y, so that no words come of it, and no digits: RFC 8628, 6.1.
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LETTERS = 8
NETWORKS_MOST = 32  # of one enrolment token
WINDOW_S, MINUTE_S = 600.0, 60.0
_CODE = re.compile(f"[{LETTERS}]{{{CODE_LETTERS}}}")


@dataclass(frozen=True)
class Rules:
    """The bounds of pairing; the numbers are settings, these are their defaults.

    ``wrong_address`` and ``wrong_network`` are in ten minutes, ``wrong_minute`` of everybody in
    one. Times are in seconds.
    """

    life_s: float = 300.0
    code_life_s: float = 600.0
    interval_s: float = 5.0
    live_per_account: int = 3
    wrong_address: int = 5
    wrong_network: int = 30
    wrong_minute: int = 100
    lock_s: float = 600.0


@dataclass(frozen=True)
class Tries:
    """Who tried of late, and in vain as far as is known.

    By an address and by its network in ten minutes, by everybody in one minute; ``oldest`` is when
    the first try that counts against this address or its network was made (Unix seconds), and
    ``locked_until`` when PINs are taken again.
    """

    address: int = 0
    network: int = 0
    minute: int = 0
    oldest: float = 0.0
    locked_until: float = 0.0


def wait_s(tries: Tries, rules: Rules, now: float) -> float:
    """How long this address must wait before a PIN of it is looked at; 0: not at all."""
    if tries.address < rules.wrong_address and tries.network < rules.wrong_network:
        return 0.0
    return max(1.0, tries.oldest + WINDOW_S - now)


def locks(tries: Tries, rules: Rules) -> bool:
    """Whether so many wrong PINs come from everywhere that none is taken any more."""
    return tries.minute > rules.wrong_minute


def network_of(address: str) -> str:
    """The /24 or /48 of an address, which one person may well own; the address if it is none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None:
        found = mapped
    return str(ipaddress.ip_network(f"{found}/{24 if found.version == 4 else 48}", strict=False))


def read_networks(text: str) -> str:
    """Networks as people write them (CIDR, RFC 4632; commas or blanks between), in one spelling.

    Raises BadInput.
    """
    words = text.replace(",", " ").split()
    found, faults = [], []
    for word in words:
        try:
            found.append(str(ipaddress.ip_network(word)))
        except ValueError as error:
            faults.append(f"networks: {word[:60]!r}: {error}; write 192.0.2.0/24 or 2001:db8::/48")
    if len(words) > NETWORKS_MOST:
        faults.append(
            f"networks: {len(words)}, and at most {NETWORKS_MOST} may be; name wider ones"
        )
    if faults:
        raise BadInput(faults)
    return " ".join(found)


def within(networks: str, address: str) -> bool:
    """Whether an address lies in one of these networks; without networks any does."""
    if not networks:
        return True
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    each = (ipaddress.ip_network(network) for network in networks.split())
    return any(found.version == net.version and found in net for net in each)


def keyed(secret: bytes, what: str, text: str) -> bytes:
    """What is kept of a PIN or a code: without the server's secret it cannot be tried out."""
    return hmac.digest(secret, f"{what}\n{text}".encode(), hashlib.sha256)


def pin_of(secret: bytes, handle: str, draw: int) -> str:
    """The PIN of a pairing: uniform, and made again from its random id, so it is never stored."""
    digest = keyed(secret, "pin of", f"{handle}\n{draw}")
    return str(int.from_bytes(digest, "big") % 10**PIN_DIGITS).zfill(PIN_DIGITS)


def pin_shown(pin: str) -> str:
    """A PIN as people read it: 85 91 16."""
    return " ".join(pin[k : k + 2] for k in range(0, len(pin), 2))


def code_of(random: bytes) -> str:
    """A code for a machine to show, of 256 random bits."""
    number = int.from_bytes(hashlib.sha256(random).digest(), "big")
    letters = []
    for _ in range(CODE_LETTERS):
        number, rest = divmod(number, len(LETTERS))
        letters.append(LETTERS[rest])
    return "".join(letters)


def code_shown(code: str) -> str:
    """A code as people read it: BCDF-GHJK."""
    return f"{code[:4]}-{code[4:]}"


def read_code(text: str) -> str:
    """A code as a person typed it. Raises BadInput."""
    found = re.sub(r"[\s-]", "", text).upper()
    if _CODE.fullmatch(found) is None:
        raise BadInput(
            [f"code: {CODE_LETTERS} letters as the machine shows them, like BCDF-GHJK; no vowels"]
        )
    return found


def opens(preimage: bytes, commitment: str) -> bool:
    """Whether these 32 random bytes are what the machine committed to when it asked."""
    return len(preimage) == 32 and hmac.compare_digest(
        hashlib.sha256(preimage).hexdigest(), commitment
    )


def next_interval(asked_at: float, interval: float, now: float, rules: Rules) -> float:
    """The pause that a machine must keep; longer by 5 s if it asked too soon (RFC 8628, 3.5)."""
    if asked_at and now - asked_at < interval * 0.8:  # what the network holds up, comes in a heap
        return min(60.0, interval + rules.interval_s)
    return interval
