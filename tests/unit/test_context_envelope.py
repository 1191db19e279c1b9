"""Sealed contexts: values known beforehand, every change found, no envelope stalls its reader."""

from __future__ import annotations

import base64
import copy
import functools
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from contexts.envelope import (
    CTR,
    GCM,
    MOST_ITERATIONS,
    MOST_N,
    MOST_TEXT,
    SUITES,
    NoEnvelope,
    WrongContext,
    WrongSecret,
    bound_to,
    checked,
    open_,
    seal,
)

SECRET = "protected-file"
TEXT = "[amiconfig]\nplugins=cernvm\n"
AAD = bound_to("22b13425ef7244c4b7de60dbbca64728", 3)


SCRYPT, PBKDF2 = functools.cache(hashlib.scrypt), functools.cache(hashlib.pbkdf2_hmac)


@pytest.fixture(autouse=True)
def keys_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of one secret and salt is worked out once for all tests."""
    monkeypatch.setattr("contexts.envelope.scrypt", SCRYPT)
    monkeypatch.setattr("contexts.envelope.pbkdf2_hmac", PBKDF2)


def _counting(count: int) -> bytes:
    return bytes(range(count))


GCM_SEALED = seal(TEXT, SECRET, AAD, GCM, _counting)
CTR_SEALED = seal(TEXT, SECRET, AAD, CTR, _counting)


def test_the_values_that_were_agreed_come_out() -> None:
    assert AAD == "context:22b13425ef7244c4b7de60dbbca64728:3"
    assert GCM_SEALED["ct"] == "HpkduFuCnL5E6abqmU1gNs4Y5zGmgkKN21ExTMBAF2KQmE2iLe3WKlg4hw=="
    assert CTR_SEALED["ct"] == "FJIKWnyXxhkdV9cztAUxmFX23wUTo5lY3qtb"
    assert CTR_SEALED["tag"] == "CF93TizNMcdywVHSyBZlATE9ghYulvvmvr9Tbwx4Y1A="
    assert GCM_SEALED["kdf"] == {"salt": "AAECAwQFBgcICQoLDA0ODw==", "n": 32768, "r": 8, "p": 1}
    assert CTR_SEALED["kdf"] == {"salt": "AAECAwQFBgcICQoLDA0ODw==", "iter": 600000}


@pytest.mark.parametrize("sealed", [GCM_SEALED, CTR_SEALED], ids=SUITES)
def test_what_was_sealed_is_opened_from_a_mapping_and_from_its_json(sealed: dict[str, Any]) -> None:
    assert open_(sealed, SECRET, AAD) == TEXT
    assert open_(json.dumps(sealed), SECRET, AAD) == TEXT


@pytest.mark.parametrize("suite", SUITES)
def test_any_text_and_any_secret_come_back(suite: str) -> None:
    text, secret = "umlauts äöü, 日本\n" * 3, "schlüssel-ñ"
    first, second = (seal(text, secret, AAD, suite) for _ in range(2))
    assert open_(first, secret, AAD) == text
    assert first["ct"] != second["ct"]
    assert first["kdf"]["salt"] != second["kdf"]["salt"]
    assert first["nonce"] != second["nonce"]
    assert secret not in json.dumps(first, ensure_ascii=False)


@pytest.mark.parametrize("sealed", [GCM_SEALED, CTR_SEALED], ids=SUITES)
def test_a_wrong_secret_and_another_revision_are_told_apart_from_each_other(
    sealed: dict[str, Any],
) -> None:
    with pytest.raises(WrongSecret):
        open_(sealed, "protected-filf", AAD)
    with pytest.raises(WrongContext, match=":4"):
        open_(sealed, SECRET, AAD.replace(":3", ":4"))
    lied = {**sealed, "aad": AAD.replace(":3", ":4")}
    with pytest.raises(WrongSecret):
        open_(lied, SECRET, AAD.replace(":3", ":4"))


def _flipped(text: str, at: int) -> str:
    data = bytearray(base64.b64decode(text))
    data[at] ^= 1
    return base64.b64encode(bytes(data)).decode()


def _cut(text: str) -> str:
    return base64.b64encode(base64.b64decode(text)[:-1]).decode()


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "first byte": lambda body: body.update(ct=_flipped(body["ct"], 0)),
    "last byte": lambda body: body.update(ct=_flipped(body["ct"], -1)),
    "cut off": lambda body: body.update(ct=_cut(body["ct"])),
    "nonce": lambda body: body.update(nonce=_flipped(body["nonce"], 3)),
    "salt": lambda body: body["kdf"].update(salt=_flipped(body["kdf"]["salt"], 3)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("sealed", [GCM_SEALED, CTR_SEALED], ids=SUITES)
def test_every_change_is_found(sealed: dict[str, Any], change: Callable[[Any], None]) -> None:
    body = copy.deepcopy(sealed)
    change(body)
    with pytest.raises(WrongSecret):
        open_(body, SECRET, AAD)


def test_a_changed_tag_or_cost_is_found() -> None:
    with pytest.raises(WrongSecret):
        open_({**CTR_SEALED, "tag": _flipped(CTR_SEALED["tag"], 0)}, SECRET, AAD)
    with pytest.raises(WrongSecret):
        open_({**CTR_SEALED, "kdf": {**CTR_SEALED["kdf"], "iter": 600_001}}, SECRET, AAD)


BAD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("weaker n", GCM_SEALED, {"n": 16384}),
    ("endless n", GCM_SEALED, {"n": MOST_N * 2}),
    ("n no power", GCM_SEALED, {"n": 32769}),
    ("negative n", GCM_SEALED, {"n": -32768}),
    ("n is text", GCM_SEALED, {"n": "32768"}),
    ("n is true", GCM_SEALED, {"n": True}),
    ("r", GCM_SEALED, {"r": 1}),
    ("p", GCM_SEALED, {"p": 1000}),
    ("more", GCM_SEALED, {"more": 1}),
    ("short salt", GCM_SEALED, {"salt": "AAECAw=="}),
    ("weaker iter", CTR_SEALED, {"iter": 1}),
    ("endless iter", CTR_SEALED, {"iter": MOST_ITERATIONS + 1}),
    ("iter is a fraction", CTR_SEALED, {"iter": 600000.0}),
]


@pytest.mark.parametrize(("name", "sealed", "kdf"), BAD, ids=[name for name, _, _ in BAD])
def test_parameters_beyond_their_bounds_are_refused_before_any_work(
    name: str, sealed: dict[str, Any], kdf: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **more: object) -> bytes:
        raise AssertionError("work was done for a hostile envelope")

    monkeypatch.setattr("contexts.envelope.scrypt", never)
    monkeypatch.setattr("contexts.envelope.pbkdf2_hmac", never)
    with pytest.raises(NoEnvelope):
        open_({**sealed, "kdf": {**sealed["kdf"], **kdf}}, SECRET, AAD)


@pytest.mark.parametrize(
    "envelope",
    [
        None,
        [],
        "",
        "[]",
        "{",
        b"\xff",
        {},
        {**GCM_SEALED, "v": 2},
        {**GCM_SEALED, "v": True},
        {**GCM_SEALED, "suite": CTR},
        {**GCM_SEALED, "suite": "none"},
        {**GCM_SEALED, "suite": ["none"]},
        {**GCM_SEALED, "hint": "x"},
        {**GCM_SEALED, "kdf": None},
        {**GCM_SEALED, "aad": 7},
        {**GCM_SEALED, "nonce": "AAEC"},
        {**GCM_SEALED, "ct": "?"},
        {**GCM_SEALED, "ct": "AAEC"},
        {**GCM_SEALED, "ct": "A" * (MOST_TEXT * 3)},
        {**GCM_SEALED, "ct": "\u00e4" * 24},
        {**CTR_SEALED, "tag": "AAEC"},
        {key: value for key, value in CTR_SEALED.items() if key != "tag"},
    ],
)
def test_whatever_is_no_envelope_is_refused(envelope: object) -> None:
    with pytest.raises(NoEnvelope):
        checked(envelope)


def test_a_secret_that_is_easily_guessed_and_a_text_without_end_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        seal(TEXT, "short", AAD)
    with pytest.raises(ValueError, match="too long"):
        seal("x" * (MOST_TEXT + 1), SECRET, AAD)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")
def test_an_old_guest_opens_it_with_the_openssl_command_alone() -> None:
    keys = hashlib.pbkdf2_hmac("sha256", SECRET.encode(), bytes(range(16)), 600_000, 64)
    command = ["openssl", "enc", "-d", "-aes-256-ctr", "-K", keys[:32].hex()]
    command += ["-iv", bytes(range(16)).hex()]
    data = base64.b64decode(CTR_SEALED["ct"])
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    assert done.stdout.decode() == TEXT
