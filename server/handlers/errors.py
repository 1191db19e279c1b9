"""What is wrong with a request before any rule of the domain is asked."""

from __future__ import annotations

from server.domain.errors import Refusal


class BadMessage(Refusal):
    """The body is not the message that this route takes; send JSON as /openapi.json describes."""

    code = "bad-message"


class BadParameter(Refusal):
    """A parameter of the address is not what this route takes; see /openapi.json."""

    code = "bad-parameter"


class BadForm(Refusal):
    """This is not the form that this address takes; go back, load the page anew and send it."""

    code = "bad-form"


class FormForged(Refusal):
    """This was not sent from a page of this site, or the page was too old: load it anew."""

    code = "form-forged"


class BadDigestField(Refusal):
    """The Content-Digest header is not a dictionary of RFC 9530; send sha-256=:<base64>:."""

    code = "bad-digest-field"


class TokenMissing(Refusal):
    """This needs the header Authorization with a Bearer token."""

    code = "token-missing"


class NothingHere(Refusal):
    """There is nothing at this address; /openapi.json lists what there is."""

    code = "not-found"


class MethodNotAllowed(Refusal):
    """This address does not take that method; the Allow header names those it takes."""

    code = "method-not-allowed"


class BodyTooSlow(Refusal):
    """The body did not arrive in time; send it again."""

    code = "too-slow"


class BodyBroken(Refusal):
    """The body ended early or is not HTTP; send it again."""

    code = "body-broken"


class LengthMissing(Refusal):
    """This body needs a Content-Length header; chunked transfer is not taken here."""

    code = "length-missing"


class CodingRefused(Refusal):
    """This body is taken as it is; send it without Content-Encoding."""

    code = "coding-refused"


class TooManyListeners(Refusal):
    """{most} pages are followed live {whom} already ({setting}); close one, or load it anew."""

    code = "too-many-listeners"
    most: int
    whom: str
    setting: str


class SignedOut(Refusal):
    """Nobody is signed in here any more; sign in, and load the page anew."""

    code = "signed-out"


class ServerFailed(Refusal):
    """The server failed, and its log says why under {request}; try again later."""

    code = "internal"
    request: str

    @property
    def instance(self) -> str:
        """The request as problem details name it."""
        return f"urn:windfall:request:{self.request}"
