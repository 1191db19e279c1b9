"""The screens of pairing: lines of at most 80 signs, plain ASCII but for the QR code; pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Optional

from vmagent import __version__, qr
from vmagent.home import Identity
from vmagent.pairing import Attempt
from vmagent.plaintext import printable
from vmagent.troubles import Trouble
from vmagent.wire import pairing

WIDTH = 79
RULE = "-" * WIDTH
PIN_PROMPT = "PIN: "
# Signs that the words need beside a QR code, and lines that are wanted below it.
SIDE, BELOW = 36, 4


def head(identifier: str) -> list[str]:
    """Who speaks here."""
    return [RULE, f" Windfall agent {__version__}   machine {identifier}", RULE]


def how_to(server: str, page: str) -> list[str]:
    """What to do next, before a PIN is typed."""
    return [
        "This machine has no owner yet. To pair it with your account:",
        "",
        f"  1. On any computer open  {printable(server)}{page}  and sign in.",
        "  2. Choose a context. The page shows a PIN in pairs, such as 85 91 16.",
        "  3. Type that PIN here and press Enter.",
        "",
        "Or press Enter without a PIN: this screen then shows a code for the web page.",
        "",
    ]


def words(attempt: Attempt) -> list[str]:
    """The three words, big."""
    return [
        "The web page must show these three words for this machine:",
        *("    " + line for line in _framed(attempt)),
        "If it does, confirm there. Other words are another machine: refuse it.",
    ]


def _framed(attempt: Attempt) -> list[str]:
    spaced = [" ".join(word.upper()) for word in attempt.words.split()]
    wide = max(map(len, spaced), default=0)
    frame = f"+{'-' * (wide + 6)}+"
    return [frame, *(f"|   {word.ljust(wide)}   |" for word in spaced), frame]


def code(attempt: Attempt, size: tuple[int, int], plain: bool) -> list[str]:
    """The code, its address and the words; beside a QR code if both fit, else below it."""
    columns, rows = size
    drawn = qr.draw(attempt.qr, columns - SIDE - 3, rows - BELOW, plain)
    if drawn:
        side = _beside(attempt)
        side += [""] * (len(drawn) - len(side))
        return [f"{line}   {text}".rstrip() for line, text in zip(drawn, side)] + side[len(drawn) :]
    told = [
        f"On any computer or telephone open  {printable(attempt.uri, 200)}",
        f"and type this code:    {'  '.join(attempt.user_code)}",
        "",
        *words(attempt),
    ]
    return [*qr.draw(attempt.qr, columns, rows - len(told) - BELOW, plain), *told]


def _beside(attempt: Attempt) -> list[str]:
    return [
        "On any computer or telephone open",
        *textwrap.wrap(printable(attempt.uri, 200), SIDE),
        "and type this code:",
        "",
        f"    {'  '.join(attempt.user_code)}",
        "",
        "The web page must show these words:",
        *_framed(attempt),
        "If it does, confirm there.",
        "Other words: refuse it.",
    ]


def pending(left_s: float) -> str:
    """How long there is yet."""
    left = max(0, round(left_s))
    return f"Waiting for the owner to confirm ({left // 60}:{left % 60:02d} left) "


def trouble(found: Trouble) -> list[str]:
    """What is wrong, and what to do."""
    lines = textwrap.wrap(found.what, WIDTH - 3, initial_indent="!! ", subsequent_indent="   ")
    for one in found.cure:
        lines += textwrap.wrap(one, WIDTH - 3, initial_indent="   ", subsequent_indent="   ")
    return ["", *lines, ""]


def paired(identity: Identity, kid: str, told: Optional[pairing.MachineContext]) -> list[str]:
    """Whose the machine is now."""
    lines = [
        "",
        *_wrapped(f"Paired as {identity.name}: host {identity.host} of {identity.account}"),
        *_wrapped(f"at {identity.server}", "  "),
        f"  release key {kid} (the web page shows the same)",
    ]
    if told is None or not told.id:
        return [*lines, "without a context."]
    return [*lines, *_wrapped(f"with context {told.name}, revision {told.revision}.")]


def owned(identity: Identity, state: str) -> list[str]:
    """A machine that has an owner."""
    return [
        *_wrapped(f"This machine is {identity.name}: host {identity.host} of {identity.account}"),
        *_wrapped(f"at {identity.server}.", "  "),
        f"It is {printable(state)}." if state else "No agent runs just now.",
        "Its owner sees it on the web under My machines; to pair it with somebody else,",
        "unmanage it there.",
    ]


def consent(ways: Sequence[str]) -> list[str]:
    """What a context is about to do."""
    return [
        *_wrapped(f"The context can set up this system, as root, through {' and '.join(ways)}:"),
        "users, keys, files, services, its name; now, and whenever its owner changes it.",
        "Say yes on a machine that is there for it, and no on one that you use yourself.",
    ]


def context(outcome: str, how: str, detail: str) -> list[str]:
    """What became of the context."""
    begin = {
        "applied": f"The context is applied, through {how}.",
        "kept": "The context is kept, and NOT applied to this system.",
        "locked": "The context is protected, and still closed. To open it with its secret:"
        "  windfall-agent recontextualize",
        "failed": "The context could not be applied.",
    }[outcome]
    more = [] if outcome in ("locked", "applied") else _wrapped(detail, "  ")
    return [*_wrapped(begin), *more]


def _wrapped(text: str, indent: str = "") -> Sequence[str]:
    return textwrap.wrap(
        printable(text), WIDTH, initial_indent=indent, subsequent_indent=indent or "  "
    )
