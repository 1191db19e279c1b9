"""Versions of the agent: which comes first, and what a ban covers."""

from __future__ import annotations

import pytest

from server.domain.versions import Span, order


def test_versions_are_ordered_as_people_read_them() -> None:
    told = ["0.9", "0.9.1", "0.10.0rc1", "0.10", "1.0.dev1", "1.0.0", "1.0.1", "10.0"]
    assert sorted(told, key=lambda text: order(text) or ((), False, "")) == told
    assert order("1.2") == order("1.2.0")
    for text in ("", "v1", "1..2", "1.", ".1", "1" * 9, "१.२"):
        assert order(text) is None, text


@pytest.mark.parametrize(
    ("span", "covered", "others"),
    [
        ("1.4.0", ("1.4.0", "1.4"), ("1.4.1", "1.4.0rc1", "", "nightly")),
        ("<1.4.0", ("1.3.9", "0.1", "1.4.0rc2", "", "nightly"), ("1.4", "1.4.0", "1.10.0", "2.0")),
    ],
)
def test_a_ban_covers_one_version_or_all_before_one(
    span: str, covered: tuple[str, ...], others: tuple[str, ...]
) -> None:
    found = Span.of(span)
    assert found.text == span
    assert [version for version in covered if not found.covers(version)] == []
    assert [version for version in others if found.covers(version)] == []
