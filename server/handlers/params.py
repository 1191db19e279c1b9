"""Parameters of an address, and fields of a form, as what they are to be, within bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from aiohttp import web

from server.domain.errors import BadInput
from server.domain.rollup import Span
from server.handlers.errors import BadParameter

N = TypeVar("N", int, float)

DIGITS_MOST = 18  # of a number that fits a column
ID = rf"\d{{1,{DIGITS_MOST}}}"
"""What a number in a path looks like; any longer one would not fit a column."""


def path_number(request: web.Request, name: str) -> int:
    """A number of the path, whose pattern has to be `ID`."""
    return int(request.match_info[name])


def query_number(request: web.Request, name: str, default: N, least: N, most: N) -> N:
    """A number behind the question mark; `BadParameter` if it is none or out of bounds."""
    text = request.query.get(name)
    if text is None:
        return default
    try:
        found = type(default)(text)
    except ValueError as error:
        raise BadParameter(f"{name}: a number is wanted here, not {text[:40]!r}.") from error
    if not least <= found <= most:
        raise BadParameter(f"{name}: from {least:g} to {most:g}, not {text[:40]}.")
    return found


def query_revision(request: web.Request, name: str = "revision") -> int:
    """The number of a revision behind the question mark, 0 if there is none; `BadParameter`."""
    return query_number(request, name, 0, 0, 10**9)


def query_span(
    request: web.Request, spans: Sequence[Span] = tuple(Span), usual: Span = Span.DAY
) -> Span:
    """The ``range`` of a plot behind the question mark, one of these; `BadParameter`."""
    name = request.query.get("range", usual)
    if name not in spans:
        raise BadParameter(f"range: one of {', '.join(spans)} is wanted here, not {name[:40]!r}.")
    return Span(name)


def form_number(form: Mapping[str, str], name: str) -> int:
    """The number in a field of a form. Raises BadInput."""
    text = form.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > DIGITS_MOST:
        raise BadInput([f"{name}: a number is wanted here; load the page anew"])
    return int(text)
