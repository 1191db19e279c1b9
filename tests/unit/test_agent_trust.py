"""What the agent believes and what it refuses, case by case."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.kit.fake_server import Keys
from tests.kit.payload_scripts import manifest
from vmagent import trust
from vmagent.clock import ServerClock
from vmagent.errors import Untrusted
from vmagent.wire import codec, jws, merkle, messages, statements

NOW = 1_700_000_000.0
DIGEST = "c" * 64


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys()


@pytest.fixture
def pins(keys: Keys) -> trust.Pins:
    return trust.Pins.start(keys.kid(keys.release), keys.statements)


def lease_text(**changes: Any) -> str:
    value = messages.Lease(5, 1, DIGEST, 7, 0, 100, NOW, NOW + 60, "question")
    return codec.encode(replace(value, **changes)).decode()


def take(pins: trust.Pins, text: str, proof: messages.Proof | None, **asked: Any) -> messages.Lease:
    question = replace(trust.Asked(7, "question"), **asked)
    return pins.lease(text, trust.place_of(proof, 0), question, NOW)


def refused(word: str) -> Any:
    return pytest.raises(Untrusted, match=f" is {word}, ")


def test_a_good_lease_is_taken(keys: Keys, pins: trust.Pins) -> None:
    text = lease_text()
    assert take(pins, text, keys.prove([text])).last == 100


def test_every_lease_of_a_batch_has_its_own_path(keys: Keys, pins: trust.Pins) -> None:
    texts = [lease_text(task=k) for k in range(5)]
    proof = keys.prove(texts)
    asked = trust.Asked(7, "question")
    for k, text in enumerate(texts):
        assert pins.lease(text, trust.place_of(proof, k), asked, NOW).task == k
    with refused("altered"):
        pins.lease(texts[0], trust.place_of(proof, 1), asked, NOW)


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        ("expired", {"until": NOW - 1}),
        ("replayed", {"ask": "an older question"}),
        ("foreign", {"host": 8}),
        ("unreadable", {"first": 100}),
        ("unreadable", {"first": -1}),
        ("unreadable", {"manifest": "../../etc/passwd"}),
        ("unreadable", {"v": 2}),
    ],
)
def test_a_signed_lease_may_still_be_refused(
    keys: Keys, pins: trust.Pins, word: str, changes: dict[str, Any]
) -> None:
    text = lease_text(**changes)
    with refused(word):
        take(pins, text, keys.prove([text]))


def test_a_task_seen_before_is_a_replay(keys: Keys, pins: trust.Pins) -> None:
    text = lease_text()
    with refused("replayed"):
        take(pins, text, keys.prove([text]), seen=frozenset({5}))


def test_a_lease_without_a_proof_is_unsigned(pins: trust.Pins) -> None:
    with refused("unsigned"):
        take(pins, lease_text(), None)


def test_a_lease_signed_by_a_release_key_is_unsigned(keys: Keys, pins: trust.Pins) -> None:
    text = lease_text()
    with refused("unsigned"):
        take(pins, text, keys.prove([text], keys.release))


def test_an_altered_lease_is_refused(keys: Keys, pins: trust.Pins) -> None:
    text = lease_text()
    with refused("altered"):
        take(pins, text.replace('"last":100', '"last":900'), keys.prove([text]))


def test_a_proof_that_is_not_base64_is_refused(keys: Keys, pins: trust.Pins) -> None:
    text = lease_text()
    with refused("unreadable"):
        take(pins, text, replace(keys.prove([text]), signature="*"))


def test_a_manifest_is_believed_by_its_release_key_alone(keys: Keys, pins: trust.Pins) -> None:
    value = asdict(replace(manifest(), payload=DIGEST))
    text = jws.sign(statements.MANIFEST, value, keys.release)
    assert pins.manifest(text, jws.digest(text), NOW).events == 100
    with refused("altered"):
        pins.manifest(text, DIGEST, NOW)
    by_work_key = jws.sign(statements.MANIFEST, value, keys.work)
    with refused("unsigned"):
        pins.manifest(by_work_key, jws.digest(by_work_key), NOW)
    other_kind = jws.sign(statements.PAYLOAD, value, keys.release)
    with refused("foreign"):
        pins.manifest(other_kind, jws.digest(other_kind), NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": "short"},
        {"mode": "telepathy"},
        {"command": []},
        {"granule": 0},
        {"reference": 10**9},
        {"split": "commas"},
        {"environment": {"EVP_SEED": "1"}},
        {"inputs": {"../x": "y"}},
        {"limits": asdict(statements.Limits(silence_s=0))},
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(
    keys: Keys, pins: trust.Pins, changes: dict[str, Any]
) -> None:
    value = {**asdict(replace(manifest(), payload=DIGEST)), **changes}
    text = jws.sign(statements.MANIFEST, value, keys.release)
    with refused("unreadable"):
        pins.manifest(text, jws.digest(text), NOW)


def test_a_payload_statement_is_of_the_payload_asked_for(keys: Keys, pins: trust.Pins) -> None:
    value = asdict(statements.PayloadStatement("p", "1", DIGEST, 10))
    text = jws.sign(statements.PAYLOAD, value, keys.release)
    assert pins.payload(text, DIGEST, NOW).size == 10
    with refused("foreign"):
        pins.payload(text, "d" * 64, NOW)


def test_a_range_is_of_the_manifests_events_in_whole_granules() -> None:
    value = replace(manifest(events=95), granule=10)
    lease = codec.decode(lease_text(last=95), messages.Lease)
    trust.fits(lease, value)
    for first, last in ((0, 100), (5, 20), (0, 94)):
        with refused("foreign"):
            trust.fits(replace(lease, first=first, last=last), value)


def test_the_first_key_must_be_the_tokens(keys: Keys) -> None:
    with refused("foreign"):
        trust.Pins.start("0" * 16, keys.statements)
    with refused("unsigned"):
        trust.Pins.start(keys.kid(keys.release), [])


def test_a_key_is_taken_only_from_a_release_key_pinned_before(keys: Keys, pins: trust.Pins) -> None:
    stranger = Keys()
    with refused("unsigned"):
        pins.extend([*keys.statements, *stranger.statements])
    by_work = jws.sign(statements.KEY, jws.peek(stranger.statements[1])[1], keys.work)
    with refused("unsigned"):
        pins.extend([by_work])


def test_a_new_release_key_may_sign_the_next(keys: Keys, pins: trust.Pins) -> None:
    heir = Keys()
    heir_value = jws.peek(heir.statements[0])[1]
    handed_over = jws.sign(statements.KEY, heir_value, keys.release)
    grown = pins.extend([handed_over, heir.statements[1]])
    assert heir.kid(heir.work) in grown.believed("work", NOW)
    assert trust.load(trust.save(grown)) == grown


def test_an_old_key_list_takes_nothing_back(keys: Keys, pins: trust.Pins) -> None:
    ended = pins.extend([keys.state("work", keys.work, not_after=NOW - 1)])
    assert not ended.believed("work", NOW)
    assert not ended.extend(keys.statements).believed("work", NOW)
    assert not ended.extend([]).believed("work", NOW)


def test_a_key_is_believed_in_its_time_alone(keys: Keys, pins: trust.Pins) -> None:
    later = pins.extend([keys.state("work", keys.work, not_before=NOW + 3600)])
    assert not later.believed("work", NOW)
    assert later.believed("work", NOW + 3600)


def test_a_key_keeps_its_use(keys: Keys, pins: trust.Pins) -> None:
    with refused("altered"):
        pins.extend([keys.state("release", keys.work)])


def test_a_key_under_a_false_name_is_refused(keys: Keys, pins: trust.Pins) -> None:
    with refused("altered"):
        pins.extend([keys.state("work", Ed25519PrivateKey.generate(), kid="0" * 16)])


def test_pins_tampered_with_on_disk_are_not_believed(pins: trust.Pins) -> None:
    raw = trust.save(pins)
    with refused("unreadable"):
        trust.load(b"{}")
    with pytest.raises(Untrusted):
        trust.load(raw.replace(pins.root.encode(), b"0" * 16))


def test_a_token_names_its_release_key() -> None:
    assert trust.root_of(f"wf1.{'A' * 43}.0123456789abcdef") == "0123456789abcdef"
    with refused("unreadable"):
        trust.root_of("wfa_" + "A" * 43)


def test_the_tree_of_these_tests_is_the_wires() -> None:
    root, paths = merkle.tree([b"a", b"b"])
    assert merkle.root_from(b"b", 1, 2, paths[1]) == root


def test_the_servers_time_is_kept_on_our_ticks() -> None:
    ticks = [100.0]
    clock = ServerClock(lambda: ticks[0])
    assert clock.now() == 0.0
    assert not clock.known
    clock.learn(NOW, 90.0, 91.0)
    assert clock.now() == pytest.approx(NOW + 9.5)
    clock.learn(NOW + 3.0, 90.0, 99.0)
    assert clock.now() == pytest.approx(NOW + 9.5), "a slow answer does not replace a quick one"
    clock.learn(NOW + 500.0, 95.0, 100.0)
    assert clock.now() == pytest.approx(NOW + 502.5), "unless both cannot be right"
