"""Checking a document: every fault at once, each with its place, and near names for others."""

from __future__ import annotations

import dataclasses
from importlib.metadata import EntryPoint

import pytest

from contexts.check import MOST_FAULTS, check, filled
from contexts.registry import PARTS, ours, with_others


def _paths(document: object) -> list[str]:
    return [fault.path for fault in check(document)]


def test_all_faults_are_told_at_once() -> None:
    document = {
        "repositry": {},
        "users": {"users": [{"name": "Bad Name", "passwd": "x"}, {}], "shell": "/bin/fish"},
        "hostname": {"hostname": "a b"},
        "cernvm": {"snapshott": "x", "expand_root": "yes"},
    }
    faults = {fault.path: fault.text for fault in check(document)}
    assert list(faults) == [
        "repositry",
        "users.users[0].name",
        "users.users[0].passwd",
        "users.users[1].name",
        "users.shell",
        "hostname.hostname",
        "cernvm.snapshott",
        "cernvm.expand_root",
    ]
    assert "did you mean repository?" in faults["repositry"]
    assert "did you mean password?" in faults["users.users[0].passwd"]
    assert "did you mean snapshot?" in faults["cernvm.snapshott"]
    assert "/bin/bash" in faults["users.shell"]


@pytest.mark.parametrize("document", [None, [], "x", 7, {"users": []}, {1: {}}, {"users": {1: 2}}])
def test_whatever_is_no_document_is_told_so(document: object) -> None:
    assert check(document) != []


def test_a_document_of_more_parts_than_there_can_be_is_not_looked_at() -> None:
    assert len(check({f"part{number}": {} for number in range(100_000)})) == 1


def test_fields_that_are_none_are_told_up_to_a_bound_and_cost_no_more() -> None:
    assert len(check({"repository": {f"field{n}": 1 for n in range(20_000)}})) == MOST_FAULTS
    columns = {f"column{n}": "x" for n in range(2000)}
    assert len(check({"users": {"users": [columns] * 20}})) == MOST_FAULTS
    assert sum(len(part.fields) for part in PARTS.values()) < MOST_FAULTS


def test_a_secret_that_is_at_fault_is_not_repeated() -> None:
    document = {"users": {"users": [{"name": "worker", "password": "open-sesame"}]}}
    assert [fault.path for fault in check(document)] == ["users.users[0].password"]
    assert "open-sesame" not in str(check(document))


def test_a_fault_shows_little_of_a_long_value_and_no_control_characters() -> None:
    (fault,) = check({"hostname": {"hostname": "a b" * 60}})
    assert len(fault.text) < 200
    (fault,) = check({"hostname": {"hostname\x1b[31m": "a"}})
    assert "\x1b" not in fault.path + fault.text


def test_nothing_may_be_said_wherever_nothing_is_needed() -> None:
    assert check({"users": {"users": [], "shell": ""}, "hostname": {"hostname": ""}}) == []
    assert _paths({"users": {"users": "", "shell": []}}) == ["users.users", "users.shell"]


def test_defaults_fill_what_is_not_said_and_leave_what_is() -> None:
    document = filled({"repository": {}, "users": {"users": [{"name": "worker"}]}})
    assert document["repository"] == {"mode": "auto", "direct": True}
    assert document["users"]["users"] == [
        {"name": "worker", "group": "", "home": "", "password": "", "keys": ""}
    ]
    assert filled({"users": {"shell": ""}})["users"]["shell"] == ""


def test_an_address_has_numbers_that_can_be() -> None:
    document = {
        "network": {"dns": ["2001:db8::1", "999.1.1.1", ":::"]},
        "squid": {"clients": ["192.0.2.0/24", "192.0.2.1/24", "192.0.2.0/64"]},
    }
    assert _paths(document) == [
        "network.dns[1]",
        "network.dns[2]",
        "squid.clients[1]",
        "squid.clients[2]",
    ]


def test_a_choice_that_has_to_be_made_cannot_be_nothing_but_can_be_left_to_its_default() -> None:
    assert _paths({"repository": {"mode": ""}}) == ["repository.mode"]
    assert _paths({"repository": {}}) == []


def test_rules_between_fields_are_held_with_the_defaults_in_mind() -> None:
    assert _paths({"repository": {"mode": "list"}}) == ["repository.proxies"]
    assert _paths({"repository": {"proxies": ["http://a:3128"], "mode": "list"}}) == []
    assert _paths({"contextualization": {"command": "/bin/true"}}) == [
        "contextualization.command_user"
    ]


def _point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="windfall.contexts")


def test_a_broken_plug_in_is_named_and_left_out() -> None:
    others = [
        _point("gone", "there.is.no.such.module:PART"),
        _point("none", "contexts.shapes:HOST"),
        _point("twice", "contexts.parts.users:PART"),
        _point("tab", "tests.unit.test_context_check:ODD_TAB"),
        _point("good", "tests.unit.test_context_check:GOOD"),
    ]
    parts, broken = with_others(ours(), others)
    assert set(parts) == {*(part.name for part in ours()), "good"}
    assert [one.name for one in broken] == ["gone", "none", "tab", "twice"]
    assert "No module named" in broken[0].why
    assert "there is a part users already" in broken[3].why


USERS = PARTS["users"]
GOOD = dataclasses.replace(USERS, name="good")  # type: ignore[type-var]
ODD_TAB = dataclasses.replace(USERS, tab="Odd")  # type: ignore[type-var]
