"""Signed statements: the example of RFC 8037, and everything that is none signed by a known key."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vmagent.wire import jws

# RFC 8037, appendix A: the key of A.1 and A.2, its thumbprint (A.3), the JWS of A.4.
SECRET = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
PUBLIC = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
EXAMPLE = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)

KEY = Ed25519PrivateKey.from_private_bytes(jws.unb64(SECRET))
KID = jws.key_id(PUBLIC)
KNOWN = {KID: PUBLIC}
KIND = "windfall.manifest"
VALUE = {"name": "Zürich", "events": 3, "limits": {"silence_s": 1.5}}
TEXT = jws.sign(KIND, VALUE, KEY)
HEAD = {"alg": "EdDSA", "kid": KID, "typ": KIND}


def signed(head: Any, value: Any = VALUE, key: Ed25519PrivateKey = KEY) -> str:
    """A statement with any head, truly signed."""
    text = ".".join(jws.b64(json.dumps(part).encode()) for part in (head, value))
    return f"{text}.{jws.b64(key.sign(text.encode()))}"


def refusal(text: str, kind: str = KIND) -> str:
    """Why it is refused."""
    with pytest.raises(jws.Unsigned) as caught:
        jws.verify(kind, text, KNOWN)
    return str(caught.value)


def test_the_key_and_the_signature_are_those_of_the_rfc() -> None:
    assert jws.public_text(KEY.public_key()) == PUBLIC
    signed_part, _, signature = EXAMPLE.rpartition(".")
    assert jws.b64(KEY.sign(signed_part.encode())) == signature
    assert jws.unb64(signed_part.partition(".")[2]) == b"Example of Ed25519 signing"
    jws.public_key(PUBLIC).verify(jws.unb64(signature), signed_part.encode())


def test_the_thumbprint_of_the_rfc_shows_that_the_public_key_is_read_right() -> None:
    said = f'{{"crv":"Ed25519","kty":"OKP","x":"{PUBLIC}"}}'
    assert jws.b64(hashlib.sha256(said.encode()).digest()) == THUMBPRINT


def test_the_example_of_the_rfc_is_no_statement_since_it_holds_no_object() -> None:
    assert "form" in refusal(EXAMPLE)


def test_a_key_is_named_by_the_digest_of_its_raw_bytes() -> None:
    assert hashlib.sha256(base64.urlsafe_b64decode(PUBLIC + "=")).hexdigest()[:16] == KID


def test_a_statement_is_a_plain_jws_that_says_what_was_signed() -> None:
    assert jws.verify(KIND, TEXT, KNOWN) == VALUE
    assert jws.peek(TEXT) == (HEAD, VALUE)
    assert jws.sign(KIND, dict(reversed(VALUE.items())), KEY) == TEXT
    assert jws.digest(TEXT) == hashlib.sha256(TEXT.encode()).hexdigest()


@pytest.mark.parametrize(
    "head",
    [
        {**HEAD, "alg": "none"},
        {**HEAD, "alg": "HS256"},
        {**HEAD, "alg": "eddsa"},
        {**HEAD, "alg": ["EdDSA"]},
        {"kid": KID, "typ": KIND},
        {**HEAD, "typ": "windfall.payload"},
        {**HEAD, "typ": None},
        {"alg": "EdDSA", "kid": KID},
        {**HEAD, "crit": ["exp"], "exp": 1},
        {**HEAD, "crit": []},
    ],
)
def test_another_algorithm_kind_or_demand_is_refused_though_truly_signed(head: Any) -> None:
    assert "not a statement of kind windfall.manifest" in refusal(signed(head))


def test_a_statement_of_one_kind_is_not_taken_for_another() -> None:
    assert "of kind windfall.key" in refusal(TEXT, "windfall.key")


@pytest.mark.parametrize("kid", ["0" * 16, "", None, 7, [KID], KID.upper()])
def test_a_key_that_is_not_believed_is_named(kid: object) -> None:
    assert f"signed with key {kid}, which is not believed" in refusal(signed({**HEAD, "kid": kid}))


def test_a_long_key_name_does_not_fill_the_log() -> None:
    assert len(refusal(signed({**HEAD, "kid": "k" * 10_000}))) < 200


def test_a_key_that_borrows_the_name_of_another_is_refused() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert "does not fit" in refusal(signed(HEAD, key=other))


def test_a_key_of_no_use_verifies_nothing() -> None:
    for public in ("", "AAAA", jws.b64(b"\xff" * 32), "no key"):
        with pytest.raises(jws.Unsigned, match="does not fit"):
            jws.verify(KIND, TEXT, {KID: public})


def test_no_character_of_a_statement_can_be_another() -> None:
    for at, was in enumerate(TEXT):
        for other in ("A", "B", "_", ".", "=", "\n", "é"):
            if other != was:
                assert refusal(TEXT[:at] + other + TEXT[at + 1 :])


def test_the_last_character_of_a_signature_has_one_spelling() -> None:
    # 64 bytes are 86 characters, of which the last carries four bits that base64 ignores.
    signature = TEXT.rpartition(".")[2]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    at = alphabet.index(signature[-1])
    twin = TEXT[:-1] + alphabet[at + 1]
    raw = base64.urlsafe_b64decode(twin.rpartition(".")[2] + "==")
    assert raw == jws.unb64(signature)
    assert refusal(twin)


def test_a_part_of_one_statement_does_not_fit_another() -> None:
    others = jws.sign(KIND, {**VALUE, "events": 4}, KEY).split(".")
    ours = TEXT.split(".")
    for at in (1, 2):
        mixed = [*ours[:at], others[at], *ours[at + 1 :]]
        assert "does not fit" in refusal(".".join(mixed))


HEAD_TEXT, VALUE_TEXT, SIGNATURE = TEXT.split(".")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "no statement",
        f"{HEAD_TEXT}.{VALUE_TEXT}",
        f"{HEAD_TEXT}..{VALUE_TEXT}.{SIGNATURE}",
        f"{HEAD_TEXT}.{VALUE_TEXT}.{SIGNATURE}.",
        f".{TEXT}",
        f"{TEXT}.{SIGNATURE}",
        f"{TEXT}\n",
        f" {TEXT}",
        f"{HEAD_TEXT}.{VALUE_TEXT}.{SIGNATURE}==",
        f"{HEAD_TEXT}.{VALUE_TEXT}.",
        f"{HEAD_TEXT}=.{VALUE_TEXT}.{SIGNATURE}",
        f"{HEAD_TEXT}..{SIGNATURE}",
        "\ud800.\ud800.\ud800",
        signed([HEAD]),
        signed(HEAD, [1]),
        signed(HEAD, None),
        signed(HEAD, "text"),
        signed(HEAD, {"n": float("nan")}),
        signed(HEAD, {"n": float("-inf")}),
        signed(HEAD, {"s": "\ud800"}),
        f"{HEAD_TEXT}.{jws.b64(b'[' * 100_000)}.{SIGNATURE}",
        f"{HEAD_TEXT}.{jws.b64(json.dumps(VALUE).encode('utf-16'))}.{SIGNATURE}",
        "a" * (jws.TEXT_MOST + 1),
        f"{HEAD_TEXT}.{'A' * jws.TEXT_MOST}.{SIGNATURE}",
    ],
    ids=lambda text: f"{len(text)}:{text[-20:]!r}",
)
def test_what_has_not_the_form_of_a_statement_is_refused(text: str) -> None:
    assert refusal(text)


def test_a_statement_of_the_greatest_length_is_read() -> None:
    room = jws.TEXT_MOST * 3 // 4 - 400
    text = jws.sign(KIND, {"log": "x" * room}, KEY)
    assert jws.TEXT_MOST - 1000 < len(text) <= jws.TEXT_MOST
    assert jws.verify(KIND, text, KNOWN)["log"] == "x" * room


@pytest.mark.parametrize("text", ["a", "YQ==", "YQ=", "Y Q", "YQ\n", "+/+/", "YR", "é", "\ud800"])
def test_base64url_has_one_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="not base64url"):
        jws.unb64(text)


def test_a_number_that_is_not_finite_is_not_signed() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        jws.sign(KIND, {"seconds": float("inf")}, KEY)
