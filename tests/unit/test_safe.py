"""Secrets in the database: they open with their key, for what they are of, and for nothing else."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from server import safefile
from server.keyring import KeyTrouble
from server.services.safe import NotOpened, Safe

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_secret_comes_back_and_is_never_stored_in_clear_or_twice_alike() -> None:
    safe = Safe([OLD])
    first, second = safe.close(b"pool password", "context 1"), safe.close(b"pool password", "x")
    assert safe.open(first, "context 1") == b"pool password"
    assert b"pool" not in first
    assert first[4:] != second[4:]


def test_a_secret_that_was_moved_to_another_row_does_not_open() -> None:
    safe = Safe([OLD])
    with pytest.raises(NotOpened, match="context 2"):
        safe.open(safe.close(b"secret", "context 1"), "context 2")


@pytest.mark.parametrize("place", [0, 5, 20, -1])
def test_a_secret_with_one_bit_changed_does_not_open(place: int) -> None:
    safe = Safe([OLD])
    closed = bytearray(safe.close(b"secret", "x"))
    closed[place] ^= 1
    with pytest.raises(NotOpened):
        safe.open(bytes(closed), "x")


@pytest.mark.parametrize("torn", [b"", b"abc", b"\0" * 16])
def test_what_is_no_secret_does_not_open(torn: bytes) -> None:
    with pytest.raises(NotOpened):
        Safe([OLD]).open(torn, "x")


def test_after_a_new_key_old_secrets_open_and_new_ones_use_the_new_key() -> None:
    closed = Safe([OLD]).close(b"secret", "x")
    both = Safe([NEW, OLD])
    assert both.open(closed, "x") == b"secret"
    assert Safe([NEW]).open(both.close(b"secret", "x"), "x") == b"secret"
    with pytest.raises(NotOpened):
        Safe([NEW]).open(closed, "x")


def test_digests_differ_by_key_and_use_and_are_the_same_each_time() -> None:
    safe = Safe([OLD])
    assert safe.digest("1234", "pin") == Safe([OLD]).digest("1234", "pin")
    assert len({safe.digest("1234", "pin"), safe.digest("1234", "board"),
                Safe([NEW]).digest("1234", "pin")}) == 3  # fmt: skip


def test_the_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "at-rest.key"
    closed = safefile.read(path).close(b"secret", "x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert safefile.read(path).open(closed, "x") == b"secret"
    assert [each.name for each in tmp_path.iterdir()] == ["at-rest.key"]


def test_a_file_that_others_can_read_or_that_is_none_is_refused_with_a_cure(tmp_path: Path) -> None:
    path = tmp_path / "at-rest.key"
    path.write_bytes(base64.b64encode(OLD))
    path.chmod(0o640)
    with pytest.raises(KeyTrouble, match="chmod 600"):
        safefile.read(path)
    path.chmod(0o600)
    for text in (b"", b"\n", b"c2hvcnQ=\n", b"not base64 at all"):
        path.write_bytes(text)
        with pytest.raises(KeyTrouble, match=r"at-rest\.key"):
            safefile.read(path)
