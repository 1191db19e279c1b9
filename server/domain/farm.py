"""Sites and the switch of a farm: who it reaches, and how far it is obeyed.

The words are those of the farm: it is **offline** for us while it takes data and we must leave.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.domain.errors import BadInput

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
GRACE_MOST_S = 30 * 86_400.0  # a shutdown is announced a day before, never a year
REASON_MOST = 200
MEMBERS_MOST = 10_000  # hosts listed in one switch


class Mode(StrEnum):
    """What the hosts of a scope are to do.

    - online: work;
    - stop: finish the current event, send all that is finished, give the rest back, and rest;
    - suspend: pause the payloads where they stand, keep the leases;
    - drain: take no more, finish what is in hand, then rest.
    """

    ONLINE = "online"
    STOP = "stop"
    SUSPEND = "suspend"
    DRAIN = "drain"


class Scope(StrEnum):
    """Whom an order is for: one host, listed hosts, a site, an account, or all."""

    HOST = "host"
    HOSTS = "hosts"
    SITE = "site"
    ACCOUNT = "account"
    ALL = "all"


class Stage(StrEnum):
    """How far a switch is.

    - open: the scope works, there is nothing to wait for;
    - announced: nobody has taken the order up yet;
    - draining: some have, and not all have left;
    - drained: everybody who was here has left;
    - overdue: the time that was given is over, and somebody has not left.
    """

    OPEN = "open"
    ANNOUNCED = "announced"
    DRAINING = "draining"
    DRAINED = "drained"
    OVERDUE = "overdue"


COMMANDS = {Mode.ONLINE: "resume", Mode.STOP: "stop", Mode.SUSPEND: "suspend", Mode.DRAIN: "drain"}
"""The word of the wire for each mode."""
SLACK_S = 5.0  # beyond the grace, until a switch is overdue: to flush, send and tell


@dataclass(frozen=True)
class Target:
    """Whom an order is for; ``subject`` is the id of a site, an account or a host."""

    scope: Scope
    subject: int = 0
    members: frozenset[int] = frozenset()

    def reaches(self, host: int, account: int, site: int) -> bool:
        """Whether it is for this host; ``site`` 0 is none."""
        match self.scope:
            case Scope.ALL:
                return True
            case Scope.SITE:
                return site != 0 and site == self.subject
            case Scope.ACCOUNT:
                return account == self.subject
            case Scope.HOSTS:
                return host in self.members
            case Scope.HOST:
                return host == self.subject


@dataclass(frozen=True)
class Answer:
    """What a host made of a switch: whether it was taken up, and after how many s obeyed."""

    host: int
    heard: bool
    after_s: float | None


def stage(mode: Mode, at: float, grace_s: float, now: float, hosts: Sequence[Answer]) -> Stage:
    """How far a switch made at ``at`` is, of the hosts that were here."""
    if mode is Mode.ONLINE:
        return Stage.OPEN
    if all(host.after_s is not None for host in hosts):
        return Stage.DRAINED
    if now > at + grace_s + SLACK_S:
        return Stage.OVERDUE
    return Stage.DRAINING if any(host.heard for host in hosts) else Stage.ANNOUNCED


def after(answers: Sequence[Answer], share: float) -> float | None:
    """After how many s this share of the hosts had left; None while fewer have.

    The nearest rank: of 20 hosts, 95 % is the 19th.
    """
    times = sorted(one.after_s for one in answers if one.after_s is not None)
    rank = math.ceil(share * len(answers))
    return times[rank - 1] if 0 < rank <= len(times) else None


def check_name(name: str) -> None:
    """BadInput unless this can be the name of a site."""
    if NAME.fullmatch(name) is None:
        raise BadInput(
            [f"site {name[:80]!r}: 1 to 64 letters, digits, . - and _, a letter or digit first"]
        )


def check_switch(how: str, grace_s: float, reason: str) -> Mode:
    """The mode of these words. Raises BadInput with every fault."""
    faults = []
    if how not in [str(mode) for mode in Mode]:
        faults.append(f"how {how[:40]!r}: must be one of {', '.join(Mode)}")
    if not 0 <= grace_s <= GRACE_MOST_S:
        faults.append(f"grace_s {grace_s:g}: must be 0 to {GRACE_MOST_S:g}")
    if len(reason) > REASON_MOST or not reason.isprintable():
        faults.append(f"reason: at most {REASON_MOST} characters, all printable, on one line")
    if faults:
        raise BadInput(faults)
    return Mode(how)
