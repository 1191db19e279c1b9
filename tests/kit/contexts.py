"""Documents of contexts made at random from the parts there are, and values of ill will."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from contexts.check import check
from contexts.part import Part, Pieces
from contexts.registry import PARTS
from contexts.schema import Document, Field, Kind

STEADY = settings(
    derandomize=True,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    report_multiple_bugs=False,
    suppress_health_check=(HealthCheck.too_slow,),
)
"""The same documents in every run; what fails is shown as it was found, not made smaller."""

HOSTILE = (
    "a\nb",
    "a\r\nb",
    "a\x00b",
    "$(touch /tmp/owned)",
    "`touch /tmp/owned`",
    "a; touch /tmp/owned",
    "a && touch /tmp/owned",
    "a | touch /tmp/owned",
    "a > /etc/passwd",
    '"; touch /tmp/owned; "',
    "'; touch /tmp/owned; '",
    "${IFS}touch",
    "a\\",
    "[ucernvm-begin]",
    "a\u2028b",
    "caf\u00e9",
    "\ud800",
    "x" * 200_000,
)
"""What nobody means, and a shell that reads it would carry out (or stumble over)."""

# What INI values may hold. What the cernvm plug-in writes is sourced by a shell, so it is one word
# or stands between double quotes, but for what amiconfig takes apart itself.
PLAIN = re.compile(r"[A-Za-z0-9._/:,@%+=#* -]*")
TAKEN_APART = re.compile(r"[A-Za-z0-9._/:,@%+=|$-]*")
WORD = re.compile(r"[A-Za-z0-9._/:,@%+=-]*")
QUOTED = re.compile(r'"[A-Za-z0-9._/:,@%+=| ;*-]*"')

_LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
_TEXT_LETTERS = st.one_of(st.characters(exclude_categories=["Cs", "Cc"]), st.sampled_from("\n\t"))


def values(one: Field) -> st.SearchStrategy[Any]:
    """Values that fit a field, "" and [] among them where nothing is needed."""
    made = _of_kind(one)
    empty: Any = [] if one.kind in (Kind.LINES, Kind.ROWS) else ""
    if one.required or one.kind in (Kind.NUMBER, Kind.SWITCH):
        return made
    return st.one_of(made, made, st.just(empty))


def _of_kind(one: Field) -> st.SearchStrategy[Any]:
    match one.kind:
        case Kind.NUMBER:
            return st.integers(one.least, one.most)
        case Kind.SWITCH:
            return st.booleans()
        case Kind.CHOICE:
            return st.sampled_from(one.choices)
        case Kind.LINES:
            return st.lists(_text(one, 8000), min_size=1, max_size=min(3, one.longest))
        case Kind.ROWS:
            return st.lists(_row(one), min_size=1, max_size=min(3, one.longest))
        case _:
            return _text(one, one.longest)


def _text(one: Field, longest: int) -> st.SearchStrategy[str]:
    if not one.pattern:
        letters = _TEXT_LETTERS if one.kind is Kind.TEXT else _LETTERS
        return st.text(letters, min_size=1, max_size=60)
    made = st.from_regex(one.pattern, fullmatch=True).filter(
        lambda text: len(text) <= longest and not _is_odd(one, text)
    )
    return st.one_of(st.sampled_from(_examples(one)), made)


def _is_odd(one: Field, text: str) -> bool:
    odd = (
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
        if one.kind is Kind.TEXT
        else ("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
    )
    return re.search(odd, text) is not None


def _examples(one: Field) -> list[str]:
    return (
        [str(item) for item in one.example] if isinstance(one.example, list) else [str(one.example)]
    )


def _row(one: Field) -> st.SearchStrategy[dict[str, str]]:
    needed = {column.key: values(column) for column in one.columns if column.required}
    free = {column.key: values(column) for column in one.columns if not column.required}
    return st.fixed_dictionaries(needed, optional=free)


def part_values(part: Part) -> st.SearchStrategy[dict[str, Any]]:
    """Values for some fields of a part."""
    needed = {one.key: values(one) for one in part.fields if one.required}
    free = {one.key: values(one) for one in part.fields if not one.required}
    return st.fixed_dictionaries(needed, optional=free)


def documents(parts: Mapping[str, Part] = PARTS) -> st.SearchStrategy[Document]:
    """Documents without a fault, of any of the parts."""
    made = st.fixed_dictionaries(
        {}, optional={name: part_values(part) for name, part in parts.items()}
    )
    return made.map(lambda document: mended(document, parts))


def mended(
    document: Mapping[str, Mapping[str, Any]], parts: Mapping[str, Part] = PARTS
) -> Document:
    """A document less what is at fault in it."""
    whole = {name: dict(values) for name, values in document.items()}
    while faults := check(whole, parts):
        for fault in faults:
            name, _, key = fault.path.partition(".")
            if whole.get(name, {}).pop(re.split(r"[.\[]", key)[0], None) is None:
                whole.pop(name, None)
    return whole


def documents_of(part: Part) -> Document:
    """A document of one part with the example of every field that can stand beside the others."""
    values = {one.key: one.example for one in part.fields if one.example is not None}
    return mended({part.name: values})


def is_harmless(pieces: Pieces) -> None:
    """Nothing in the pieces can be a command to the shell that reads them."""
    for section, keys in pieces.amiconfig.items():
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", section)
        for key, value in keys.items():
            assert re.fullmatch(r"[A-Za-z0-9._-]+", key)
            assert " ;" not in value.strip('"') or QUOTED.fullmatch(value)
            allowed = TAKEN_APART if key in ("users", "extra_repositories") else WORD
            allowed = allowed if section == "cernvm" else PLAIN
            assert allowed.fullmatch(value) or QUOTED.fullmatch(value), (section, key, value)
    for key, value in pieces.ucernvm.items():
        assert re.fullmatch(r"[A-Za-z_]+", key)
        assert WORD.fullmatch(value) or QUOTED.fullmatch(value), (key, value)
    for line in (*pieces.before, *pieces.after):
        assert "\n" not in line
        assert line.isascii()
        assert not line.startswith("exit")
        assert not re.match(r"\[[^ \]][^\]]*\]", line)
