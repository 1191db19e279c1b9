"""Files of people: what is read, and where what is wrong stands."""

from __future__ import annotations

import pytest

from server.domain import roster
from server.domain.errors import BadInput

HEAD = "name,email,role,groups,site\n"


def faults(text: str) -> list[str]:
    """What is wrong with a file."""
    with pytest.raises(BadInput) as caught:
        roster.read(text)
    return caught.value.faults


@pytest.mark.parametrize("comma", [",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_people_are_read_whatever_spreadsheet_wrote_the_file(comma: str, end: str) -> None:
    lines = (
        "\N{BYTE ORDER MARK}E-Mail;Name;Groups;Role;Site",
        "Ada@Example.org;Ada Lovelace;na61 alice na61;operator;",
        "",
        ';;;;',
        'bob@example.org;"Bob\nthe second";;;',
        'eve@example.org;Ève;;;cern',
    )  # fmt: skip
    text = end.join(lines).replace(";", comma)
    with pytest.raises(BadInput, match="line 5, name: at most 100 printable"):
        roster.read(text)
    ada, bob, eve = roster.read(text.replace("Bob\nthe second", f"Bob{comma} the second"))
    assert (ada.line, ada.email, ada.full_name) == (2, "ada@example.org", "Ada Lovelace")
    assert (ada.role, ada.groups, ada.site) == ("operator", ("na61", "alice"), "")
    assert (bob.full_name, bob.role, bob.groups) == (f"Bob{comma} the second", "volunteer", ())
    assert (eve.role, eve.site) == ("institute", "cern"), "who runs a site is of an institute"


def test_a_fault_is_told_by_the_line_in_which_its_person_begins() -> None:
    text = f'{HEAD}"Ada\nLovelace",ada@example.org\nBob,bob@example.org,emperor\n'
    assert faults(text) == [
        "line 2, name: at most 100 printable characters",
        "line 4, role: 'emperor' is none; use volunteer, institute, operator, manager, admin",
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("Ada,ada@", "line 2, email: 'ada@' is no address"),
        ("Ada,", "line 2, email: '' is no address"),
        ("Ada,a@x.org\\nBcc: b@x.org", "line 2, email"),
        ("Ada,a@x.org,,../x", "line 2, groups: '../x' is no name of a group"),
        ("Ada,a@x.org,,,a b", "line 2, site: 'a b' is no name of a site"),
        ("Ada,a@x.org,volunteer,,cern", "line 2, role: who runs a site is at least institute"),
        ("Ada,a@x.org,,,,,", "line 2: 7 values for 5 columns"),
        ('"Ada,a@x.org', "line 2: unexpected end of data"),
        ('A"d"a,"a@x.org"x', "line 2: ',' expected after"),
        (f"Ada,a@x.org,,{' '.join(f'g{n}' for n in range(21))}", "line 2, groups: 21 groups"),
    ],
)
def test_what_is_wrong_with_somebody_is_told_with_line_and_column(row: str, said: str) -> None:
    assert said in faults(f"{HEAD}{row}\n")[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file names nobody"),
        (HEAD, "the file names nobody"),
        ("name,role\nAda,admin\n", "line 1: the column email is missing"),
        ("email,phone\na@x.org,1\n", "line 1: no column 'phone'"),
        ("email,email\na@x.org,b@x.org\n", "line 1: the column email is there twice"),
        ("Ada,ada@example.org\n", "line 1: no column 'Ada'"),
        ("x" * 250_001, "at most 250000"),
        (HEAD + "".join(f"A,a{n}@x.org\n" for n in range(501)), "at most 500"),
    ],
)
def test_a_file_that_is_none_is_told_what_it_lacks(text: str, said: str) -> None:
    assert said in faults(text)[0]


def test_an_address_stands_in_a_file_once() -> None:
    text = f"{HEAD}A,a@x.org\nB,b@x.org\nC,A@X.org\n"
    assert faults(text) == ["line 4, email: a@x.org stands in line 2 too"]


def test_faults_are_told_up_to_a_bound() -> None:
    told = faults(HEAD + "A,nothing\n" * 400)
    assert (len(told), told[-1]) == (51, "and more; mend these first")
