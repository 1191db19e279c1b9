"""A line as it is being typed at a terminal without echo: keys in, what to show out; pure."""

from __future__ import annotations

from dataclasses import dataclass

ENTER, ERASE, CLEAR, END, INTERRUPT = "\r\n", "\x7f\b", "\x15\x17", "\x04", "\x03"
ESCAPE, BELL = "\x1b", "\a"
BACK = "\b \b"
PIN_DIGITS = 6


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


@dataclass
class Line:
    """One line; ``text`` is what was typed so far.

    Of a PIN only digits count, shown in pairs; blanks and dashes between them pass. What is
    ``hidden`` is not shown at all, not even how long it is.
    """

    pin: bool = False
    hidden: bool = False
    most: int = 200
    text: str = ""
    done: bool = False
    ended: bool = False
    _skipping: str = ""

    def key(self, sign: str) -> str:
        """Take in one character; what the terminal shall show for it. `Interrupted` on Ctrl-C."""
        if self._skipped(sign):
            return ""
        if sign == INTERRUPT:
            raise Interrupted
        if sign in ENTER:
            self.done = True
            return "\n"
        if sign == END:
            self.done = self.ended = not self.text
            return "\n" if self.done else ""
        if sign in ERASE:
            return self._erase()
        if sign in CLEAR:
            return "".join(self._erase() for _ in self.text)
        return self._add(sign)

    def _skipped(self, sign: str) -> bool:
        """Whether it belongs to the sequence that a cursor key or a paste sends."""
        if sign == ESCAPE:
            self._skipping = ESCAPE
            return True
        if self._skipping == ESCAPE:
            self._skipping = sign if sign in "[O" else ""
            return bool(self._skipping)
        if self._skipping:
            if "@" <= sign <= "~":
                self._skipping = ""
            return True
        return False

    def _add(self, sign: str) -> str:
        if self.pin and sign in " -":
            return ""
        fits = sign in "0123456789" if self.pin else sign.isprintable()
        if not fits or len(self.text) >= (PIN_DIGITS if self.pin else self.most):
            return BELL
        before, self.text = self.text, self.text + sign
        if self.hidden:
            return ""
        return f" {sign}" if self.pin and before and len(before) % 2 == 0 else sign

    def _erase(self) -> str:
        if not self.text:
            return ""
        self.text = self.text[:-1]
        if self.hidden:
            return ""
        return BACK * 2 if self.pin and self.text and len(self.text) % 2 == 0 else BACK


def pin_of(text: str) -> str:
    """The six digits of a PIN as people write it (``85 91 16``, ``85-91-16``); empty if not."""
    bare = "".join(sign for sign in text if sign not in " -\t")
    return bare if len(bare) == PIN_DIGITS and all(s in "0123456789" for s in bare) else ""
