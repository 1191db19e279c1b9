"""Draws docs/context-parts.md, the page of every part of a context, from the parts themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from contexts.part import Part
from contexts.registry import ours
from contexts.schema import TABS, Field, Kind
from contexts.templates import TEMPLATES
from tools.drawn import run

HEAD = """# Parts of a context

Made from `contexts/parts/` by `python -m tools.draw_contexts`; a test compares. What contexts are,
and how to add a part of your own, stands in [contexts.md](contexts.md).

Marks: **needed**: it has to be given; **secret**: never shown, and named wherever it is in a file;
**runs**: it is a program or names one, so whoever sets it owns the machine; **adds**: put behind
those of lower layers instead of in their place.
"""


def page() -> str:
    """The whole page."""
    parts = ours()
    lines = [HEAD, *_templates()]
    for tab in TABS:
        mine = [part for part in parts if part.tab == tab]
        lines += [f"## {tab}", ""] if mine else []
        lines += [line for part in mine for line in _part(part)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _templates() -> Iterator[str]:
    yield from ("## Templates", "", "| template | what it is | parts | asks for |")
    yield "| --- | --- | --- | --- |"
    for one in TEMPLATES.values():
        parts = ", ".join(f"`{name}`" for name in one.document)
        asks = ", ".join(f"`{path}`" for path in one.asks)
        yield f"| {one.title} (`{one.name}`) | {one.summary} | {parts} | {asks} |"
    yield ""


def _part(part: Part) -> Iterator[str]:
    yield from (f"### {part.title} (`{part.name}`)", "", part.summary, "")
    if note := getattr(part, "note", ""):
        yield from (note, "")
    if part.fields:
        yield "| field | what it is | may be | default | marks |"
        yield "| --- | --- | --- | --- | --- |"
        for one in part.fields:
            yield _row(one.key, one)
            yield from (_row(f"{one.key}[].{column.key}", column) for column in one.columns)
        yield ""


def _row(key: str, one: Field) -> str:
    cells = (f"`{key}`", f"{one.title}: {one.help}", _may_be(one), _default(one), _marks(one))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _may_be(one: Field) -> str:
    match one.kind:
        case Kind.SWITCH:
            return "yes or no"
        case Kind.NUMBER:
            return f"{one.least} to {one.most}"
        case Kind.CHOICE:
            return ", ".join(f"`{word}`" for word in one.choices)
        case Kind.ROWS:
            return "rows of the columns below"
        case Kind.LINES:
            return f"a list: {one.form}"
        case _:
            return one.form or "any text"


def _default(one: Field) -> str:
    if one.default in (None, "", []):
        return ""
    said = str(one.default).lower() if isinstance(one.default, bool) else one.default
    return f"`{said}`"


def _marks(one: Field) -> str:
    marks = {"needed": one.required, "secret": one.secret, "runs": one.runs, "adds": one.adds}
    return ", ".join(f"**{mark}**" for mark, held in marks.items() if held)


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", "context-parts.md", page, "draw_contexts"))
