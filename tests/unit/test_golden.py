"""Golden samples of protocol version 1: both sides read every one, and say it again the same."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from server.handlers import schema
from server.handlers.errors import BadMessage
from server.services import frameread
from tests.kit import golden
from tools.golden import private
from vmagent import trust
from vmagent.errors import Untrusted
from vmagent.wire import codec, frames, jws, merkle, messages, statements

ROOT = Path(__file__).parent.parent.parent
NOW = 1_750_000_001.0
KINDS = pytest.mark.parametrize("name", golden.KINDS)
SHAPES = {frozenset(f.name for f in dataclasses.fields(kind)) for kind in golden.KINDS.values()}
FRAMES = {each["name"]: each for each in golden.read("frames.json")}
SIGNED = {
    statements.MANIFEST: statements.Manifest,
    statements.PAYLOAD: statements.PayloadStatement,
    statements.AGENT: statements.AgentStatement,
    statements.KEY: statements.KeyStatement,
}


def tool(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.golden", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def pins() -> trust.Pins:
    """The pins of an agent that joined with the sample's token."""
    root = trust.root_of(golden.read("EnrolRequest.json")["token"])
    return trust.Pins.start(root, golden.read("Enrolled.json")["keys"])


def test_the_samples_are_as_the_program_makes_them() -> None:
    done = tool("--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_sample_that_is_missing_altered_or_unknown_is_found(tmp_path: Path) -> None:
    assert tool("--folder", str(tmp_path)).returncode == 0
    assert tool("--check", "--folder", str(tmp_path)).returncode == 0
    (tmp_path / "Lease.json").unlink()
    (tmp_path / "Proof.json").write_text("{}\n")
    (tmp_path / "Other.json").write_text("{}\n")
    done = tool("--check", "--folder", str(tmp_path))
    assert done.returncode == 1
    for fault in ("Lease.json is missing", "Proof.json is altered", "Other.json is not made"):
        assert fault in done.stdout


def test_every_message_and_every_statement_has_a_sample() -> None:
    names = {path.name for path in golden.FOLDER.glob("*.json")}
    assert {f"{name}.json" for name in golden.KINDS} - names == set()
    kinds = {vars(statements)[name] for name in ("MANIFEST", "PAYLOAD", "AGENT", "KEY")}
    assert {path.stem for path in golden.FOLDER.glob("*.jws")} == kinds
    assert {path.stem for path in golden.FOLDER.glob("*.hex")} == set(FRAMES)


@KINDS
def test_a_sample_says_something_in_every_field(name: str) -> None:
    said = golden.read(f"{name}.json")
    assert list(said) == [f.name for f in dataclasses.fields(golden.KINDS[name])]
    usual = golden.defaults(golden.KINDS[name])
    fixed = {"v", "type"}
    assert [key for key in usual if said[key] == usual[key] and key not in fixed] == []


@KINDS
def test_both_sides_read_a_sample_alike_and_write_it_the_same(name: str) -> None:
    kind, raw = golden.KINDS[name], golden.raw(f"{name}.json")
    assert golden.by_agent(kind, raw) == golden.by_server(kind, raw) == json.loads(raw)
    assert codec.encode(codec.decode(raw, kind)) == raw
    assert schema.encode(schema.decoder(kind)(raw)) == raw


def newer(value: Any) -> Any:
    """A value with a field of a later version in every object that is a message."""
    if isinstance(value, list):
        return [newer(item) for item in value]
    if isinstance(value, dict):
        more = {"new_in_9": [{"a": None}, 1e9]} if frozenset(value) in SHAPES else {}
        return {**more, **{key: newer(item) for key, item in value.items()}}
    return value


@KINDS
def test_fields_of_a_later_version_pass_at_every_depth(name: str) -> None:
    kind, said = golden.KINDS[name], golden.read(f"{name}.json")
    raw = json.dumps(newer(said)).encode()
    assert b"new_in_9" in raw
    assert golden.by_agent(kind, raw) == golden.by_server(kind, raw) == said


@KINDS
def test_a_field_left_out_is_its_default_or_is_named(name: str) -> None:
    kind, said = golden.KINDS[name], golden.read(f"{name}.json")
    usual = golden.defaults(kind)
    for key in said:
        raw = json.dumps({k: value for k, value in said.items() if k != key}).encode()
        if key in usual:
            wanted = {**said, key: usual[key]}
            assert golden.by_agent(kind, raw) == golden.by_server(kind, raw) == wanted
        else:
            with pytest.raises(codec.BadMessage, match=rf"\.{key}: missing"):
                golden.by_agent(kind, raw)
            with pytest.raises(BadMessage, match=f"`{key}`"):
                golden.by_server(kind, raw)


@pytest.mark.parametrize("name", FRAMES)
def test_both_sides_read_a_frame_alike_and_it_is_written_the_same(name: str) -> None:
    said, raw = FRAMES[name], bytes.fromhex(golden.raw(f"{name}.hex").decode())
    records = [bytes.fromhex(record) for record in said["records"]]
    first, last, granule = said["first"], said["last"], said["granule"]
    frame = frames.decode(raw, granule)
    assert (frame.first, frame.last) == (first, last)
    assert [record for _, _, record in frame.records()] == records
    head = frameread.lengths_in(raw)
    assert head is not None
    assert head == (first, last - first, frame.lengths)
    assert list(frameread.Piece(head[2], raw).records()) == records
    assert frames.encode(first, last, records) == raw
    assert frames.digest(raw) == said["digest"]


@pytest.mark.parametrize("kind", SIGNED)
def test_a_signed_statement_verifies_and_is_signed_the_same_again(kind: str) -> None:
    text = golden.raw(f"{kind}.jws").decode()
    keys = {each["kid"]: each for each in golden.read("keys.json")}
    head, _ = jws.peek(text)
    signer = keys[head["kid"]]
    value = jws.verify(kind, text, {signer["kid"]: signer["public"]})
    whole = {**golden.defaults(SIGNED[kind]), **value}  # fields that came later are their defaults
    if "limits" in value:
        whole["limits"] = {**golden.defaults(statements.Limits), **value["limits"]}
    assert golden.by_agent(SIGNED[kind], json.dumps(value).encode()) == whole
    assert golden.by_server(SIGNED[kind], json.dumps(value).encode()) == whole
    assert jws.sign(kind, value, private(signer["name"])) == text


def test_the_key_chain_is_believed_from_its_root_and_from_no_other() -> None:
    chain = golden.read("keys.json")
    assert [each["statement"] for each in chain] == golden.read("KeyList.json")["keys"]
    held = pins()
    assert held.believed("release", NOW).keys() == {chain[0]["kid"], chain[2]["kid"]}
    assert held.believed("work", NOW).keys() == {chain[1]["kid"], chain[3]["kid"]}
    assert held.believed("work", 1.85e9).keys() == {chain[3]["kid"]}
    with pytest.raises(Untrusted):
        trust.Pins.start(chain[2]["kid"], golden.read("KeyList.json")["keys"])


def test_the_batch_has_one_root_that_every_path_leads_to_and_the_work_key_signed() -> None:
    batch = golden.read("lease-batch.json")
    proof = codec.build(batch["proof"], messages.Proof)
    texts = [text.encode() for text in batch["leases"]]
    assert [merkle.leaf_of(text).hex() for text in texts] == batch["leaves"]
    assert bytes.fromhex(batch["context"]) == merkle.CONTEXT
    for number, text in enumerate(texts):
        path = jws.unb64(proof.paths[number])
        assert merkle.root_from(text, number, proof.size, path).hex() == batch["root"]
    signed = merkle.CONTEXT + bytes.fromhex(batch["root"])
    public = pins().believed("work", NOW)[proof.key]
    jws.public_key(public).verify(jws.unb64(proof.signature), signed)


def test_an_agent_takes_the_leases_of_the_sample_and_their_manifest() -> None:
    held, reply = pins(), codec.decode(golden.raw("AskReply.json"), messages.AskReply)
    asked = trust.Asked(17, golden.read("AskRequest.json")["ask"])
    text = golden.raw("windfall.manifest.jws").decode()
    for number, lease_text in enumerate(reply.leases):
        place = trust.place_of(reply.proof, number)
        lease = held.lease(lease_text, place, asked, NOW)
        manifest = held.manifest(text, lease.manifest, NOW)
        trust.fits(lease, manifest)
        held.payload(golden.raw("windfall.payload.jws").decode(), manifest.payload, NOW)
    with pytest.raises(Untrusted, match="another question"):
        held.lease(reply.leases[0], trust.place_of(reply.proof, 0), trust.Asked(17, "other"), NOW)
