"""Refusals carry their facts, and say what, the rule and the cure."""

from __future__ import annotations

import pytest

from server.domain import errors
from server.domain.definition import Faults
from server.domain.task import TaskState

SAMPLES: list[tuple[errors.Refusal, str, str]] = [
    (errors.Refusal(), "refused", "This cannot be done."),
    (
        errors.IllegalMove("task", TaskState.FAILED, "deliver"),
        "illegal-move",
        "A task that is failed cannot deliver; look at its state again, nothing was changed.",
    ),
    (errors.NotYours("task", 7), "not-yours", "The task 7 belongs to another"),
    (errors.OutsideLease(3, 9), "outside-lease", "Events [3, 9) lie outside every lease"),
    (errors.NotFound("production", 3), "production-unknown", "There is no production 3 here"),
    (errors.NotFound("token", 99, "issued-token-unknown"), "issued-token-unknown", "no token 99 "),
    (
        errors.AgentBanned("1.0.1", "it miscounts", "another than 1.0.1", 60.0),
        "agent-banned",
        "Agent 1.0.1 is banned: it miscounts; take another than 1.0.1, from",
    ),
    (errors.AccountDisabled("ada"), "account-disabled", "The account ada is disabled; ask"),
    (errors.CodeRefused(), "code-refused", "This code is not right, or was used before;"),
    (errors.HostUnmanaged(3), "host-unmanaged", "The owner of host 3 does not manage it any more;"),
    (errors.LinkOver(), "link-over", "This link is good no more: it was used, revoked, or is too"),
    (errors.NoMail(60.0), "no-mail", "No mail leaves this site now; ask those who run it"),
    (errors.PairingCollected(), "pairing-collected", "This was collected already, and its owner"),
    (errors.PairingOver(), "pairing-over", "This pairing is over: its time ran out, or it was"),
    (errors.PairingPending(), "pairing-pending", "The owner has not confirmed this machine yet;"),
    (errors.PinsLocked(60.0), "pins-locked", "Too many PINs are being guessed, so none is taken"),
    (errors.PinsMany(3), "pins-many", "You have 3 PINs open, and no more may be; use one of"),
    (errors.SignInRefused(), "sign-in-refused", "This name and this password do not belong"),
    (errors.TokenElsewhere(), "token-elsewhere", "This token is not for machines of this network;"),
    (errors.Banned(3, "it sent garbage", 60.0), "banned", "Host 3 is banned: it sent garbage;"),
    (errors.HostRevoked(3), "host-revoked", "Host 3 was revoked"),
    (
        errors.OutputNotReady("na61", "active", 5, 9),
        "output-not-ready",
        "Production na61 is active, 5 of 9 events settled: no output yet; ask again when it is",
    ),
    (errors.Exists("account", "na61"), "exists", "There is another account named na61"),
    (errors.ProductionOver(3, "done"), "production-over", "Production 3 is done"),
    (errors.TokenRefused(), "token-refused", "This token opens nothing."),
    (errors.TokenUnknown(), "token-unknown", "This token is not known here"),
    (errors.TokenUsed(), "token-used", "as often as it may be"),
    (errors.TokenExpired(), "token-expired", "has expired"),
    (errors.TokenRevoked(), "token-revoked", "was revoked"),
    (errors.TokenCloned(), "token-cloned", "started later"),
    (errors.Forbidden("manager"), "forbidden", "needs the role manager"),
    (errors.ScopeMissing("read"), "scope-missing", "the scope read"),
    (errors.NotCommanded("new-token"), "not-commanded", "not told to do that (command new-token)"),
    (errors.BadInput(["a", "b"]), "bad-input", "a; b"),
    (Faults(["line 1: x"]), "bad-definition", "line 1: x"),
    (errors.Overtaken("unit", 4), "overtaken", "The unit 4 was changed by another"),
    (errors.TooLarge(9, 5), "too-large", "At most 5 bytes are taken here, this has 9"),
    (errors.DigestMismatch("aa", "bb"), "digest-mismatch", "digest bb, not aa as was stated"),
    (errors.BadFrameRefused("it is torn"), "bad-frame", "not a frame of this production: it is t"),
    (errors.Unsigned("no key"), "unsigned", "not signed as it must be: no key"),
    (errors.Later(2), "later", "try again in 2 s"),
    (errors.TooMany(2.5), "too-many", "Too many requests; try again in 2.5 s."),
    (errors.Unavailable(30), "unavailable", "try again in 30 s."),
    (errors.DiskFull(60), "disk-full", "no room for more"),
]


@pytest.mark.parametrize(("error", "code", "text"), SAMPLES, ids=[code for _, code, _ in SAMPLES])
def test_a_refusal_has_a_word_and_a_sentence(error: errors.Refusal, code: str, text: str) -> None:
    assert error.code == code
    assert text in str(error)
    assert "{" not in str(error)


def test_every_refusal_is_sampled_and_has_a_word_of_its_own() -> None:
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.Refusal)
    }
    assert kinds == {type(error) for error, _, _ in SAMPLES} - {Faults}
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_a_message_takes_the_place_of_the_sentence() -> None:
    assert str(errors.TokenUnknown("gone")) == "gone"


def test_facts_stand_beside_the_sentence() -> None:
    assert errors.BadInput(("a", "b")).faults == ["a", "b"]
    assert errors.TooMany(2.5).retry_after == 2.5
    assert errors.NotFound("task", 5).id == 5
    assert errors.NotFound.code == "not-found"


def test_a_refusal_is_made_with_all_of_its_facts_and_no_others() -> None:
    assert str(errors.NotYours("task", id=7)) == str(errors.NotYours(id=7, kind="task"))
    for facts in ((), ("task",), ("task", 7, "more")):
        with pytest.raises(TypeError, match="NotYours is made with kind, id"):
            errors.NotYours(*facts)
    with pytest.raises(TypeError, match="made with kind, id"):
        errors.NotYours("task", kind="task")  # type: ignore[call-arg, misc]
