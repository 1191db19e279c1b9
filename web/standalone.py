"""A plot as a file of its own: with its colours, for programs that know no style sheet of ours."""

from __future__ import annotations

import functools
import re

from web.render import ASSETS

_TOKEN = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), #[0-9a-f]{6}\)")
_WORDS = re.compile(r"/\*.*?\*/", re.DOTALL)


def standalone(svg: str) -> str:
    """The drawing with the style that it needs inside, in the light colours, on white.

    Plain colours and no variables: so it opens in Inkscape and LaTeX as it does in browsers.
    """
    head, rest = svg.split(">", 1)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head}><style>{_style()}</style>'
        f'<path fill="#fff" d="M-9-9h9999v9999h-9999z"/>{rest}\n'
    )


@functools.cache
def _style() -> str:
    """What of ``plots.css`` is of the drawing itself, with its colours put in."""
    colours = dict(_TOKEN.findall(ASSETS["style.css"].text))
    rules = _WORDS.sub("", ASSETS["plots.css"].text.split("/* ...")[0])
    named = re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], rules)
    return re.sub(r"\s+", " ", named).strip()
