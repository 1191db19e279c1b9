"""What a context is for, and what is set on every machine: time zone and language."""

from __future__ import annotations

from contexts.asking import block, line
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.reading import text
from contexts.schema import Values
from contexts.shapes import Shape

ZONE = Shape(r"[A-Za-z][A-Za-z0-9_+/-]{0,60}", "a time zone such as Europe/Zurich or UTC", "UTC")
LOCALE = Shape(
    r"[A-Za-z]{1,3}(_[A-Z]{2})?(\.[A-Za-z0-9-]{1,12})?", "a locale such as C.UTF-8", "C.UTF-8"
)


def _pieces(values: Values, machine: Machine) -> Pieces:
    cloud = {key: said for key in ("timezone", "locale") if (said := text(values, key))}
    return Pieces(cloud=cloud)


PART = Made(
    "general",
    "General",
    "General",
    "Says what the context is for; sets time zone and language.",
    (
        block(
            "description",
            "Description",
            "What it is for, for whoever chooses among contexts. It is not told to machines.",
            "A batch worker for the spring production.",
            longest=4000,
        ),
        line(
            "contact",
            "Contact",
            "Whom to ask. It is not told to machines.",
            Shape(
                r"[^\x00-\x1f<>]{1,200}", "a name or address in one line", "site-admins@example.org"
            ),
        ),
        line("timezone", "Time zone", "By cloud-init; else the image's own.", ZONE),
        line("locale", "Language", "By cloud-init; else the image's own.", LOCALE),
    ),
    _pieces,
)
