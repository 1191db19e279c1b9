"""Keys: files that others cannot read, and a chain of statements that agents can follow."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server import keyring
from server.keyring import KeyTrouble
from vmagent import trust
from vmagent.wire import jws, statements

NOW = 1_000_000.0


@dataclass(frozen=True)
class Folder:
    """A folder of keys that a test fills."""

    path: Path

    def key(self, name: str) -> Ed25519PrivateKey:
        """A new private key with this name."""
        return keyring.new_private(self.path / f"{name}.key")

    def state(
        self,
        name: str,
        use: str,
        key: Ed25519PrivateKey,
        by: Ed25519PrivateKey,
        start: float = 1.0,
        end: float | None = None,
    ) -> Path:
        """The statement of a key, signed by another."""
        path = self.path / f"{name}.jws"
        path.write_text(keyring.state(use, keyring.public_of(key), by, start, end) + "\n")
        return path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "keys")


def _kid(key: Ed25519PrivateKey) -> str:
    return jws.key_id(keyring.public_of(key))


def _usual(folder: Folder) -> tuple[Ed25519PrivateKey, Ed25519PrivateKey]:
    release, work = folder.key("release"), folder.key("work")
    folder.state("release", "release", release, release)
    folder.state("work", "work", work, release, 2.0)
    return release, work


def test_a_private_key_is_for_its_owner_alone_and_never_written_over(folder: Folder) -> None:
    private = folder.key("work")
    path = folder.path / "work.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert keyring.public_of(keyring.read_private(path)) == keyring.public_of(private)
    with pytest.raises(KeyTrouble, match="never written over"):
        folder.key("work")


def test_a_private_key_that_others_may_read_is_refused(folder: Folder) -> None:
    folder.key("work")
    path = folder.path / "work.key"
    path.chmod(0o640)
    with pytest.raises(KeyTrouble, match="chmod 600"):
        keyring.read_private(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN PRIVATE KEY-----\nxx\n"])
def test_a_file_that_holds_no_key_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(KeyTrouble, match=r"x\.key: not a private key"):
        keyring.read_private(path)


def test_a_keyring_signs_with_its_work_key_and_believes_its_release_key(folder: Folder) -> None:
    release, work = _usual(folder)
    ring = keyring.load(folder.path, NOW)
    assert ring.work_key.kid == _kid(work)
    assert keyring.public_of(ring.work_key.private) == keyring.public_of(work)
    assert ring.trusted == {_kid(release): keyring.public_of(release)}
    assert ring.root == _kid(release)
    assert [jws.peek(text)[1]["use"] for text in ring.statements] == ["release", "work"]


def test_an_agent_follows_the_chain_that_a_keyring_lists(folder: Folder) -> None:
    release, work = _usual(folder)
    second, later = folder.key("second"), folder.key("later")
    # The newer keys have names and times that would put them in front of what vouches for them.
    folder.state("a-second", "release", second, release, 0.5)
    folder.state("a-later", "work", later, second, 0.25)
    ring = keyring.load(folder.path, NOW)
    pins = trust.Pins.start(ring.root, list(ring.statements))
    assert set(pins.believed("release", NOW)) == {_kid(release), _kid(second)}
    assert set(pins.believed("work", NOW)) == {_kid(work), _kid(later)}


def test_an_empty_folder_says_which_commands_to_run(tmp_path: Path) -> None:
    with pytest.raises(keyring.NoKeys) as caught:
        keyring.load(tmp_path / "none", NOW)
    for command in (
        "windfall init",
        "windfall key new release",
        "windfall key new work",
        "windfall key endorse work.jws\n",
        "windfall key add release.jws work.jws",
    ):
        assert command in str(caught.value)


def test_work_keys_overlap_and_the_newest_valid_one_signs(folder: Folder) -> None:
    release, old = _usual(folder)
    new, coming = folder.key("new"), folder.key("coming")
    folder.state("work", "work", old, release, 2.0, NOW + 100)
    folder.state("new", "work", new, release, NOW - 10)
    folder.state("coming", "work", coming, release, NOW + 50)
    listed = {_kid(release), _kid(old), _kid(new), _kid(coming)}

    before = keyring.load(folder.path, NOW)
    assert before.work_key.kid == _kid(new)
    assert _listed(before) == listed

    during = keyring.load(folder.path, NOW + 60)
    assert during.work_key.kid == _kid(coming)
    assert _listed(during) == listed

    after = keyring.load(folder.path, NOW + 100)
    assert _listed(after) == listed - {_kid(old)}


def _listed(ring: keyring.Keyring) -> set[str]:
    return {str(jws.peek(text)[1]["kid"]) for text in ring.statements}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ("own", "not endorsed yet"),
        ("over", "not valid today"),
        ("coming", "not valid today"),
        ("stranger", "which is no release key here"),
        ("half", "no private half"),
    ],
)
def test_a_work_key_that_cannot_sign_is_told_with_the_reason(
    folder: Folder, spoil: str, why: str
) -> None:
    release, work = _usual(folder)
    match spoil:
        case "own":
            folder.state("work", "work", work, work)
        case "over":
            folder.state("work", "work", work, release, 1.0, NOW)
        case "coming":
            folder.state("work", "work", work, release, NOW + 1)
        case "stranger":
            folder.state("work", "work", work, Ed25519PrivateKey.generate())
        case _:
            (folder.path / "work.key").unlink()
    with pytest.raises(keyring.NoWorkKey, match=why) as caught:
        keyring.load(folder.path, NOW)
    assert "work.jws" in str(caught.value)
    assert "windfall key endorse" in str(caught.value)


def test_a_release_key_that_is_over_stays_listed_but_is_believed_no_longer(folder: Folder) -> None:
    release, work = _usual(folder)
    folder.state("release", "release", release, release, 1.0, NOW)
    ring = keyring.load(folder.path, NOW)
    assert _listed(ring) == {_kid(release), _kid(work)}
    assert ring.trusted == {}


def test_two_release_keys_that_do_not_vouch_for_each_other_are_refused(folder: Folder) -> None:
    _usual(folder)
    other = folder.key("other")
    path = folder.state("other", "release", other, other)
    with pytest.raises(KeyTrouble, match="do not vouch for each other"):
        keyring.load(folder.path, NOW)
    path.unlink()
    assert keyring.load(folder.path, NOW).statements


def test_an_endorsed_release_key_may_keep_its_own_statement_beside(folder: Folder) -> None:
    release, _ = _usual(folder)
    other = folder.key("other")
    folder.state("other", "release", other, other)
    folder.state("other-endorsed", "release", other, release)
    ring = keyring.load(folder.path, NOW)
    assert ring.root == _kid(release)
    assert set(ring.trusted) == {_kid(release), _kid(other)}
    assert trust.Pins.start(ring.root, list(ring.statements)).keys


def test_further_statements_are_read_from_other_places(folder: Folder, tmp_path: Path) -> None:
    release, _ = _usual(folder)
    other = Ed25519PrivateKey.generate()
    extra = tmp_path / "other.jws"
    extra.write_text(keyring.state("release", keyring.public_of(other), release, 1.0))
    assert _kid(other) not in keyring.load(folder.path, NOW).trusted
    assert _kid(other) in keyring.load(folder.path, NOW, [extra]).trusted


def test_a_forged_endorsement_is_refused(folder: Folder) -> None:
    release, work = _usual(folder)
    path = folder.path / "work.jws"
    forger = Ed25519PrivateKey.generate()
    head, _, _ = path.read_text().strip().split(".")
    _, value, _ = keyring.state("work", keyring.public_of(work), forger, 1.0).split(".")
    signed = f"{head}.{value}"
    path.write_text(f"{signed}.{jws.b64(forger.sign(signed.encode()))}")
    assert keyring.read_statement(path).signer == _kid(release)
    with pytest.raises(KeyTrouble, match=r"work\.jws: its signature by key .* does not fit"):
        keyring.load(folder.path, NOW)


@pytest.mark.parametrize(
    "value",
    [
        {"use": "work", "kid": "0" * 16, "public": "A" * 43},
        {"use": "admin", "kid": "66687aadf862bd77", "public": "A" * 43},
        {"use": "work", "kid": "0" * 16, "public": "!"},
        {"use": "work"},
    ],
)
def test_a_statement_that_does_not_fit_its_key_is_named(
    tmp_path: Path, value: dict[str, str]
) -> None:
    path = tmp_path / "x.jws"
    path.write_text(jws.sign(statements.KEY, value, Ed25519PrivateKey.generate()))
    with pytest.raises(KeyTrouble, match=r"x\.jws: not the statement of a key"):
        keyring.read_statement(path)


@pytest.mark.parametrize("text", ["", "a.b.c", "é", "x" * 70_000])
def test_a_file_that_is_no_statement_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.jws"
    path.write_text(text)
    with pytest.raises(KeyTrouble, match=r"x\.jws: "):
        keyring.read_statement(path)
