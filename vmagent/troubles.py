"""What is told a person whose pairing does not get on: what happened, in a line, and its cure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from vmagent import errors
from vmagent.plaintext import printable
from vmagent.wire import pairing

DATES = ("certificate is not yet valid", "certificate has expired")


@dataclass(frozen=True)
class Trouble:
    """One line of what is wrong, lines of what to do, and whether trying again may help.

    ``code``: pair with a code instead.
    """

    what: str
    cure: tuple[str, ...]
    again: bool = True
    code: bool = False


EXPIRED = Trouble(
    "Nobody confirmed this machine in time, or the PIN was not right.",
    ("Look at the PIN on the web page (it is good for five minutes) and type it again.",),
)
CODE_EXPIRED = Trouble(
    "Nobody typed the code in time.", ("Here is another; type it on the web page.",)
)
REJECTED = Trouble(
    "The owner said that this is not the machine: the pairing was refused.",
    ("If it was you by mistake, begin again with a new PIN.",),
)
BAD_PIN = Trouble(
    "A PIN has six digits, such as 85 91 16.", ("The web page shows it in three pairs.",)
)


def of(error: Exception) -> Trouble:
    """The trouble that an error means."""
    for kind, made in _KINDS:
        if isinstance(error, kind):
            return made(error)
    return Trouble(printable(str(error)), (), again=False)


def _busy(error: errors.ServerBusy) -> Trouble:
    wait = f"Wait {_long(error.retry_after)}, then try again."
    if error.word == pairing.PINS_LOCKED:
        return Trouble(
            "PINs are switched off for a while: somebody has been guessing them.",
            ("Pair with a code instead: press Enter without a PIN.",),
            code=True,
        )
    if error.word == "too-many" or "429" in error.detail[:4]:
        return Trouble("Too many PINs were tried from this address.", (wait,))
    return Trouble("The server has too much to do, or a fault.", (wait,))


def _certificate(error: errors.CertificateRefused) -> Trouble:
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    if any(one in error.detail for one in DATES):
        return Trouble(
            f"The server's certificate does not fit the date; this machine's clock says {now}.",
            (
                "If that is wrong set it:  date -u -s '2026-01-31 12:00'  (as root), or",
                "timedatectl set-ntp true. If it is right, tell whoever runs the server.",
            ),
        )
    return Trouble(
        "The server's certificate is not one that this machine believes.",
        (
            "Is the address right? Does somebody else answer in its place (a hotel's network)?",
            "A server with a certificate of its own: name its authority with --ca FILE.",
            printable(error.detail, 300),
        ),
    )


def _down(error: errors.NetworkDown) -> Trouble:
    detail = error.detail
    if "NameResolution" in detail or "Name or service not known" in detail or "resolve" in detail:
        first = "The server's name is not known here: no network, no name server, or a wrong name."
    elif "refused" in detail:
        first = "The server's machine is there, but nothing answers at this port."
    elif "unreachable" in detail.lower():
        first = "There is no network to the server."
    else:
        first = "The server does not answer."
    return Trouble(
        first,
        (
            "Look at the cable, or the network card of the virtual machine (ip address shows it).",
            "Behind a proxy set https_proxy before you start this program.",
            printable(detail, 300),
        ),
    )


def _untrusted(error: errors.Untrusted) -> Trouble:
    return Trouble(
        "The server's keys are not to be believed.",
        (
            printable(str(error), 300),
            "Is the server the right one, and --release-key the key that it publishes?",
        ),
        again=False,
    )


def _protocol(error: errors.ProtocolUnknown) -> Trouble:
    return Trouble(
        "This agent and the server do not speak the same protocol.",
        ("Fetch the agent that the server has:  <server>/agent/windfall-agent.pyz", error.detail),
        again=False,
    )


def _refused(error: errors.RequestRefused) -> Trouble:
    if error.status == 404:
        return Trouble(
            "This server does not pair machines.",
            ("Is the address right? It may be an older server: join with a token instead.",),
            again=False,
        )
    return Trouble(
        "The server refused.", (printable(f"{error.word}: {error.detail}", 300),), again=True
    )


def _locked(_: errors.Locked) -> Trouble:
    return Trouble(
        "Another windfall-agent works with this folder, or pairs this machine just now.",
        ("End it (windfall-agent stop), or finish there.",),
    )


def _collected(_: errors.CollectedAlready) -> Trouble:
    return Trouble(
        "What was meant for this machine was collected by another program.",
        ("If that was not you: refuse and remove the machine on the web; the owner was told.",),
    )


def _long(seconds: float) -> str:
    if seconds >= 90:
        return f"{round(seconds / 60)} minutes"
    return f"{max(1, round(seconds))} seconds" if seconds else "a minute"


# The first that fits counts: kinds before those that they are kinds of.
_KINDS: tuple[tuple[type[Exception], Callable[..., Trouble]], ...] = (
    (errors.NoTls, lambda error: Trouble(
        "The server does not speak HTTPS at this address.",
        ("Name its https:// address, with its port if it has one of its own.",), again=False,
    )),
    (errors.CertificateRefused, _certificate),
    (errors.NetworkDown, _down),
    (errors.ServerBusy, _busy),
    (errors.RequestRefused, _refused),
    (errors.ProtocolUnknown, _protocol),
    (errors.AnswerUnreadable, lambda error: Trouble(
        "What answers there is not Windfall.",
        ("Is the address right?", printable(error.detail, 300)), again=False,
    )),
    (errors.CollectedAlready, _collected),
    (errors.PairingOver, lambda error: EXPIRED),
    (errors.Untrusted, _untrusted),
    (errors.Locked, _locked),
)  # fmt: skip
