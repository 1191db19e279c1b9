"""The last word of an agent to its site: ``shutdown_message`` in ``$JOBOUTPUTS`` (HSF-TN-2016-04).

One line, a number of three digits and a text; sites act on the number alone. From 300 on they wait
before they start the next machine.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Optional

from vmagent import errors, files
from vmagent.fetch import Away, Fetch
from vmagent.plaintext import printable
from vmagent.settings import is_url

log = logging.getLogger("vmagent.farewell")

NAME = "shutdown_message"
ASKED, DONE, NO_WORK, BANNED, PLACE, EVERYWHERE, PASSING = 100, 200, 300, 400, 500, 600, 700
PUT_S = 1.0  # a machine that is to be gone in seconds does not wait for its last word
# Errors of the agent, each by what a site is to make of it.
_ERRORS: tuple[tuple[type[errors.AgentError], int], ...] = (
    (errors.ProtocolUnknown, EVERYWHERE),
    (errors.PackUnusable, PLACE),
    (errors.HostRevoked, BANNED),
    (errors.TokenRefused, BANNED),
    (errors.LinkFault, PASSING),
    (errors.CannotWork, PLACE),
    (errors.NotJoined, PLACE),
    (errors.Locked, PLACE),
    (errors.StateUnusable, PLACE),
    (errors.Untrusted, EVERYWHERE),
)


def message(code: int, reason: str, worked: bool) -> str:
    """What is left behind by an agent that ends with this exit code, asked to for this reason or
    (empty) because it was idle for long enough.
    """
    if code == errors.HostRevoked.code:
        return f"{BANNED} The server has revoked this host"
    if code != 0:
        return f"{PASSING} The agent ended with code {code}"
    if reason:
        return f"{ASKED} Asked to end: {reason}"
    return f"{DONE} All work done" if worked else f"{NO_WORK} No work on the server"


def message_of(error: BaseException) -> str:
    """What is left behind by an agent that could not begin, or that broke."""
    number = next((n for kind, n in _ERRORS if isinstance(error, kind)), PASSING)
    said = str(error) if isinstance(error, errors.AgentError) else type(error).__name__
    return f"{number} {printable(said)[:200]}"


def leave(place: Optional[str], text: str, fetch: Optional[Fetch] = None) -> None:
    """Leave the message, if there is a place for it; what is in the way is logged."""
    if place is None:
        return
    try:
        if is_url(place):
            (fetch or Fetch(PUT_S)).put(f"{place.rstrip('/')}/{NAME}", text)
        else:
            files.write(Path(place) / NAME, text.encode())
        log.info("shutdown message left", extra={"why": text})
    except (Away, OSError) as error:
        log.warning("shutdown message not left", extra={"why": str(error)})
