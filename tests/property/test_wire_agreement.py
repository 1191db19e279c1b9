"""The agent's codec and the server's decoder: any text is refused by both, or the same to both.

What may differ: U+0000, which the server stores as U+FFFD; a value that a later one of the same key
overrides, which only the server looks at; nesting beyond some hundreds of levels.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.handlers.errors import BadMessage
from tests.kit import golden
from vmagent.wire import codec

MODEST = settings(deadline=None, max_examples=300)
NAMES = st.sampled_from(sorted(golden.KINDS))
EDGES = (0, -1, 1, 2**31, 2**53 + 1, 2**62, 2**62 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1)
# Half characters too: json.dumps escapes them, and both sides have to refuse them.
TEXTS = st.text(max_size=8) | st.sampled_from(["\ud800", "a\udfff", "\0", "leased", "a" * 64, "\n"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.sampled_from(EDGES)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
NUMBERS = ("1e999", "-1e999", "NaN", "Infinity", "1" * 400, "1.0", "1e2", "-0", "01", "1E-400")
REFUSED = "refused"
Reader = Callable[[type[Any], bytes], Any]


def outcome(read: Reader, kind: type[Any], raw: bytes) -> Any:
    """What a side makes of it; any error but its own is a fault of the test's subject."""
    try:
        return read(kind, raw)
    except (BadMessage, codec.BadMessage):
        return REFUSED


def stored(value: Any) -> Any:
    """A value as the server stores it."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [stored(item) for item in value]
    if isinstance(value, dict):
        return {stored(key): stored(item) for key, item in value.items()}
    return value


def agree(kind: type[Any], raw: bytes) -> Any:
    """Both sides make the same of it; what that is."""
    agent, server = outcome(golden.by_agent, kind, raw), outcome(golden.by_server, kind, raw)
    assert stored(agent) == server, raw
    return agent


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with every key or index of it."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return []
    return [(value, key) for key, _ in inner] + [p for _, item in inner for p in places(item)]


@st.composite
def mutated(draw: st.DrawFn) -> tuple[type[Any], bytes]:
    """A sample with a few values replaced, taken out, doubled or joined by others."""
    name = draw(NAMES)
    value = copy.deepcopy(golden.read(f"{name}.json"))
    for _ in range(draw(st.integers(1, 3))):
        found = places(value)
        if not found:
            break
        where, key = draw(st.sampled_from(found))
        change = draw(st.sampled_from(["replace", "nudge", "remove", "double", "add"]))
        if change == "replace":
            where[key] = draw(VALUES)
        elif change == "nudge":
            where[key] = nudge(where[key], draw(st.integers(-2, 2)))
        elif change == "remove":
            del where[key]
        elif change == "double" and isinstance(where, list):
            where.append(copy.deepcopy(where[key]))
        elif isinstance(where, dict):
            where[draw(TEXTS)] = draw(VALUES)
    return golden.KINDS[name], json.dumps(value, ensure_ascii=draw(st.booleans())).encode(
        "utf-8", "surrogatepass"
    )


def nudge(value: Any, by: int) -> Any:
    """A value nearly the same: what stands on an edge falls off."""
    if isinstance(value, bool) or value is None:
        return by
    if isinstance(value, (int, float)):
        return value + by
    if isinstance(value, str):
        return value[:by] if by < 0 else value + "a\n"[:by]
    return value


@MODEST
@given(NAMES, VALUES)
def test_any_value_is_the_same_to_both_sides(name: str, value: Any) -> None:
    agree(golden.KINDS[name], json.dumps(value).encode())


@MODEST
@given(mutated())
def test_a_changed_sample_is_the_same_to_both_sides(sent: tuple[type[Any], bytes]) -> None:
    agree(*sent)


@MODEST
@given(NAMES, st.data())
def test_a_sample_with_other_bytes_is_the_same_to_both_sides(
    name: str, data: st.DataObject
) -> None:
    raw = golden.raw(f"{name}.json")
    at = data.draw(st.integers(0, len(raw) - 1))
    upto = data.draw(st.integers(at, min(len(raw), at + 3)))
    new = data.draw(
        st.binary(max_size=4) | st.sampled_from(list(b'{}[]",:\\0-. \n')).map(lambda b: bytes([b]))
    )
    agree(golden.KINDS[name], raw[:at] + new + raw[upto:])


@settings(deadline=None, max_examples=150)
@given(NAMES, st.sampled_from(NUMBERS), st.data())
def test_odd_numbers_are_the_same_to_both_sides(
    name: str, number: str, data: st.DataObject
) -> None:
    value = copy.deepcopy(golden.read(f"{name}.json"))
    where, key = data.draw(st.sampled_from(places(value)))
    where[key] = "@number"
    agree(golden.KINDS[name], json.dumps(value).replace('"@number"', number).encode())


@MODEST
@given(NAMES, st.dictionaries(st.sampled_from(["task", "done", "seq", "name", "v"]), SCALARS))
@example("Progress", {"task": 2**63 - 1, "done": 2**62})
def test_small_objects_are_the_same_to_both_sides(name: str, value: dict[str, Any]) -> None:
    agree(golden.KINDS[name], json.dumps(value).encode())


@MODEST
@given(mutated())
def test_what_is_read_is_written_so_that_both_sides_read_it_again(
    sent: tuple[type[Any], bytes],
) -> None:
    kind, raw = sent
    read = agree(kind, raw)
    if read != REFUSED:
        again = codec.encode(codec.decode(raw, kind))
        assert agree(kind, again) == read


def test_the_differences_allowed_are_those_documented() -> None:
    kind = golden.KINDS["Progress"]
    assert outcome(golden.by_server, kind, b'{"task":"a","task":1}') == REFUSED
    assert outcome(golden.by_agent, kind, b'{"task":"a","task":1}') == {"task": 1, "done": 0}
    report = golden.KINDS["ReportRequest"]
    raw = b'{"outcome":"failed","log":"\\u0000"}'
    assert golden.by_agent(report, raw)["log"] == "\0"
    assert golden.by_server(report, raw)["log"] == "\ufffd"


def test_the_strategies_reach_both_outcomes() -> None:
    assert agree(golden.KINDS["Progress"], b'{"task":1}') == {"task": 1, "done": 0}
    assert agree(golden.KINDS["Progress"], b'{"task":1e0}') == REFUSED
    assert nudge(1.5, 1) == 2.5
    assert math.isfinite(max(EDGES))
