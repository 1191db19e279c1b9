"""Production files, manifests and payload bundles that are not as they must be."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server import keyring
from server.cli.key import make
from server.domain import definition as definitions
from tests.kit.house import House, bundle, content_digest, house
from vmagent.wire import codec, jws, statements

DIGEST = hashlib.sha256(bundle()).hexdigest()


@pytest.fixture
async def found(tmp_path: Path) -> AsyncIterator[House]:
    """A server that has the toy payload."""
    async with house(tmp_path) as server:
        assert (await server.put_payload(bundle())).status == 201
        yield server


def manifest(found: House, text: str, **changes: Any) -> str:
    """The manifest of a file, signed after these changes."""
    value = definitions.parse(text).manifest(DIGEST, 1.0) | changes
    return found.sign(statements.MANIFEST, value)


async def refused(found: House, text: str, signed: str) -> tuple[int, str, list[str]]:
    """Create a production in vain."""
    status, said = await found.create(text, signed)
    _, listed = await found.manage("GET", "/productions")
    assert listed["productions"] == []
    return status, said["code"], said["faults"]


BAD_FILES = {
    "no TOML": ("[production\nname = 1", ["line 1:"]),
    "nothing": ("", ["production.name", "payload.name"]),
    "wrong values": (
        '[production]\nname = "A B"\nevents = 0\nunit = "x"\nseed = -1\nformat = "xml"\n',
        ["line 2:", "line 3:", "line 4:", "line 5:", "line 6:", "payload"],
    ),
    "unknown keys": ("[production]\nevent = 5\n[policies]\nquorum = 2\n", ["line 2:", "line 3:"]),
    "control characters": ('[production]\nname = "a\x00b"\n', ["line 2"]),
}


@pytest.mark.parametrize("what", BAD_FILES)
async def test_every_fault_of_a_file_is_told_at_once_with_its_line(found: House, what: str) -> None:
    text, wanted = BAD_FILES[what]
    good = manifest(found, found.definition())
    status, code, faults = await refused(found, text, good)
    assert (status, code) == (400, "bad-definition")
    for each in wanted:
        assert [fault for fault in faults if each in fault], (each, faults)


async def test_a_fault_names_what_may_stand_there(found: House) -> None:
    text = found.definition().replace('format = "lines"', 'format = "xml"')
    _, _, faults = await refused(found, text, manifest(found, found.definition()))
    assert len(faults) == 1
    assert faults[0].startswith("line 7: ")
    assert "hepmc3" in faults[0]


@pytest.mark.parametrize("signed", ["", "x", "a.b.c", "e30.e30.", "é", "." * 500])
async def test_a_manifest_that_is_no_statement_is_refused(found: House, signed: str) -> None:
    assert (await refused(found, found.definition(), signed))[:2] == (400, "unsigned")


def flipped(text: str, part: int) -> str:
    """The same statement with one character of its head, body or signature changed."""
    parts = text.split(".")
    middle = len(parts[part]) // 2
    other = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + other + parts[part][middle + 1 :]
    return ".".join(parts)


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_manifest_altered_after_it_was_signed_is_refused(found: House, part: int) -> None:
    signed = flipped(manifest(found, found.definition()), part)
    assert (await refused(found, found.definition(), signed))[:2] == (400, "unsigned")


async def test_a_manifest_signed_by_a_stranger_is_refused(found: House, tmp_path: Path) -> None:
    make("release", tmp_path / "stranger", "mine")
    key = keyring.read_private(tmp_path / "stranger" / "mine.key")
    value = definitions.parse(found.definition()).manifest(DIGEST, 1.0)
    signed = jws.sign(statements.MANIFEST, value, key)
    assert (await refused(found, found.definition(), signed))[:2] == (400, "unsigned")


async def test_a_manifest_signed_by_the_servers_own_key_is_refused(found: House) -> None:
    key = keyring.read_private(found.settings.keys_folder / "work.key")
    value = definitions.parse(found.definition()).manifest(DIGEST, 1.0)
    signed = jws.sign(statements.MANIFEST, value, key)
    assert (await refused(found, found.definition(), signed))[:2] == (400, "unsigned")


async def test_a_statement_of_another_kind_is_no_manifest(found: House) -> None:
    value = definitions.parse(found.definition()).manifest(DIGEST, 1.0)
    signed = found.sign(statements.PAYLOAD, value)
    assert (await refused(found, found.definition(), signed))[:2] == (400, "unsigned")


@pytest.mark.parametrize(
    "changes",
    [
        {"events": 999}, {"seed": 8}, {"command": ["sh", "-c", "evil"]}, {"reference": 4},
        {"inputs": {"CARD": "x"}}, {"limits": {}}, {"v": 2}, {"surprise": 1}, {"events": "1000"},
    ],
)  # fmt: skip
async def test_a_manifest_of_another_definition_is_refused(
    found: House, changes: dict[str, Any]
) -> None:
    text = found.definition()
    status, code, faults = await refused(found, text, manifest(found, text, **changes))
    assert (status, code) == (400, "bad-input")
    assert [fault for fault in faults if next(iter(changes)) in fault]


@pytest.mark.parametrize("value", [[], "x", 5, None, {}])
async def test_a_signed_value_that_is_no_manifest_is_refused(found: House, value: Any) -> None:
    signed = jws.sign(statements.MANIFEST, value, keyring.read_private(found.release))
    status, code, _ = await refused(found, found.definition(), signed)
    assert (status, code) in ((400, "unsigned"), (400, "bad-input"))


async def test_a_manifest_of_a_payload_that_is_not_here_names_the_cure(found: House) -> None:
    signed = manifest(found, found.definition(), payload="ab" * 32)
    _, code, faults = await refused(found, found.definition(), signed)
    assert code == "bad-input"
    assert "windfall payload add" in faults[0]


async def test_two_productions_of_one_name_are_one(found: House) -> None:
    text = found.definition()
    signed = manifest(found, text)
    told = await asyncio.gather(*(found.create(text, signed) for _ in range(5)))
    assert sorted(status for status, _ in told) == [201, 409, 409, 409, 409]
    assert {said["code"] for status, said in told if status == 409} == {"exists"}
    assert len(await found.rows("SELECT id FROM productions")) == 1


async def test_a_plan_creates_nothing(found: House) -> None:
    text = found.definition()
    body = {"definition": text, "manifest": manifest(found, text), "plan_only": True}
    status, plan = await found.manage("POST", "/productions", body)
    assert (status, plan["units"], plan["copies"]) == (200, 5, 2000)
    assert await found.rows("SELECT id FROM productions") == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"definition": 5, "manifest": ""}', b"\xff\xfe", b"9" * 5000]
)
async def test_a_request_that_is_no_message_is_refused(found: House, body: bytes) -> None:
    answer = await found.answer("POST", "/api/v1/productions", body, found.admin)
    assert (answer.status, answer.code) == (400, "bad-message")


async def test_a_request_larger_than_its_limit_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, **{"limits.json_bytes": "4096"}) as found:
        body = b'{"definition": "' + b"x" * 5000 + b'", "manifest": ""}'
        answer = await found.answer("POST", "/api/v1/productions", body, found.admin)
        assert (answer.status, answer.code) == (413, "too-large")

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 500):
                yield body[start : start + 500]

        answer = await found.answer("POST", "/api/v1/productions", pieces(), found.admin)
        assert (answer.status, answer.code) == (413, "too-large")


async def test_an_unknown_production_is_not_found(found: House) -> None:
    for method, path in (
        ("GET", ""), ("GET", "/tasks"), ("GET", "/output"), ("POST", "/verify"), ("POST", "/pause")
    ):  # fmt: skip
        status, said = await found.manage(method, f"/productions/nobody{path}")
        assert (status, said["code"]) == (404, "production-unknown")
    page = await found.answer("GET", "/productions/nobody")
    assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


async def test_the_same_payload_twice_is_one(found: House) -> None:
    told = await asyncio.gather(*(found.put_payload(bundle()) for _ in range(4)))
    assert {answer.status for answer in told} == {201}
    _, listed = await found.manage("GET", "/payloads")
    assert [row["digest"] for row in listed["payloads"]] == [DIGEST]


async def test_another_payload_under_a_name_that_is_taken_is_refused(found: House) -> None:
    other = bundle() + b"\0"
    digest = hashlib.sha256(other).hexdigest()
    answer = await found.put_payload(
        other, statements.PayloadStatement("toy", "1", digest, len(other))
    )
    assert (answer.status, answer.code) == (409, "exists")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"digest": "ab" * 32}, "bad-input"),
        ({"size": 5}, "bad-input"),
        ({"size": "many"}, "bad-input"),
        ({"name": 5}, "bad-input"),
    ],
)
async def test_a_payload_whose_statement_says_otherwise_is_refused(
    found: House, changes: dict[str, Any], code: str
) -> None:
    other = b"another bundle"
    digest = hashlib.sha256(other).hexdigest()
    honest = dataclasses.asdict(statements.PayloadStatement("other", "1", digest, len(other)))
    answer = await found.put_payload(other, honest | changes)
    assert (answer.status, answer.code) == (400, code)
    assert len(await found.rows("SELECT digest FROM payloads")) == 1


async def test_a_payload_with_other_bytes_than_its_address_says_is_refused(found: House) -> None:
    said = statements.PayloadStatement("other", "1", "ab" * 32, 3)
    headers = {"Windfall-Statement": found.sign(statements.PAYLOAD, said)}
    path = "/api/v1/payloads/" + "ab" * 32
    answer = await found.answer("PUT", path, b"abc", found.admin, headers)
    assert (answer.status, answer.code) == (400, "digest-mismatch")


async def test_a_payload_without_a_good_statement_is_refused(found: House) -> None:
    assert (await found.put_payload(b"x", None, statements.MANIFEST)).code == "unsigned"
    path = f"/api/v1/payloads/{hashlib.sha256(b'x').hexdigest()}"
    answer = await found.answer("PUT", path, b"x", found.admin)
    assert (answer.status, answer.code) == (400, "unsigned")


async def test_a_bundle_is_handed_out_whole_or_in_part(found: House) -> None:
    ada, body = await found.join("ada"), bundle()
    path = f"/api/v1/payloads/{DIGEST}"
    whole = await found.answer("GET", path, token=ada.token)
    assert (whole.status, whole.body) == (200, body)
    assert whole.headers["Content-Digest"] == content_digest(body)
    part = await found.answer("GET", path, token=ada.token, headers={"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, body[10:20])
    beyond = await found.answer("GET", path, token=ada.token, headers={"Range": "bytes=99999-"})
    assert (beyond.status, beyond.code) == (416, "out-of-range")
    missing = await found.answer("GET", "/api/v1/payloads/" + "0" * 64, token=ada.token)
    assert (missing.status, missing.code) == (404, "payload-unknown")
    status, said = await ada.call("GET", f"{path}/statement")
    assert (status, jws.peek(said.decode())[1]["digest"]) == (200, DIGEST)


async def test_a_manifest_is_handed_out_as_it_was_signed(found: House) -> None:
    text = found.definition()
    signed = manifest(found, text)
    await found.create(text, signed)
    ada = await found.join("ada")
    status, said = await ada.call("GET", f"/api/v1/manifests/{jws.digest(signed)}")
    assert (status, said.decode()) == (200, signed)
    status, said = await ada.call("GET", "/api/v1/manifests/" + "0" * 64)
    assert (status, said["code"]) == (404, "manifest-unknown")


async def test_a_class_for_a_manifest_nobody_runs_is_refused(found: House) -> None:
    ada = await found.join("ada")
    message = codec.plain({"manifest": "0" * 64, "digest": "1" * 64, "seconds_per_event": 1.0})
    status, said = await ada.call("POST", "/api/v1/classes", message)
    assert (status, said["code"]) == (404, "manifest-unknown")
