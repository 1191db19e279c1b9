"""Everything that can be refused: a tree of errors, each with a word for programs and its facts."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import get_annotations
from typing import dataclass_transform


@dataclass_transform(eq_default=False)
class Refusal(Exception):
    """This cannot be done.

    A kind of refusal is its docstring, its code, and its facts by name and type: they are what it
    is made with, in their order, unless it has an ``__init__`` of its own.
    """

    code = "refused"

    def __init__(self, message: str = "", **facts: object) -> None:
        """Keep the facts as attributes; without a message, the docstring with them filled in."""
        for name, value in facts.items():
            setattr(self, name, value)
        super().__init__(message or (type(self).__doc__ or self.code).format(**facts))

    def __init_subclass__(cls) -> None:
        """Make it with its facts, if it says what they are and not how it is made."""
        names = tuple(get_annotations(cls))
        if not names or "__init__" in cls.__dict__:
            return

        def made(self: Refusal, *given: object, **named: object) -> None:
            facts = dict(zip(names, given, strict=False)) | named
            if len(given) + len(named) != len(names) or facts.keys() != set(names):
                raise TypeError(f"{cls.__name__} is made with {', '.join(names)}")
            Refusal.__init__(self, "", **facts)

        cls.__init__ = made  # type: ignore[method-assign]


class IllegalMove(Refusal):
    """A {machine} that is {state} cannot {cause}; look at its state again, nothing was changed."""

    code = "illegal-move"
    machine: str
    state: str
    cause: str

    def __init__(self, machine: str, state: str, cause: str) -> None:
        """The machine's name, the state it was in, and what was asked of it."""
        super().__init__(machine=machine, state=str(state), cause=cause)


class NotYours(Refusal):
    """The {kind} {id} belongs to another; work only on what was given to you."""

    code = "not-yours"
    kind: str
    id: int | str


class OutsideLease(Refusal):
    """Events [{first}, {last}) lie outside every lease you had here; send only leased events."""

    code = "outside-lease"
    first: int
    last: int


class NotFound(Refusal):
    """There is no {kind} {id} here; list what there is, and check the name."""

    code = "not-found"
    kind: str
    id: int | str

    def __init__(self, kind: str, id: int | str, code: str = "") -> None:
        """What was looked for, and which; the code becomes ``<kind>-unknown`` if none is given."""
        super().__init__(kind=kind, id=id)
        self.code = code or f"{kind}-unknown"


class OutputNotReady(Refusal):
    """Production {production} is {state}, {settled} of {events} events settled: no output{cure}."""

    code = "output-not-ready"
    production: str
    state: str
    settled: int
    events: int

    def __init__(self, production: str, state: str, settled: int, events: int) -> None:
        """Which production, its state, and how far it is."""
        cure = "" if str(state) == "aborted" else " yet; ask again when it is done"
        super().__init__(
            production=production, state=str(state), settled=settled, events=events, cure=cure
        )


class HostRevoked(Refusal):
    """Host {id} was revoked and is told nothing more; it may join again with a new token."""

    code = "host-revoked"
    id: int


class HostUnmanaged(Refusal):
    """The owner of host {id} does not manage it any more; stop, and forget its token."""

    code = "host-unmanaged"
    id: int


class PairingOver(Refusal):
    """This pairing is over: its time ran out, or it was taken back; begin a new one."""

    code = "pairing-over"


class PairingPending(Refusal):
    """The owner has not confirmed this machine yet; compare the words, and ask again."""

    code = "pairing-pending"


class PairingCollected(Refusal):
    """This was collected already, and its owner is told that somebody tries again; pair anew."""

    code = "pairing-collected"


class PinsMany(Refusal):
    """You have {most} PINs open, and no more may be; use one of them, or cancel one."""

    code = "pins-many"
    most: int


class Exists(Refusal):
    """There is another {kind} named {name}; choose another name."""

    code = "exists"
    kind: str
    name: str


class ProductionOver(Refusal):
    """Production {production} is {state} and takes nothing more; drop what you hold for it."""

    code = "production-over"
    production: int | str
    state: str

    def __init__(self, production: int | str, state: str) -> None:
        """Which production, and the state it ended in."""
        super().__init__(production=production, state=str(state))


class TokenRefused(Refusal):
    """This token opens nothing."""

    code = "token-refused"


class TokenUnknown(TokenRefused):
    """This token is not known here; check that it was copied whole, or ask for a new one."""

    code = "token-unknown"


class TokenUsed(TokenRefused):
    """This token has been used as often as it may be; ask for a new one."""

    code = "token-used"


class TokenExpired(TokenRefused):
    """This token has expired; ask for a new one."""

    code = "token-expired"


class TokenRevoked(TokenRefused):
    """This token was revoked; ask those who run the server why."""

    code = "token-revoked"


class TokenElsewhere(TokenRefused):
    """This token is not for machines of this network; ask for one that is, or use it there."""

    code = "token-elsewhere"


class TokenCloned(TokenRefused):
    """Another agent, started later, works with this token: join this copy of it anew."""

    code = "token-cloned"


class Forbidden(Refusal):
    """This needs the role {needs}; use a token of an account that has it."""

    code = "forbidden"
    needs: str


class NotCommanded(Refusal):
    """This host was not told to do that (command {command}), or has done it."""

    code = "not-commanded"
    command: str

    def __init__(self, command: str) -> None:
        """The command that it would need."""
        super().__init__(command=command)


class ScopeMissing(Refusal):
    """This needs a token with the scope {needs}; make one that has it (* is all of them)."""

    code = "scope-missing"
    needs: str


class SignInRefused(Refusal):
    """This name and this password do not belong together; check both, or ask for a new password."""

    code = "sign-in-refused"


class CodeRefused(Refusal):
    """This code is not right, or was used before; wait for the next one, or use a recovery code."""

    code = "code-refused"


class LinkOver(Refusal):
    """This link is good no more: it was used, revoked, or is too old; ask for a new one."""

    code = "link-over"


class AccountDisabled(Refusal):
    """The account {name} is disabled; ask those who run the server why."""

    code = "account-disabled"
    name: str


class BadInput(Refusal):
    """This cannot be read as what it should be."""

    code = "bad-input"
    faults: list[str]

    def __init__(self, faults: Sequence[str]) -> None:
        """Every fault found, each naming the thing, the rule and the cure."""
        super().__init__("; ".join(faults), faults=list(faults))


class Overtaken(Refusal):
    """The {kind} {id} was changed by another in the meantime; read it again and repeat."""

    code = "overtaken"
    kind: str
    id: int | str


class TooLarge(Refusal):
    """At most {most} bytes are taken here, this has {size}; send it in smaller pieces."""

    code = "too-large"
    size: int
    most: int


class DigestMismatch(Refusal):
    """The bytes have the digest {found}, not {stated} as was stated; send them again."""

    code = "digest-mismatch"
    stated: str
    found: str


class BadFrameRefused(Refusal):
    """This is not a frame of this production: {reason}."""

    code = "bad-frame"
    reason: str


class Unsigned(Refusal):
    """This is not signed as it must be: {reason}; sign it with a release key known here."""

    code = "unsigned"
    reason: str


class Later(Refusal):
    """This cannot be done now; try again in {retry_after:g} s."""

    code = "later"
    retry_after: float


class TooMany(Later):
    """Too many requests; try again in {retry_after:g} s."""

    code = "too-many"


class PinsLocked(Later):
    """Too many PINs are being guessed, so none is taken now; have the machine show a code."""

    code = "pins-locked"


class Unavailable(Later):
    """The server cannot answer this now; try again in {retry_after:g} s."""

    code = "unavailable"


class Banned(Later):
    """Host {id} is banned: {reason}; keep what you hold, and ask those who run the server."""

    code = "banned"
    id: int
    reason: str

    def __init__(self, id: int, reason: str, retry_after: float) -> None:
        """Which host, why, and after how many seconds it may ask again."""
        Refusal.__init__(self, id=id, reason=reason, retry_after=retry_after)


class AgentBanned(Later):
    """Agent {version} is banned: {reason}; take {cure}, from /agent/windfall-agent.pyz here."""

    code = "agent-banned"
    version: str
    reason: str
    cure: str

    def __init__(self, version: str, reason: str, cure: str, retry_after: float) -> None:
        """Which version, why, what to take, and after how many seconds it may ask again."""
        shown = version or "without a version"
        Refusal.__init__(self, version=shown, reason=reason, cure=cure, retry_after=retry_after)


class NoMail(Later):
    """No mail leaves this site now; ask those who run it for a link, or try in {retry_after:g} s"""

    code = "no-mail"


class DiskFull(Later):
    """The server has no room for more; keep what you hold and try again in {retry_after:g} s."""

    code = "disk-full"
