"""The Content-Digest header: read as RFC 9530 writes it, and nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.errors import DigestMismatch
from server.handlers import digests
from server.handlers.errors import BadDigestField

BODY = b'{"hello": "world"}\n'
# The example of RFC 9530, appendix B.1, for exactly this body.
RFC_FIELD = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
DIGEST = hashlib.sha256(BODY).digest()


def test_the_example_of_the_rfc_is_read_and_made() -> None:
    assert digests.parse(RFC_FIELD) == DIGEST
    assert digests.make(DIGEST) == RFC_FIELD
    assert digests.check(BODY, RFC_FIELD) == DIGEST


@pytest.mark.parametrize(
    "field",
    [
        f"  {RFC_FIELD} ",
        f"sha-512=:AAAA:, {RFC_FIELD}",
        f"{RFC_FIELD}\t,\tmd5=:AAAA:",
        f"{RFC_FIELD};note=1;other",
        f'md5=:AAAA:;a="x, y", {RFC_FIELD}',
        f"sha-256=:{'A' * 43}=:, {RFC_FIELD}",
    ],
)
def test_other_members_beside_ours_do_no_harm_and_the_last_of_a_key_counts(field: str) -> None:
    assert digests.parse(field) == DIGEST


def test_a_field_with_other_algorithms_only_states_nothing_for_us() -> None:
    assert digests.parse("sha-512=:AAAA:, md5=:AAAA:") is None
    with pytest.raises(BadDigestField):
        digests.demand("sha-512=:AAAA:")


@pytest.mark.parametrize(
    "field",
    [
        "",
        "sha-256",
        "sha-256=abc",
        f"sha-256={DIGEST.hex()}",
        f"SHA-256=:{'A' * 43}=:",
        "sha-256=:AAAA:",
        f"sha-256=:{'A' * 43}:",
        f"{RFC_FIELD},",
        f",{RFC_FIELD}",
        f"{RFC_FIELD} {RFC_FIELD}",
        RFC_FIELD[:-1],
        "md5=:AA==:, " * 200 + RFC_FIELD,
    ],
)
def test_a_malformed_field_is_refused_with_the_cure(field: str) -> None:
    with pytest.raises(BadDigestField) as caught:
        digests.parse(field)
    assert "Content-Digest" in str(caught.value)


def test_a_field_that_is_missing_is_asked_for() -> None:
    with pytest.raises(BadDigestField, match="needs the header"):
        digests.demand(None)


def test_other_bytes_than_stated_are_refused_with_both_digests() -> None:
    with pytest.raises(DigestMismatch) as caught:
        digests.check(BODY + b"x", RFC_FIELD)
    assert caught.value.stated == DIGEST.hex()
    assert caught.value.found == hashlib.sha256(BODY + b"x").hexdigest()


@given(st.binary(min_size=32, max_size=32))
def test_every_digest_survives_the_field(digest: bytes) -> None:
    assert digests.parse(digests.make(digest)) == digest


@given(st.text(alphabet='sha-256=:,; \tAb1/+"\\é', max_size=80))
def test_no_text_does_worse_than_be_refused(field: str) -> None:
    try:
        found = digests.parse(field)
    except BadDigestField:
        return
    assert found is None or len(found) == 32
