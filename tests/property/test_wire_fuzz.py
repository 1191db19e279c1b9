"""Whatever bytes come, what reads them refuses them by its own error and does nothing worse."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from server.handlers import digests
from server.handlers.errors import BadDigestField
from server.services import frameread
from tests.kit import golden
from vmagent.wire import codec, frames, jws, merkle

MODEST = settings(deadline=None, max_examples=250)
KINDS = st.sampled_from(sorted(golden.KINDS)).map(lambda name: golden.KINDS[name])
FRAMES = [
    bytes.fromhex(golden.raw(path.name).decode()) for path in sorted(golden.FOLDER.glob("*.hex"))
]
STATEMENTS = [path.read_text().strip() for path in sorted(golden.FOLDER.glob("*.jws"))]
KEYS = {each["kid"]: each["public"] for each in golden.read("keys.json")}
BATCH = golden.read("lease-batch.json")
FIELD = digests.make(bytes(range(32)))


@st.composite
def spoiled(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Something well made with a few places overwritten, cut out or stuffed."""
    raw = draw(whole)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(raw)))
        upto = draw(st.integers(at, min(len(raw), at + 8)))
        raw = raw[:at] + draw(st.binary(max_size=8)) + raw[upto:]
    return raw


def texts(whole: list[str]) -> st.SearchStrategy[str]:
    """Texts, well made ones spoiled among them."""
    made = spoiled(st.sampled_from([text.encode() for text in whole]))
    return st.text() | made.map(lambda raw: raw.decode("utf-8", "surrogateescape"))


@MODEST
@given(st.binary() | spoiled(st.sampled_from(FRAMES)), st.sampled_from([1, 2, 10, 1000]))
def test_frames_are_read_or_are_bad_frames(raw: bytes, granule: int) -> None:
    try:
        frame = frames.decode(raw, granule)
    except frames.BadFrame:
        return
    records = [record for _, _, record in frame.records()]
    assert frames.encode(frame.first, frame.last, records) == raw


@MODEST
@given(st.binary() | spoiled(st.sampled_from(FRAMES)))
def test_the_server_reads_a_head_or_says_value_error(raw: bytes) -> None:
    try:
        found = frameread.lengths_in(raw)
    except ValueError:
        return
    if found is not None:
        _, events, lengths = found
        assert 0 < len(lengths) <= events


@MODEST
@given(st.binary(min_size=20) | spoiled(st.sampled_from(FRAMES)), st.sampled_from([1, 10]))
def test_a_frame_that_the_agent_reads_has_a_head_that_the_server_reads(
    raw: bytes, granule: int
) -> None:
    try:
        frame = frames.decode(raw, granule)
    except frames.BadFrame:
        return
    assert frameread.lengths_in(raw) == (frame.first, frame.last - frame.first, frame.lengths)


@MODEST
@given(
    KINDS,
    st.binary()
    | st.text()
    | spoiled(st.sampled_from([golden.raw(f"{name}.json") for name in sorted(golden.KINDS)])),
)
def test_messages_are_read_or_are_bad_messages(kind: type[Any], raw: bytes | str) -> None:
    try:
        value = codec.decode(raw, kind)
    except codec.BadMessage:
        return
    assert isinstance(value, kind)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@MODEST
@given(texts(STATEMENTS))
def test_statements_are_read_or_are_unsigned(text: str) -> None:
    try:
        head, value = jws.peek(text)
    except jws.Unsigned:
        pass
    else:
        assert isinstance(head, dict)
        assert isinstance(value, dict)
    try:
        jws.verify("windfall.manifest", text, KEYS)
    except jws.Unsigned:
        return
    assert text in STATEMENTS


@MODEST
@given(PLAIN, PLAIN, st.binary(max_size=70))
def test_statements_that_say_anything_are_read_or_are_unsigned(
    head: Any, value: Any, signature: bytes
) -> None:
    if isinstance(head, dict):
        head = {"alg": "EdDSA", "typ": "windfall.key", "kid": next(iter(KEYS)), **head}
    parts = [jws.b64(json.dumps(part).encode()) for part in (head, value)]
    try:
        jws.verify("windfall.key", ".".join([*parts, jws.b64(signature)]), KEYS)
    except jws.Unsigned:
        return
    raise AssertionError("a signature was guessed")


@MODEST
@given(
    st.binary(max_size=40) | st.sampled_from([text.encode() for text in BATCH["leases"]]),
    st.integers(-2, 8) | st.integers(),
    st.integers(-2, 8) | st.integers(),
    st.binary(max_size=40)
    | st.sampled_from([jws.unb64(path) for path in BATCH["proof"]["paths"]])
    | st.integers(0, 70).map(lambda count: bytes(32 * count)),
)
def test_a_path_leads_to_some_root_or_to_none(
    text: bytes, index: int, size: int, path: bytes
) -> None:
    root = merkle.root_from(text, index, size, path)
    assert len(root) in (0, 32)
    if root.hex() == BATCH["root"]:
        assert text.decode() in BATCH["leases"]


@MODEST
@given(texts([FIELD, f"md5=:AAAA:;a=1, {FIELD}", f'x=:AA==:;b="c, d" , {FIELD}']))
def test_a_digest_field_is_read_or_is_a_bad_field(field: str) -> None:
    try:
        found = digests.parse(field)
    except BadDigestField:
        return
    assert found is None or len(found) == 32
