"""What signing by hand refuses: the wrong key, the wrong file, the wrong place for a statement."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from server import keyring
from tests.kit.command_line import Said, run

PART = "vmagent/__main__.py"


class Desk:
    """A person with a release key, a work key and one file of each kind."""

    def __init__(self, place: Path) -> None:
        self.place, self.data = place, place / "data"
        self.environ = {"XDG_CONFIG_HOME": str(place)}
        self.release = place / "windfall" / "release.key"
        self.agent, self.bundle = place / "agent.pyz", place / "toy-1.tar.gz"
        (place / "toy").mkdir()
        (place / "toy" / "toy.sh").write_text("exit 0")
        assert self.run("key", "new", "release").code == 0
        assert self.run("key", "new", "work", "--folder", place / "for-server").code == 0
        assert self.run("payload", "pack", place / "toy", "-o", self.bundle).code == 0
        with zipfile.ZipFile(self.agent, "w") as archive:
            archive.writestr(PART, "")

    def run(self, *args: str | Path) -> Said:
        """Run a command in this person's home."""
        return run(*args, environ=self.environ)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_work_key_signs_nothing_and_leaves_the_good_statement(desk: Desk) -> None:
    work = desk.place / "for-server" / "work.key"
    for group, file in (("agent", desk.agent), ("payload", desk.bundle)):
        assert desk.run(group, "sign", file).code == 0
        statement = desk.place / f"{file.name.partition('.')[0]}.jws"
        good = statement.read_text()
        said = desk.run(group, "sign", file, "--key", work)
        assert said.code == 7
        assert str(work) in said.err
        assert "work key" in said.err
        assert statement.read_text() == good


def test_a_manifest_is_not_signed_with_a_work_key_nor_a_key_endorsed(desk: Desk) -> None:
    work = desk.place / "for-server" / "work.key"
    assert desk.run("payload", "sign", desk.bundle).code == 0
    file = desk.place / "run.toml"
    file.write_text(
        '[production]\nname = "toy"\nevents = 10\nunit = 10\nseed = 1\nformat = "lines"\n'
        '[payload]\nname = "toy"\nversion = "1"\ncommand = ["sh", "toy.sh"]\n'
    )
    signing = ("--payload", desk.place / "toy-1.jws", "--key")
    assert desk.run("production", "sign", file, *signing, work).code == 7
    assert not file.with_suffix(".jws").exists()
    assert desk.run("production", "sign", file, *signing, desk.release).code == 0
    assert desk.run("key", "endorse", desk.release.with_suffix(".jws"), "--key", work).code == 7


def test_a_statement_is_not_written_over_one_of_another_kind(desk: Desk) -> None:
    statement = desk.release.with_suffix(".jws")
    before = statement.read_text()
    said = desk.run("payload", "sign", desk.bundle, "-o", statement)
    assert said.code == 2
    assert "windfall.key" in said.err
    assert statement.read_text() == before


def test_only_a_packed_agent_is_signed_and_published(desk: Desk) -> None:
    other = desk.place / "other.pyz"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("__main__.py", "")
    text = desk.place / "notes.txt"
    text.write_text("not a zip file")
    for file in (other, text):
        for verb in ("sign", "publish"):
            said = desk.run("agent", verb, file)
            assert said.code == 3
            assert f"{file}: not a packed agent" in said.err
        assert not file.with_suffix(".jws").exists()
    missing = desk.run("agent", "publish", desk.place / "nope.pyz")
    assert missing.code == 3
    assert "nope.pyz: No such file" in missing.err


def test_publish_says_which_data_folder_it_looked_at(desk: Desk) -> None:
    assert desk.run("agent", "sign", desk.agent).code == 0
    said = desk.run("agent", "publish", desk.agent, "--data", desk.data)
    assert said.code == 3
    assert str(desk.data) in said.err
    assert "--data" in said.err
    assert desk.run("init", "--data", desk.data).code == 0
    assert desk.run("agent", "publish", desk.agent, "--data", desk.data).code == 0
    assert (desk.data / "agent" / "windfall-agent.pyz").is_file()


@pytest.mark.parametrize("kind", ["text", "cut", "tar", "empty"])
def test_only_a_gzipped_tar_is_signed_as_a_payload(desk: Desk, kind: str) -> None:
    file = desk.place / "bad-1.tar.gz"
    if kind == "text":
        file.write_text("#!/bin/sh")
    elif kind == "cut":
        file.write_bytes(desk.bundle.read_bytes()[:-20])
    else:
        with tarfile.open(file, "w" if kind == "tar" else "w:gz") as archive:
            if kind == "tar":
                archive.add(desk.place / "toy" / "toy.sh", "toy.sh")
    said = desk.run("payload", "sign", file)
    assert said.code == 3
    assert f"{file}: not a payload bundle" in said.err
    assert not (desk.place / "bad-1.jws").exists()


def test_a_work_key_added_without_its_private_half_is_warned_of(desk: Desk) -> None:
    work = desk.place / "for-server" / "work.jws"
    endorsed = desk.run("key", "endorse", work)
    assert "work.key" in endorsed.out
    statements = (desk.release.with_suffix(".jws"), work)
    said = desk.run("key", "add", *statements, "--data", desk.data)
    assert said.code == 0
    assert "copy work.key there" in said.err
    key = desk.data / "keys" / "work.key"
    key.write_bytes(work.with_suffix(".key").read_bytes())
    key.chmod(0o600)
    again = desk.run("key", "add", work, "--data", desk.data)
    assert again.err == ""
    assert keyring.read_private(key) is not None
