"""Messages in JSON: both sides hold every limit, and what is wrong is named with its place."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import pytest

from server.handlers.errors import BadMessage
from tests.kit import golden
from vmagent.wire import codec
from vmagent.wire.messages import (
    AskRequest,
    ClassReport,
    Command,
    EnrolRequest,
    HostFacts,
    Limit,
    Progress,
    ReportRequest,
    TaskState,
    bound,
)

LIMITED = [
    (name, each.name, each.metadata["limit"])
    for name, kind in golden.KINDS.items()
    for each in dataclasses.fields(kind)
    if "limit" in each.metadata
]


def refused_by_both(kind: type[Any], raw: bytes) -> str:
    """Both sides refuse this; what the agent says."""
    with pytest.raises(BadMessage):
        golden.by_server(kind, raw)
    with pytest.raises(codec.BadMessage) as caught:
        golden.by_agent(kind, raw)
    return str(caught.value)


def changed(kind: type[Any], **changes: Any) -> bytes:
    """The sample of a type with some fields changed, as JSON."""
    return json.dumps({**golden.read(f"{kind.__name__}.json"), **changes}).encode()


def of_size(kind: type[Any], name: str, size: float) -> Any:
    """A value for this field that is so large, or so long."""
    hint, said = get_type_hints(kind)[name], golden.read(f"{kind.__name__}.json")[name]
    if isinstance(said, str):
        return "é" * int(size) if name in {"name", "log", "reason", "token"} else "a" * int(size)
    if isinstance(said, list):
        return [said[0]] * int(size)
    if isinstance(said, dict):
        return {f"key {number}": next(iter(said.values())) for number in range(int(size))}
    return int(size) if hint is int else size


@pytest.mark.parametrize(("name", "key", "limit"), LIMITED)
def test_both_sides_hold_every_limit_and_take_what_lies_on_it(
    name: str, key: str, limit: Limit
) -> None:
    kind = golden.KINDS[name]
    step = 1
    for edge, beyond, word in ((limit.most, step, "at most"), (limit.least, -step, "at least")):
        if edge is None:
            continue
        said = refused_by_both(kind, changed(kind, **{key: of_size(kind, key, edge + beyond)}))
        assert f"message.{key}: {word}" in said
        if limit.pattern is None or of_size(kind, key, edge) == "a" * 64:
            raw = changed(kind, **{key: of_size(kind, key, edge)})
            assert golden.by_agent(kind, raw) == golden.by_server(kind, raw)


@pytest.mark.parametrize(
    ("name", "key", "limit"), [each for each in LIMITED if each[2].pattern is not None]
)
def test_both_sides_hold_every_pattern_to_the_last_character(
    name: str, key: str, limit: Limit
) -> None:
    kind = golden.KINDS[name]
    good = golden.read(f"{name}.json")[key]
    none = [] if re.fullmatch(limit.pattern or "", "") else [""]
    for bad in (*none, "\n", f"{good}\n", f" {good}", f"{good} ", f"{good[:-1]}é", "<b>"):
        said = refused_by_both(kind, changed(kind, **{key: bad}))
        assert f"message.{key}: " in said


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        (AskRequest, {"slots": "4"}, "message.slots: expected int, found str"),
        (AskRequest, {"slots": 4.5}, "message.slots: expected int, found float"),
        (AskRequest, {"slots": 4.0}, "message.slots: expected int, found float"),
        (AskRequest, {"slots": True}, "message.slots: expected int, found bool"),
        (AskRequest, {"slots": None}, "message.slots: expected int, found NoneType"),
        (AskRequest, {"seconds_left": "1"}, "message.seconds_left: expected float, found str"),
        (AskRequest, {"seconds_left": True}, "message.seconds_left: expected float, found bool"),
        (AskRequest, {"classes": []}, "message.classes: expected an object"),
        (AskRequest, {"classes": {"a": 1}}, "message.classes.a: expected str, found int"),
        (AskRequest, {"ask": 12345678}, "message.ask: expected str, found int"),
        (EnrolRequest, {"facts": "x"}, "message.facts: expected an object"),
        (EnrolRequest, {"facts": {}}, "message.facts.cores: missing"),
        (ReportRequest, {"failures": {}}, "message.failures: expected a list"),
        (ReportRequest, {"failures": [1]}, "message.failures: expected an object"),
        (ReportRequest, {"exit": 1.5}, "message.exit: expected int, found float"),
        (TaskState, {"held": [[1]]}, "message.held: expected 2 items"),
        (TaskState, {"held": [[1, 2, 3]]}, "message.held: expected 2 items"),
        (TaskState, {"held": [[1, "2"]]}, "message.held: expected int, found str"),
        (TaskState, {"held": [{}]}, "message.held: expected a list"),
        (Command, {"args": {"task": None}}, "message.args.task: expected str, found NoneType"),
    ],
)
def test_a_wrong_type_is_named_with_its_place(
    kind: type[Any], changes: dict[str, Any], said: str
) -> None:
    assert refused_by_both(kind, changed(kind, **changes)) == said


def test_a_limit_inside_a_list_of_messages_is_named() -> None:
    failures = [{"first": 0, "last": 0, "word": "a"}]
    said = refused_by_both(ReportRequest, changed(ReportRequest, failures=failures))
    assert said == "message.failures.last: at least 1, found 0"


def test_a_whole_number_may_stand_for_a_fraction_but_not_the_other_way_round() -> None:
    raw = changed(ClassReport, seconds_per_event=3)
    assert codec.decode(raw, ClassReport).seconds_per_event == 3.0
    assert isinstance(codec.decode(raw, ClassReport).seconds_per_event, float)
    assert golden.by_server(ClassReport, raw) == golden.by_agent(ClassReport, raw)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**30, 10**400])
def test_a_whole_number_beyond_64_bits_is_refused(number: int) -> None:
    raw = b'{"task": %s}' % str(number).encode()
    assert refused_by_both(Progress, raw).startswith("message.task: expected")


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0, -0])
def test_a_whole_number_of_64_bits_is_read_exactly(number: int) -> None:
    raw = b'{"task": %d}' % number
    assert golden.by_agent(Progress, raw) == golden.by_server(Progress, raw)
    assert codec.decode(raw, Progress).task == number


@pytest.mark.parametrize(
    "text",
    ["NaN", "Infinity", "-Infinity", "nan", "1e999", "-1e999", "1" * 400, "1" * 5000],
    ids=lambda text: text[:9] + str(len(text)),
)
def test_a_number_that_is_not_finite_is_refused(text: str) -> None:
    raw = b'{"manifest":"%s","digest":"%s","seconds_per_event":%s}'
    refused_by_both(ClassReport, raw % (b"a" * 64, b"b" * 64, text.encode()))


def test_a_number_that_nobody_reads_may_be_as_large_as_it_likes() -> None:
    for text in (b"1e999", b"1" * 400, b"1" * 5000):
        raw = b'{"task":1,"other":[%s]}' % text
        assert golden.by_agent(Progress, raw) == golden.by_server(Progress, raw)
    refused_by_both(Progress, b'{"task":1,"other":[NaN]}')


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_not_finite_is_not_sent(number: float) -> None:
    with pytest.raises(codec.BadMessage, match="ClassReport: Out of range"):
        codec.encode(ClassReport("a" * 64, "b" * 64, number))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"null",
        b"1",
        b'"text"',
        b"[]",
        b'[{"task":1}]',
        b"{'task':1}",
        b'{"task":1,}',
        b'{"task":1}{}',
        b'{"task":1}\0',
        b'{"task":01}',
        b'{"task":+1}',
        b'{"task":0x1}',
        b'{"task":1,"other":tru}',
        b'{"task":1,"other":"\x01"}',
        b'{"task":1,"other":"\\x"}',
        b'{"task":1,"other":"\\ud800"}',
        b'{"task":1,"\\udc00":2}',
        b'{"task":1,"other":"\xff"}',
        b'{"task":1,"other":"\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"task":1}',
        '{"task":1}'.encode("utf-16"),
        '{"task":1}'.encode("utf-32-le"),
        b"[" * 100_000,
        b'{"task":1,"other":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"task":1,"other":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    ],
    ids=lambda raw: f"{len(raw)}:{raw[:30]!r}",
)
def test_what_is_no_message_in_json_is_refused_by_both(raw: bytes) -> None:
    assert refused_by_both(Progress, raw)


def test_nesting_of_a_hundred_levels_passes_where_nobody_reads_it() -> None:
    raw = b'{"task":1,"other":' + b"[" * 100 + b"]" * 100 + b"}"
    assert golden.by_agent(Progress, raw) == golden.by_server(Progress, raw)


def test_half_a_character_is_refused_in_text_too() -> None:
    for text in ('{"task":1,"other":"\ud800"}', '{"task":1,"other":"\\uDFFF"}', '\ufeff{"task":1}'):
        with pytest.raises(codec.BadMessage, match="not JSON"):
            codec.decode(text, Progress)
    assert codec.decode('{"task":1,"other":"\\ud83d\\ude00 \\\\ud800"}', Progress).task == 1


def test_a_megabyte_of_json_is_read() -> None:
    log = "line é\n" * 9000
    raw = json.dumps({"outcome": "failed", "log": log, "other": ["x"] * 200_000}).encode()
    assert len(raw) > 1_000_000
    assert golden.by_agent(ReportRequest, raw) == golden.by_server(ReportRequest, raw)


def test_of_a_repeated_key_the_last_value_counts() -> None:
    raw = b'{"task":1,"task":2,"done":3,"done":4}'
    assert golden.by_agent(Progress, raw) == golden.by_server(Progress, raw)
    assert codec.decode(raw, Progress) == Progress(2, 4)


def test_what_is_no_text_is_sent_as_a_question_mark() -> None:
    facts = HostFacts(1, 1, 1, "x86_64", paths=["/data/\udcff\udcfe", "/é/😀"])
    raw = codec.encode(facts)
    assert codec.decode(raw, HostFacts).paths == ["/data/??", "/é/😀"]
    assert golden.by_server(HostFacts, raw) == golden.by_agent(HostFacts, raw)


def test_a_message_is_built_from_plain_values_with_the_same_care() -> None:
    assert codec.build({"task": 1}, Progress) == Progress(1)
    for value in (10**400, True, "1", 2**63):
        with pytest.raises(codec.BadMessage, match=r"^here\.task: expected"):
            codec.build({"task": value}, Progress, "here")
    with pytest.raises(codec.BadMessage, match="finite"):
        codec.build({"manifest": "a" * 64, "digest": "b" * 64, "seconds_per_event": 10**400},
                    ClassReport)  # fmt: skip


@dataclass(frozen=True)
class Bounded:
    """A type whose limits are of fractions."""

    share: float = field(default=0.5, metadata=bound(least=0.25, most=0.75))


def test_limits_may_be_fractions() -> None:
    for share in (0.25, 0.75):
        raw = json.dumps({"share": share}).encode()
        assert golden.by_agent(Bounded, raw) == golden.by_server(Bounded, raw)
    for share in (0.2499, 0.7501):
        refused_by_both(Bounded, json.dumps({"share": share}).encode())
