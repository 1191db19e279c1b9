"""Joining a server: the token is spent, the keys are pinned, the machine has a name."""

from __future__ import annotations

import random
import re
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from vmagent import clock, errors, link, monitor, trust
from vmagent.backoff import pause
from vmagent.calls import Server
from vmagent.home import Home, Identity
from vmagent.plaintext import printable
from vmagent.settings import Settings
from vmagent.wire import messages

HOST_TOKEN = re.compile(r"wfh_[A-Za-z0-9_-]{43}")
TRIES = 6
LONGEST_S = 20.0
STDIN = "-"
OTHERS = {
    "wfa_": "an API token (wfa_), which is for the command windfall",
    "wfh_": "a host's token (wfh_), which belongs to a machine that has joined",
}


def read_token(path: Optional[str], environment: Mapping[str, str]) -> str:
    """The token from a file, from stdin (``-``) or WINDFALL_TOKEN; never from the command line."""
    if path == STDIN:
        return sys.stdin.readline().strip()
    if path is not None:
        try:
            return Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise errors.NoToken(f"token file {path}: {error}") from error
    token = environment.get("WINDFALL_TOKEN", "").strip()
    if not token:
        raise errors.NoToken("give --token-file FILE (- is stdin) or WINDFALL_TOKEN")
    return token


def expect(token: str, release: str) -> None:
    """`Untrusted` if the token vouches for another release key than the one named here, if any."""
    if release and token.startswith("wf1.") and trust.root_of(token) != release:
        named = f"this machine is to believe {printable(release, 40)} (--release-key names another)"
        raise errors.Untrusted("foreign", "the enrolment token", named)


def join(home: Home, server_url: str, token: str, name: str, settings: Settings) -> Identity:
    """Join: `JoinRefused`, `ServerAway`, or `Untrusted` if the server is not the token's.

    A try that was cut off is taken up with the same request: it makes one host, not two.
    """
    for start, what in OTHERS.items():
        if token.startswith(start):
            raise errors.WrongToken(
                f"it is {what}; one that begins with wf1. is made by "
                "`windfall account token NAME --output FILE`"
            )
    root = trust.root_of(token)
    line = link.Link(server_url, ca=settings.ca)
    facts = monitor.facts(home.path, settings)
    shown = (name or socket.gethostname())[:100]
    request = messages.EnrolRequest(_request(home), token, shown, facts)
    enrolled = _enrol(Server(line, clock.ServerClock()), request)
    line.close()
    if not HOST_TOKEN.fullmatch(enrolled.token):
        raise errors.JoinRefused("the server's answer has no host token in it")
    pins = trust.Pins.start(root, enrolled.keys)
    identity = Identity(line.server, enrolled.host, enrolled.token, enrolled.account, shown)
    home.join(identity, pins)
    return identity


def _request(home: Home) -> str:
    kept = home.note("join")
    if isinstance(kept, str) and len(kept) >= 8:
        return kept
    fresh = secrets.token_urlsafe(24)
    home.keep_note("join", fresh)
    return fresh


def _enrol(server: Server, request: messages.EnrolRequest) -> messages.Enrolled:
    failures = 0
    while True:
        try:
            return server.enrol(request)
        except errors.RequestRefused as error:
            raise errors.JoinRefused(str(error)) from error
        except (errors.ProtocolUnknown, errors.NoTls, errors.CertificateRefused):
            raise
        except errors.AnswerUnreadable as error:
            raise errors.AnswerUnreadable(f"{error}; is {server.line.server} Windfall?") from error
        except errors.LinkFault as error:
            failures += 1
            if failures >= TRIES:
                raise errors.ServerAway(str(error)) from error
            jitter = random.random()  # noqa: S311 - spreads retries, no secret
            time.sleep(min(LONGEST_S, pause(failures, jitter, error.retry_after)))
