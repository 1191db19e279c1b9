"""A certificate as PDF: what somebody gave, and where everybody can see that it is true.

Drawn with reportlab (docs/decisions/0017-certificates.md), one page of A4. Words that the fonts at
hand cannot write are not drawn as boxes: `writable` tells before.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import segno

_FONTS = tuple(
    Path(folder)
    for folder in (
        "/usr/share/fonts/truetype/dejavu",  # Debian
        "/usr/share/fonts/dejavu-sans-fonts",  # Fedora
        "/usr/share/fonts/TTF",  # Arch
    )
)
_WIDTH, _HEIGHT = 595.28, 841.89  # A4 in points
_MARGIN = 62.0
_WORDS = _WIDTH - 2 * _MARGIN - 100  # beside the QR code
SMALLEST = 8.0  # points
_INK, _SOFT, _DEEP, _PALE = "#17211c", "#55625b", "#0f5f6b", "#cfdad4"


@dataclass(frozen=True)
class Sheet:
    """What stands on it: everything in words, as it is to be read."""

    name: str
    figures: Sequence[tuple[str, str]]
    since: str
    made: str
    studies: Sequence[str]
    code: str
    url: str
    pool: str = "Windfall"


@functools.cache
def _fonts() -> tuple[str, str]:
    """The names of a plain and a bold font: DejaVu if it is here, else what reportlab brings."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    plain, bold = "Vera.ttf", "VeraBd.ttf"
    for folder in _FONTS:
        if (folder / "DejaVuSans.ttf").is_file() and (folder / "DejaVuSans-Bold.ttf").is_file():
            plain, bold = str(folder / "DejaVuSans.ttf"), str(folder / "DejaVuSans-Bold.ttf")
            break
    pdfmetrics.registerFont(TTFont("plain", plain))
    pdfmetrics.registerFont(TTFont("bold", bold))
    return "plain", "bold"


def writable(text: str) -> bool:
    """Whether the font at hand has every letter of a text."""
    from reportlab.pdfbase import pdfmetrics

    known = pdfmetrics.getFont(_fonts()[1]).face.charToGlyph
    return all(ord(letter) in known for letter in text)


def certificate(sheet: Sheet) -> bytes:
    """The page. It takes tens of milliseconds of CPU."""
    from reportlab.pdfgen.canvas import Canvas

    plain, bold = _fonts()
    out = io.BytesIO()
    page = Canvas(out, pagesize=(_WIDTH, _HEIGHT), pageCompression=1)
    page.setTitle(f"Certificate of {sheet.name}")
    page.setAuthor(sheet.pool)
    page.setSubject(f"Check it at {sheet.url}")
    pen = _Pen(page, plain, bold)
    pen.frame()
    pen.middle(700, "CERTIFICATE", 13, _DEEP, strong=True, spaced=4)
    pen.middle(660, "This is to say that", 12, _SOFT)
    pen.middle(614, sheet.name, 30, _INK, strong=True)
    pen.middle(580, "has given computing time to physics, and that of what was computed", 12, _SOFT)
    pen.middle(562, "the following was compared, agreed on and used.", 12, _SOFT)
    pen.figures(500, sheet.figures)
    low = 430.0
    if sheet.since:
        pen.middle(low, sheet.since, 11, _SOFT)
    low -= 34
    if sheet.studies:
        pen.middle(low, "It served", 11, _SOFT)
        for study in sheet.studies:
            low -= 18
            pen.middle(low, study, 11, _INK)
    pen.proof(sheet)
    page.showPage()
    page.save()
    return out.getvalue()


@dataclass(frozen=True)
class _Pen:
    """Draws words and shapes on the one page: reportlab's canvas, which has no types."""

    page: Any
    plain: str
    bold: str

    def frame(self) -> None:
        """A double line around everything."""
        self.page.setStrokeColor(_DEEP)
        for inset, wide in ((28.0, 1.6), (34.0, 0.5)):
            self.page.setLineWidth(wide)
            self.page.rect(inset, inset, _WIDTH - 2 * inset, _HEIGHT - 2 * inset)

    def middle(
        self,
        y: float,
        text: str,
        size: float,
        colour: str,
        *,
        x: float = _WIDTH / 2,
        room: float = _WIDTH - 2 * _MARGIN,
        strong: bool = False,
        spaced: float = 0.0,
    ) -> None:
        """A line of words in the middle, smaller if it is too long, and at last cut."""
        font = self.bold if strong else self.plain
        wide = self.page.stringWidth
        while size > SMALLEST and wide(text, font, size) + spaced * len(text) > room:
            size -= 0.5
        if wide(text, font, size) > room:
            while text and wide(f"{text}\u2026", font, size) > room:
                text = text[:-1]
            text = f"{text}\u2026"
        self.page.setFillColor(colour)
        self.page.setFont(font, size)
        self.page.drawCentredString(x, y, text, charSpace=spaced)

    def figures(self, y: float, pairs: Sequence[tuple[str, str]]) -> None:
        """Figures beside each other, each above its words."""
        room = (_WIDTH - 2 * _MARGIN) / max(1, len(pairs))
        for place, (amount, words) in enumerate(pairs):
            x = _MARGIN + room * (place + 0.5)
            self.middle(y, amount, 22, _DEEP, x=x, room=room - 12, strong=True)
            self.middle(y - 18, words, 10, _SOFT, x=x, room=room - 12)

    def proof(self, sheet: Sheet) -> None:
        """Where it can be checked, as words and as a QR code."""
        top = 150.0
        self.page.setStrokeColor(_PALE)
        self.page.setLineWidth(0.7)
        self.page.line(_MARGIN, top + 14, _WIDTH - _MARGIN, top + 14)
        self._qr(sheet.url, _WIDTH - _MARGIN - 84, top - 90, 84)
        for row, (text, font, colour) in enumerate(
            (
                (f"Made by {sheet.pool} on {sheet.made}, from its ledgers.", self.plain, _SOFT),
                ("Whether these figures are true can be seen at", self.plain, _SOFT),
                (sheet.url, self.bold, _INK),
                (f"Code {sheet.code}", self.bold, _INK),
            )
        ):
            wide = self.page.stringWidth(text, font, 9)
            self.page.setFillColor(colour)
            self.page.setFont(font, 9 * min(1.0, _WORDS / wide))
            self.page.drawString(_MARGIN, top - 14 - 17 * row, text)

    def _qr(self, url: str, x: float, y: float, side: float) -> None:
        rows = [list(row) for row in segno.make(url, error="m").matrix]
        cell = side / len(rows)
        self.page.setFillColor(_INK)
        for down, row in enumerate(rows):
            for along, dark in enumerate(row):
                if dark:
                    at = (x + along * cell, y + side - (down + 1) * cell)
                    self.page.rect(*at, cell + 0.05, cell + 0.05, stroke=0, fill=1)
