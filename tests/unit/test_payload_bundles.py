"""Payload bundles: the same bytes for the same folder, and nothing in them but plain files."""

from __future__ import annotations

import os
import shutil
import socket
import tarfile
from pathlib import Path

import pytest

from server import keyring
from server.cli import pack as packing
from server.cli.exits import BadFile
from server.cli.pack import pack
from server.cli.payload import digest_of
from tests.kit.command_line import run
from vmagent import bundles
from vmagent.wire import jws, statements


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A payload with a program, a card in a folder, an empty folder and an odd name."""
    place = tmp_path / "payload"
    (place / "cards").mkdir(parents=True)
    (place / "empty").mkdir()
    (place / "run.py").write_text("print('hello')\n")
    (place / "run.py").chmod(0o755)
    (place / "cards" / "z-pole.cmnd").write_text("Beams:eCM = 91.1876\n")
    (place / "Ünicode näme").write_bytes(bytes(range(256)) * 50)
    return place


def test_the_same_folder_is_the_same_bytes_whoever_packs_it(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "one.tar.gz")
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(folder, copy)
    for path in copy.rglob("*"):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o700 if path.is_dir() or path.name == "run.py" else 0o600)
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "run.pyc").write_bytes(b"of this machine alone")
    umask = os.umask(0o077)
    try:
        pack(copy, tmp_path / "two.tar.gz")
    finally:
        os.umask(umask)
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


def test_a_bundle_says_nothing_of_who_packed_it_and_when(folder: Path, tmp_path: Path) -> None:
    entries = pack(folder, tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "b.tar.gz") as tar:
        members = tar.getmembers()
    names = [member.name for member in members]
    assert names == [entry.name for entry in entries]
    assert names == sorted(names, key=str.encode)
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", 0)}
    modes = {member.name: member.mode for member in members}
    assert modes["run.py"] == modes["empty"] == 0o755
    assert modes["cards/z-pole.cmnd"] == 0o644
    assert (tmp_path / "b.tar.gz").read_bytes()[4:8] == b"\0\0\0\0"


def test_an_agent_unpacks_what_was_packed(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "b.tar.gz")
    bundles.unpack(tmp_path / "b.tar.gz", tmp_path / "there")
    for path in folder.rglob("*"):
        twin = tmp_path / "there" / path.relative_to(folder)
        assert twin.is_dir() if path.is_dir() else twin.read_bytes() == path.read_bytes()
    assert os.access(tmp_path / "there" / "run.py", os.X_OK)


def test_links_and_other_things_are_refused_by_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "cards" / "link").symlink_to("z-pole.cmnd")
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    there = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(folder)  # a socket has a short path only
    there.bind("socket")
    there.close()
    with pytest.raises(BadFile) as caught:
        pack(folder, tmp_path / "b.tar.gz")
    assert caught.value.faults == [
        "cards/link: a link; put the file itself in its place",
        "linked: a link; put the file itself in its place",
        "pipe: neither a file nor a folder; take it out",
        "socket: neither a file nor a folder; take it out",
    ]
    assert not (tmp_path / "b.tar.gz").exists()


def test_a_bundle_inside_its_own_folder_is_refused(folder: Path) -> None:
    with pytest.raises(BadFile, match="inside the folder it packs"):
        pack(folder, folder / "b.tar.gz")


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hollow" / "deep").mkdir(parents=True)
    with pytest.raises(BadFile, match="there is no file in it"):
        pack(tmp_path / "hollow", tmp_path / "b.tar.gz")
    with pytest.raises(BadFile, match="not a folder"):
        pack(tmp_path / "nothing", tmp_path / "b.tar.gz")


def test_what_no_agent_would_unpack_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert packing.FILES_MOST == bundles.FILES_MOST
    assert packing.UNPACKED_MOST == bundles.UNPACKED_MOST
    monkeypatch.setattr(packing, "FILES_MOST", 4)
    with pytest.raises(BadFile, match="agents unpack at most"):
        pack(folder, tmp_path / "b.tar.gz")


def test_pack_and_sign_say_what_they_made(folder: Path, tmp_path: Path) -> None:
    key = tmp_path / "release.key"
    public = keyring.public_of(keyring.new_private(key))
    bundle = tmp_path / "toy-1.2.tar.gz"
    packed = run("payload", "pack", folder, "-o", bundle, "--json")
    assert packed.code == 0
    assert packed.json() == {
        "file": str(bundle),
        "digest": digest_of(bundle),
        "size": bundle.stat().st_size,
        "files": 3,
    }
    signed = run("payload", "sign", bundle, "--key", key)
    assert signed.code == 0
    text = (tmp_path / "toy-1.2.jws").read_text().strip()
    value = jws.verify(statements.PAYLOAD, text, {jws.key_id(public): public})
    assert (value["name"], value["version"]) == ("toy", "1.2")
    assert (value["digest"], value["size"]) == (digest_of(bundle), bundle.stat().st_size)


@pytest.mark.parametrize(
    ("name", "args", "told"),
    [
        ("toy.tar.gz", [], "use --version"),
        ("To y-1.tar.gz", [], "use --name"),
        ("toy-1.tar.gz", ["--name", "../x"], "use --name"),
    ],
)
def test_a_payload_without_a_good_name_and_version_is_not_signed(
    tmp_path: Path, name: str, args: list[str], told: str
) -> None:
    keyring.new_private(tmp_path / "release.key")
    (tmp_path / name).write_bytes(b"bundle")
    said = run("payload", "sign", tmp_path / name, "--key", tmp_path / "release.key", *args)
    assert said.code == 2
    assert told in said.err
    assert list(tmp_path.glob("*.jws")) == []


def test_signing_needs_a_release_key(tmp_path: Path) -> None:
    (tmp_path / "toy-1.tar.gz").write_bytes(b"bundle")
    said = run(
        "payload", "sign", tmp_path / "toy-1.tar.gz", environ={"XDG_CONFIG_HOME": str(tmp_path)}
    )
    assert said.code == 7
    assert "windfall key new release" in said.err
