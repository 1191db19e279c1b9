"""BOINC's statistics export as text: ids, credit, and names that are hostile to XML."""

from __future__ import annotations

import hashlib
from xml.etree import ElementTree

import pytest

from server.domain import boinc_stats as text


def test_the_published_id_is_the_md5_of_the_private_one_and_the_address() -> None:
    private = "0123456789abcdef0123456789abcdef"
    said = hashlib.md5(f"{private}ada@example.org".encode(), usedforsecurity=False).hexdigest()
    assert text.public_id(private, "ada@example.org") == said
    assert text.public_id(private, "") != said


def test_the_ids_of_two_computers_differ_and_tell_nothing_of_their_owners_id() -> None:
    ids = {text.host_id("ab" * 16, host, "a@b.c") for host in range(100)}
    assert len(ids) == 100
    assert text.public_id("ab" * 16, "a@b.c") not in ids


def test_a_day_of_a_core_of_one_gflops_is_two_hundred_cobblestones() -> None:
    assert text.cobblestones(86_400, 1.0) == pytest.approx(200.0)
    assert text.cobblestones(86_400, 4.0) == pytest.approx(800.0)


@pytest.mark.parametrize("name", ["<&>\"']]>", "\x00\x07\u202eevil", "Zoë Ünal", ""])
def test_no_name_breaks_the_files(name: str) -> None:
    user = text.User(7, name, 1e9, 1.5, 0.5, "c" * 32, 3)
    team = text.Team(3, name, 7, name, 1.5, 0.5, 1e9, "https://x.example/?a=1&b=2", name, "")
    host = text.Machine(9, 7, 1.5, 0.5, name, name, 1e9, 2e9, 4, 8e9, 1e10, "d" * 32)
    for made in (text.users([user], 2e9), text.teams([team], 2e9), text.hosts([host], 2e9)):
        root = ElementTree.fromstring(made)
        shown = "".join(letter for letter in name if letter.isprintable())
        named = root.findtext("*/name") or root.findtext("*/p_model") or ""
        assert named == shown
    totals = text.Totals(2e9, 1, 1, 1, 1.5, [name])
    assert ElementTree.fromstring(text.tables(totals)).tag == "tables"


def test_a_pool_without_anybody_makes_files_that_are_whole() -> None:
    assert len(ElementTree.fromstring(text.users([], 2e9))) == 0
    found = ElementTree.fromstring(text.tables(text.Totals(2e9, 0, 0, 0, 0.0, [])))
    assert [each.tag for each in found] == ["update_time", "applications", "badges"]
