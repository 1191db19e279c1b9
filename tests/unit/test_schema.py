"""Messages decoded at the door: every limit of every field is held, and the fault is named."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from server.handlers import schema
from server.handlers.errors import BadMessage
from vmagent.wire import codec, messages
from vmagent.wire.messages import AskRequest, Limit, ReportRequest, TaskState, bound

ASK = {"ask": "abcdefgh", "slots": 4, "memory_mb": 8000, "disk_mb": 20000}
MESSAGES = [
    kind
    for kind in vars(messages).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind is not Limit
]


def ask(**changes: Any) -> bytes:
    """An AskRequest as JSON with some fields changed."""
    return json.dumps({**ASK, **changes}).encode()


def test_what_is_decoded_equals_what_the_agent_encoded() -> None:
    sent = AskRequest("abcdefgh", 4, 8000, 20000, 60.0, {"a" * 64: "b"}, 3)
    found = schema.decoder(AskRequest)(codec.encode(sent))
    assert {f.name: getattr(found, f.name) for f in dataclasses.fields(AskRequest)} == vars(sent)


def test_fields_left_out_have_their_defaults_and_unknown_fields_pass() -> None:
    found = schema.decoder(AskRequest)(ask(new_in_version_9=True))
    assert (found.seconds_left, found.classes, found.most_leases) == (None, {}, 1)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"slots": 0}, "$.slots"),
        ({"slots": 4097}, "$.slots"),
        ({"slots": "4"}, "$.slots"),
        ({"slots": 4.5}, "$.slots"),
        ({"slots": 2**70}, "$.slots"),
        ({"ask": "short"}, "$.ask"),
        ({"ask": "abcdefgh\n"}, "$.ask"),
        ({"ask": "a" * 65}, "$.ask"),
        ({"seconds_left": -1}, "$.seconds_left"),
        ({"classes": {str(n): "" for n in range(257)}}, "$.classes"),
        ({"classes": ["a"]}, "$.classes"),
    ],
)
def test_a_field_out_of_its_limits_is_named(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(BadMessage) as caught:
        schema.decoder(AskRequest)(ask(**changes))
    assert f"`{path}`" in str(caught.value)
    assert caught.value.code == "bad-message"


@pytest.mark.parametrize("raw", [b"", b"{", b"null", b"\xff\xfe", b"[" * 100_000, b'{"ask": NaN}'])
def test_what_is_no_json_is_refused_and_nothing_worse(raw: bytes) -> None:
    with pytest.raises(BadMessage):
        schema.decoder(AskRequest)(raw)


def test_a_field_that_is_missing_is_named() -> None:
    with pytest.raises(BadMessage, match="`slots`"):
        schema.decoder(AskRequest)(b'{"ask": "abcdefgh"}')


def test_a_number_without_limit_still_fits_a_column() -> None:
    decode = schema.decoder(messages.Progress)
    assert decode(b'{"task": 9223372036854775807}').task == 2**63 - 1
    with pytest.raises(BadMessage):
        decode(b'{"task": 9223372036854775808}')


def test_limits_hold_inside_lists_of_messages() -> None:
    failures = [{"first": 0, "last": 1, "word": "Not A Word"}]
    raw = json.dumps({"outcome": "failed", "failures": failures}).encode()
    with pytest.raises(BadMessage, match=r"failures\[0\]\.word"):
        schema.decoder(ReportRequest)(raw)


@pytest.mark.parametrize(
    ("text", "kept"), [("a\0b\0\0", "a�b��"), ("a\\u0000", "a\\u0000"), ("\\\0", "\\�")]
)
def test_a_zero_character_is_replaced_since_not_every_database_holds_it(
    text: str, kept: str
) -> None:
    found = schema.decoder(ReportRequest)(json.dumps({"outcome": "failed", "log": text}).encode())
    assert found.log == kept


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_every_message_has_a_struct_with_the_same_fields(kind: type[Any]) -> None:
    made = schema.struct(kind)
    assert list(made.__struct_fields__) == [f.name for f in dataclasses.fields(kind)]


def test_what_is_encoded_is_what_the_agent_decodes() -> None:
    sent = TaskState(1, "leased", 0, 10, [(0, 3), (5, 7)], 12.5)
    assert codec.decode(schema.encode(sent), TaskState) == sent


@dataclass(frozen=True)
class Other:
    """A type with hints in the present spelling."""

    size: int | None = field(default=None, metadata=bound(most=3))
    pair: tuple[int, str] = (0, "")


def test_hints_with_a_bar_are_read_too() -> None:
    decode = schema.decoder(Other)
    assert decode(b'{"size": null, "pair": [1, "a"]}').pair == (1, "a")
    with pytest.raises(BadMessage):
        decode(b'{"size": 4}')
