"""What can go wrong in the agent, by name, and the exit code each has."""

from __future__ import annotations


class AgentError(Exception):
    """The agent failed in a way it has no name for."""

    code = 1

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        says = (self.__doc__ or "").strip()
        super().__init__(f"{says[:-1]}: {detail}" if detail else says)


class CannotWork(AgentError):
    """This machine cannot work as it is."""

    code = 1


class WrongOption(CannotWork):
    """An option cannot be used."""

    code = 2


class NotJoined(AgentError):
    """This machine has no owner yet; run `windfall-agent pair`, or `join` with a token."""

    code = 3


class Locked(AgentError):
    """Another agent works with this state folder; end it or name another with --state."""

    code = 4


class HostRevoked(AgentError):
    """The server no longer believes this host; its spool is kept, join anew."""

    code = 5


class ServerAway(AgentError):
    """The server cannot be reached."""

    code = 6


class JoinRefused(AgentError):
    """The server does not take this machine with this token."""

    code = 7


class PairingRefused(JoinRefused):
    """The machine was not taken in."""


class PairingOver(JoinRefused):
    """The pairing is over before anybody agreed to it."""


class CollectedAlready(JoinRefused):
    """Somebody else has taken what was meant for this machine; its owner was told."""


class NoServer(AgentError):
    """There is no server to pair with; give --server https://... or WINDFALL_SERVER."""

    code = 2


class NoToken(AgentError):
    """There is no enrolment token to join with."""

    code = 2


class WrongToken(JoinRefused):
    """This is no enrolment token."""


class Untrusted(AgentError):
    """This is not to be believed."""

    code = 8

    def __init__(self, word: str, what: str, why: str) -> None:
        self.word, self.what, self.why = word, what, why
        super().__init__(f"{what} is {word}, {why}")


class NotRunning(AgentError):
    """No agent runs with this state folder."""

    code = 9


class PayloadFailed(AgentError):
    """The payload failed."""

    code = 11

    def __init__(self, word: str, log: str = "") -> None:
        self.word, self.log = word, log
        super().__init__(word)


class StateUnusable(AgentError):
    """The state folder cannot be used."""

    code = 12


class PackUnusable(AgentError):
    """This packed agent has no part that fits this machine."""

    code = 13


class LinkFault(AgentError):
    """A request was not answered as it should be."""

    code = 6
    retry_after = 0.0


class NetworkDown(LinkFault, ServerAway):
    """The server did not answer."""


class NoTls(NetworkDown):
    """The server does not speak TLS at this address; name its https:// port."""


class CertificateRefused(NetworkDown):
    """The server's certificate is not believed; name its authority with --ca."""


class ServerBusy(LinkFault):
    """The server asks to come back later, or failed on its side."""

    def __init__(self, detail: str = "", retry_after: float = 0.0, word: str = "") -> None:
        self.retry_after, self.word = retry_after, word
        super().__init__(detail)


class RequestRefused(LinkFault):
    """The server refused a request."""

    def __init__(self, status: int, word: str, detail: str) -> None:
        self.status, self.word = status, word
        super().__init__(f"{status} {word}: {detail}")


class TokenRefused(RequestRefused):
    """The server does not believe this token."""

    code = 5


class Unmanaged(TokenRefused):
    """The owner has taken this machine away; run `windfall-agent pair` to pair it anew."""

    code = 14


class AgentBanned(RequestRefused):
    """The server takes no work of this version of the agent; fetch the one that it names."""

    def __init__(self, status: int, word: str, detail: str, retry_after: float) -> None:
        super().__init__(status, word, detail)
        self.retry_after = retry_after


class AnswerUnreadable(LinkFault):
    """The server's answer is not what the protocol says."""


class ProtocolUnknown(LinkFault):
    """The server speaks another version of the protocol; fetch the agent it serves."""

    code = 10


EXIT_CODES: dict[int, str] = {
    0: "all is well; what was to be done is done",
    1: "something is in the way; the last line of the log names it",
    2: "the command line is wrong, or there is no token where it says",
    3: "the machine has not joined a server",
    4: "another agent uses this state folder",
    5: "the server has revoked this host; the spool is kept",
    6: "the server cannot be reached",
    7: "the enrolment token is not taken, or the pairing came to nothing",
    8: "a key or statement is not to be believed",
    9: "no agent is running",
    10: "the server speaks another protocol",
    11: "the payload failed",
    12: "the state folder cannot be used",
    13: "the packed agent does not fit this machine",
    14: "the owner has taken this machine away; its secret is removed, pair it anew",
}
