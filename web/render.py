"""Pages from templates: everything escaped, nothing undefined, nothing fetched from elsewhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import jinja2

from web import filters
from web.menu import may, menu

_HERE = Path(__file__).parent
_NEEDLESS = {
    ".css": r"/\*.*?\*/|(?<=[{};])\s+|\s+(?=[{}])",
    ".js": r"^\s*//[^\n]*",
    ".svg": r"<!--.*?-->",
}
_MEDIA = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """A static file in memory, as it was written and as it is sent; ``tag`` changes with that."""

    name: str
    media: str
    body: bytes
    tag: str
    text: str


def _assets() -> dict[str, Asset]:
    found = {}
    for path in sorted((_HERE / "static").iterdir()):
        text = path.read_text(encoding="utf-8")
        body = _lean(path.suffix, text).encode()
        tag = hashlib.sha256(body).hexdigest()[:16]
        found[path.name] = Asset(path.name, _MEDIA[path.suffix], body, tag, text)
    return found


def _lean(suffix: str, text: str) -> str:
    """A static file without its remarks, indents and needless blanks."""
    bare = re.sub(_NEEDLESS[suffix], "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join(line for each in bare.splitlines() if (line := each.strip()))


ASSETS = MappingProxyType(_assets())
"""Every static file by its name."""


def asset(name: str) -> str:
    """The address of a static file, changing with its bytes so that it may be kept for ever."""
    return f"/static/{name}?v={ASSETS[name].tag}"


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for each in (
        filters.count,
        filters.plural,
        filters.duration,
        filters.size,
        filters.moment,
        filters.stamp,
        filters.rate,
        filters.production_state,
        filters.host_state,
        filters.host_lamp,
        filters.host_look,
        filters.ago,
        filters.in_order,
        filters.strip_paths,
        filters.strip_height,
        filters.machine_look,
        filters.site_state,
        filters.site_look,
        filters.seconds,
        filters.millis,
        filters.in_words,
    ):
        made.filters[each.__name__] = each
    made.globals.update(
        asset=asset,
        may=may,
        menu=menu,
        percent=filters.percent,
        share=filters.share,
    )
    return made


_templates = _environment()


ANYBODY: Mapping[str, object] = MappingProxyType(
    {
        **dict.fromkeys(("csrf", "said", "theme", "here", "path", "fault"), ""),
        "me": None,
        "faults": (),
    }
)
"""What a page shows of its frame, and over its form, unless its facts say otherwise."""

_VERBATIM = re.compile(r"(<(?:pre|textarea)\b.*?</(?:pre|textarea)>)", re.DOTALL)


def page(name: str, /, **facts: object) -> str:
    """The template ``<name>.html`` with these facts, squeezed but for texts that are verbatim."""
    text = _templates.get_template(f"{name}.html").render({**ANYBODY, **facts})
    pieces = _VERBATIM.split(text)
    pieces[::2] = map(_squeezed, pieces[::2])
    return "".join(pieces)


def piece(name: str, *values: object, **more: object) -> str:
    """One piece of `forms.html` by itself: for tests, and to look at it."""
    made = getattr(_templates.get_template("forms.html").module, name)
    return str(made(*values, **more))


def _squeezed(text: str) -> str:
    return re.sub(r"\s*\n\s*", "\n", text)
