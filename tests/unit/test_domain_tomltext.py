"""The lines of keys, in every way TOML lets one write them."""

from __future__ import annotations

import tomllib

from server.domain.tomltext import key_lines

TEXT = '''# [no.table]
top = 1
dotted.key = 2 ; "quoted.key" = 3

[a]  # [b]
x = """
[c]
y = 1 \\"""
""""
list = [
  "]", # ]
  { y = 1 },
]
"esc\\u0061pe" = 4
[ a . 'd e' ]
f = \'\'\'
g = 1
\'\'\'
inline = { h = [1, {i = 2}] }
[[many]]
k = 1
[[many]]
k = 2'''.replace(" ; ", "\n")


def test_every_table_and_key_is_found_on_its_line() -> None:
    tomllib.loads(TEXT)
    assert key_lines(TEXT) == {
        ("top",): 2,
        ("dotted",): 3,
        ("dotted", "key"): 3,
        ("quoted.key",): 4,
        ("a",): 6,
        ("a", "x"): 7,
        ("a", "list"): 11,
        ("a", "escape"): 15,
        ("a", "d e"): 16,
        ("a", "d e", "f"): 17,
        ("a", "d e", "inline"): 20,
        ("many",): 21,
        ("many", "k"): 22,
    }


def test_lines_that_end_in_carriage_returns_are_counted_alike() -> None:
    assert key_lines(TEXT.replace("\n", "\r\n")) == key_lines(TEXT)
