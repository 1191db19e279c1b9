"""Contexts in files and side by side: JSON from anybody, secrets left out, differences."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contexts.diff import NEW_SECRET, Change, diff
from contexts.exchange import MOST_BYTES, Exchanged, NoContext, dump, load
from contexts.hiding import MASK, hidden, restored, secret_paths, stripped
from contexts.schema import Document
from tests.kit.contexts import STEADY, documents

HASH = "$6$saltsalt$" + "B" * 86
OTHER = "$6$saltsalt$" + "C" * 86
DOCUMENT: Document = {
    "users": {
        "users": [{"name": "worker", "password": HASH}, {"name": "shifter", "group": "na61"}]
    },
    "agent": {"token": "wf1.secretsecretsecret", "slots": 2},
    "hostname": {},
}


def test_a_file_without_secrets_names_them_and_has_none() -> None:
    text = dump(Exchanged(DOCUMENT, "Batch", "for <the> run"))
    assert HASH not in text
    assert "secretsecret" not in text
    read = load(text)
    assert read.name == "Batch"
    assert read.description == "for <the> run"
    assert read.left_out == ("agent.token", "users.users[worker].password")
    assert read.document == stripped(DOCUMENT)
    assert read.document["agent"] == {"token": "", "slots": 2}


@settings(STEADY, max_examples=15)
@given(document=documents())
def test_a_file_with_secrets_holds_the_whole_document(document: Document) -> None:
    text = dump(Exchanged(document, "name"), secrets=True)
    assert load(text) == Exchanged(document, "name")
    assert load(text.encode()) == Exchanged(document, "name")


def test_what_was_left_out_may_be_missing_in_what_is_left_out_again() -> None:
    once = load(dump(Exchanged(DOCUMENT)))
    assert load(dump(once)) == once


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no JSON"),
        ("[]", "no file of a context"),
        ("null", "no file of a context"),
        ("{}", "no file of a context"),
        ('{"windfall_context": 2, "context": {}}', "reads version 1"),
        ('{"windfall_context": true, "context": {}}', "reads version 1"),
        ('{"windfall_context": 1}', "mapping of parts"),
        ('{"windfall_context": 1, "context": {}, "contxt": {}}', "contxt: there is no such key"),
        ('{"windfall_context": 1, "context": {"agent": {}, "agent": {}}}', "twice"),
        ('{"windfall_context": 1, "context": {"agent": {"slots": NaN}}}', "NaN is no JSON"),
        ('{"windfall_context": 1, "context": {"agent": {"slots": 1e400}}}', "whole number"),
        ('{"windfall_context": 1, "context": {"agent": {"slots": ' + "9" * 5000 + "}}}", "no JSON"),
        ('{"windfall_context": 1, "context": ' + "[" * 100_000, "nested too deeply"),
        ('{"windfall_context": 1, "name": 7, "context": {}}', "name: this is text"),
        ('{"windfall_context": 1, "left_out": [7], "context": {}}', "left_out"),
        (b"\xff\xfe", "no JSON in UTF-8"),
        ('{"windfall_context": 1, "context": {"x": "\\ud800"}}', "no such part"),
        (" " * (MOST_BYTES + 1), "too many"),
    ],
)
def test_a_hostile_file_is_refused_with_what_is_wrong(text: str | bytes, told: str) -> None:
    with pytest.raises(NoContext, match=told) as refused:
        load(text)
    assert refused.value.faults
    str(refused.value).encode()


@settings(STEADY, max_examples=100)
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_whatever_json_is_read_or_refused_and_nothing_else(body: object) -> None:
    for text in (json.dumps(body), json.dumps({"windfall_context": 1, "context": body})):
        with contextlib.suppress(NoContext):
            load(text)


@settings(STEADY, max_examples=15)
@given(document=documents())
def test_secrets_are_masked_and_come_back(document: Document) -> None:
    assert restored(hidden(document), document) == document
    assert secret_paths(stripped(document)) == []
    assert (hidden(document) == document) == (secret_paths(document) == [])


def test_a_mask_where_there_was_no_secret_becomes_nothing() -> None:
    sent: Document = {
        "agent": {"token": MASK},
        "users": {"users": [{"name": "a", "password": MASK}]},
    }
    assert restored(sent, {}) == {
        "agent": {"token": ""},
        "users": {"users": [{"name": "a", "password": ""}]},
    }


def test_differences_are_told_by_path_and_without_secrets() -> None:
    new: Document = {
        "users": {"users": [{"name": "worker", "password": OTHER}, {"name": "guest"}]},
        "agent": {"slots": 4},
        "network": {"tuning": "wan"},
    }
    changes = {change.path: (change.before, change.after) for change in diff(DOCUMENT, new)}
    assert changes == {
        "users.users[worker].password": (MASK, NEW_SECRET),
        "users.users[shifter].name": ("shifter", None),
        "users.users[shifter].group": ("na61", None),
        "users.users[guest].name": (None, "guest"),
        "users.users (rows)": (["worker", "shifter"], ["worker", "guest"]),
        "agent.token": (MASK, None),
        "agent.slots": (2, 4),
        "hostname": (True, None),
        "network": (None, True),
        "network.tuning": (None, "wan"),
    }
    assert "BBB" not in str(changes)


def test_rows_that_cannot_be_told_apart_are_compared_as_a_whole_and_masked() -> None:
    twice: Document = {"users": {"users": [{"name": "a", "password": HASH}, {"name": "a"}]}}
    assert diff(twice, {}) == [Change("users", True, None), Change("users.users", MASK, None)]


@settings(STEADY, max_examples=15)
@given(old=documents(), new=documents())
def test_only_equal_documents_do_not_differ(old: Document, new: Document) -> None:
    assert diff(old, old) == []
    assert bool(diff(old, new)) == (old != new)
    hashes = [text for text in (HASH,) if text in str(diff(old, new))]
    assert hashes == []
