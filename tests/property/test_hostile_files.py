"""Files that others wrote, or whose words others chose: read whole or refused, written whole."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

from hypothesis import given, seed, settings
from hypothesis import strategies as st

from server.domain import boinc_stats, roster
from server.domain.errors import BadInput
from server.domain.people import is_of_one_alphabet, looks_like
from server.domain.roles import ROLES
from server.domain.spreadsheet import FORMULA, as_csv

TEXT = st.text(max_size=40)
CELL = st.one_of(
    TEXT,
    st.sampled_from(["ada@example.org", "email", "name", "site", "volunteer", '"', "a,b", ";", ""]),
)
ROSTER = st.one_of(
    st.text(max_size=300),
    st.lists(st.lists(CELL, max_size=6).map(",".join), max_size=8).map(
        lambda lines: "\n".join(["name,email,role,groups,site", *lines])
    ),
)
NAME = TEXT.filter(str.isprintable)


@seed(8)
@settings(max_examples=300, deadline=None, database=None)
@given(ROSTER)
def test_any_file_names_people_or_is_refused_with_its_faults(text: str) -> None:
    found: list[roster.Newcomer] = []
    try:
        found = roster.read(text)
    except BadInput as refusal:
        told = refusal.faults
    else:
        told = []
        assert found
        assert len({one.email for one in found}) == len(found)
        assert all(one.full_name.isprintable() and one.role in ROLES for one in found)
    assert told or found


@seed(9)
@settings(max_examples=200, deadline=None, database=None)
@given(TEXT, TEXT)
def test_any_words_make_files_for_statistics_sites_that_are_whole(name: str, words: str) -> None:
    team = boinc_stats.Team(3, name, 0, words, 1.5, 0.5, 1e9, words, name, words)
    host = boinc_stats.Machine(9, 7, 1.5, 0.5, name, words, 1e9, 2e9, 4, 8e9, 1e10, "d" * 32)
    user = boinc_stats.User(7, name, 1e9, 1.5, 0.5, "c" * 32)
    totals = boinc_stats.Totals(1e9, 1, 1, 1, 1.0, [name, words])
    for made, entries in (
        (boinc_stats.users([user], 2e9), 1), (boinc_stats.teams([team], 2e9), 1),
        (boinc_stats.hosts([host], 2e9), 1), (boinc_stats.tables(totals), 7),
    ):  # fmt: skip
        assert len(ElementTree.fromstring(made.encode())) == entries


@seed(10)
@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(st.lists(TEXT, min_size=2, max_size=4), max_size=5))
def test_any_table_is_read_again_as_it_was_and_runs_nothing(rows: list[list[str]]) -> None:
    again = list(csv.reader(io.StringIO(as_csv(rows), newline="")))
    assert [len(row) for row in again] == [len(row) for row in rows]
    for row, was in zip(again, rows, strict=True):
        for cell, text in zip(row, was, strict=True):
            assert cell in (text, f"'{text}")
            assert not cell.startswith(FORMULA) or cell.lstrip("-")[0].isdigit()


@seed(11)
@settings(max_examples=200, deadline=None, database=None)
@given(NAME)
def test_a_name_looks_like_itself_however_it_is_written(name: str) -> None:
    assert looks_like(name) == looks_like(looks_like(name))
    assert looks_like(f" {name}. ") == looks_like(name)
    assert isinstance(is_of_one_alphabet(name), bool)
