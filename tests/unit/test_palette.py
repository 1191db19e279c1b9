"""The colours of the site: what is read stands out from its ground in both themes (WCAG 2.2)."""

from __future__ import annotations

import re

import pytest

from web.render import ASSETS

TOKEN = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
TEXT = 4.5  # success criterion 1.4.3
SHAPE = 3.0  # success criterion 1.4.11

READ = [(ink, ground) for ink in ("ink", "soft", "link", "bad", "good", "warn", "cool")
        for ground in ("ground", "sheet", "sunk")] + [
    ("press-ink", "press"), ("sheet", "good"), ("good", "good-ground"), ("warn", "warn-ground"),
    ("bad", "bad-ground"), ("cool", "cool-ground"), ("ink", "bad-ground"), ("soft", "bad-ground"),
]  # fmt: skip
SEEN = [
    (shape, ground)
    for shape in ("edge", "focus", "settled", *(f"plot-{k}" for k in range(1, 9)))
    for ground in ("ground", "sheet")
]


def colours(theme: int) -> dict[str, str]:
    """The tokens of a theme: 0 light, 1 dark."""
    found = TOKEN.findall(ASSETS["style.css"].body.decode())
    return {name: pair[theme] for name, *pair in found}


def luminance(colour: str) -> float:
    """The relative luminance of a colour, as WCAG 2.2 defines it."""
    parts = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_has_the_contrast_that_the_rule_says() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#767676", "#ffffff"), 2) == 4.54


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_words_and_shapes_stand_out_from_their_grounds(theme: int) -> None:
    found = colours(theme)
    weak = {
        (one, ground): round(contrast(found[one], found[ground]), 2)
        for pairs, least in ((READ, TEXT), (SEEN, SHAPE))
        for one, ground in pairs
        if contrast(found[one], found[ground]) < least
    }
    assert weak == {}
