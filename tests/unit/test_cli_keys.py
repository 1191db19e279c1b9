"""Key commands: a server's keys from nothing, over two machines or on one, and their rotation."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from server import keyring
from tests.kit.command_line import Said, run


class Machines:
    """A person's machine and the server's, each with its own home and data folder."""

    def __init__(self, place: Path) -> None:
        self.mine, self.data = place / "mine", place / "data"
        self.mine.mkdir()
        self.environ = {"XDG_CONFIG_HOME": str(self.mine)}
        self.release = self.mine / "windfall" / "release.key"
        self.keys = self.data / "keys"

    def key(self, *args: str | Path) -> Said:
        """Run ``windfall key`` with these arguments."""
        return run("key", *args, environ=self.environ)

    def ring(self, later: float = 0.0) -> keyring.Keyring:
        """The server's keyring, so many seconds from now."""
        return keyring.load(self.keys, time.time() + later)


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    return Machines(tmp_path)


def _made(machines: Machines) -> None:
    """The commands that an empty folder asks for."""
    work = machines.keys / "work.jws"
    assert machines.key("new", "release").code == 0
    assert machines.key("new", "work", "--data", machines.data).code == 0
    assert machines.key("endorse", work, "--key", machines.release).code == 0
    release = machines.release.with_suffix(".jws")
    assert machines.key("add", release, work, "--data", machines.data).code == 0


def test_the_commands_that_an_empty_folder_asks_for_make_a_keyring(machines: Machines) -> None:
    _made(machines)
    ring = machines.ring()
    assert len(ring.statements) == 2
    assert list(ring.trusted) == [ring.root]
    assert stat.S_IMODE(machines.release.stat().st_mode) == 0o600


def test_a_release_key_is_never_put_on_the_server(machines: Machines) -> None:
    _made(machines)
    assert {path.name for path in machines.keys.iterdir()} == {
        "release.jws",
        "work.jws",
        "work.key",
    }


def test_init_does_it_all_on_one_machine_and_twice_is_no_harm(machines: Machines) -> None:
    said = run("init", "--data", machines.data, environ=machines.environ)
    assert said.code == 0
    assert str(machines.release) in said.out
    assert "off the server" in said.err
    first = machines.ring()
    again = run("init", "--data", machines.data, "--json", environ=machines.environ)
    assert again.code == 0
    assert again.json() == {
        "data": str(machines.data),
        "release": str(machines.release),
        "work": str(machines.keys / "work.key"),
    }
    assert machines.ring().statements == first.statements
    assert machines.ring().work_key.kid == first.work_key.kid


def test_init_takes_the_release_key_that_is_there(machines: Machines, tmp_path: Path) -> None:
    machines.key("new", "release", "--folder", tmp_path / "usb", "--name", "anna")
    own = keyring.read_statement(tmp_path / "usb" / "anna.jws")
    key = tmp_path / "usb" / "anna.key"
    said = run("init", "--data", machines.data, "--release-key", key, environ=machines.environ)
    assert said.code == 0
    assert machines.ring().root == own.value.kid
    assert not machines.release.exists()
    own.path.unlink()
    other = tmp_path / "other"
    again = run("init", "--data", other, "--release-key", key, environ=machines.environ)
    assert again.code == 0
    assert keyring.load(other / "keys", time.time()).root == own.value.kid


def test_a_work_key_is_rotated_with_an_overlap(machines: Machines) -> None:
    _made(machines)
    old = machines.ring().work_key.kid
    new = machines.keys / "autumn.jws"
    data = ("--data", machines.data)
    assert machines.key("new", "work", "--name", "autumn", *data).code == 0
    assert machines.ring().work_key.kid == old
    assert machines.key("endorse", new, "--key", machines.release, "--in-days", "1").code == 0
    assert machines.key("endorse", machines.keys / "work.jws", "--days", "2").code == 0
    assert machines.ring().work_key.kid == old
    day = 86_400.0
    tomorrow = machines.ring(1.5 * day)
    assert tomorrow.work_key.kid == keyring.read_statement(new).value.kid
    assert len(tomorrow.statements) == 3
    assert len(machines.ring(2.5 * day).statements) == 2


def test_a_second_release_key_is_endorsed_and_added(machines: Machines, tmp_path: Path) -> None:
    _made(machines)
    other = tmp_path / "bob"
    assert machines.key("new", "release", "--folder", other, "--name", "bob").code == 0
    alone = machines.key("add", other / "bob.jws", "--data", machines.data)
    assert alone.code == 7
    assert "do not vouch for each other" in alone.err
    assert machines.key("endorse", other / "bob.jws").code == 0
    assert machines.key("add", other / "bob.jws", "--data", machines.data).code == 0
    assert len(machines.ring().trusted) == 2
    assert not list(machines.keys.glob("bob.key"))


def test_an_unendorsed_work_key_is_not_added(machines: Machines, tmp_path: Path) -> None:
    _made(machines)
    machines.key("new", "work", "--folder", tmp_path / "w", "--name", "next")
    said = machines.key("add", tmp_path / "w" / "next.jws", "--data", machines.data)
    assert said.code == 7
    assert "windfall key endorse" in said.err
    assert not (machines.keys / "next.jws").exists()


def test_a_key_is_not_endorsed_by_itself_nor_over_another(
    machines: Machines, tmp_path: Path
) -> None:
    _made(machines)
    own = machines.release.with_suffix(".jws")
    assert "cannot endorse itself" in machines.key("endorse", own).err
    machines.key("new", "release", "--folder", tmp_path / "bob")
    said = machines.key(
        "endorse", machines.keys / "work.jws", "--key", tmp_path / "bob" / "release.key"
    )
    assert said.code == 7
    assert "endorsed by" in said.err


def test_a_new_key_goes_over_no_other(machines: Machines) -> None:
    assert machines.key("new", "release").code == 0
    before = machines.release.read_bytes()
    said = machines.key("new", "release")
    assert said.code == 7
    assert "--name" in said.err
    assert machines.release.read_bytes() == before
    assert machines.key("new", "release", "--name", "../x").code == 2


def test_list_and_show_say_how_each_key_stands(machines: Machines) -> None:
    _made(machines)
    machines.key("new", "work", "--name", "next", "--data", machines.data)
    rows = machines.key("list", "--data", machines.data, "--json").json()
    assert [(row["use"], row["standing"]) for row in rows] == [
        ("release", "valid"),
        ("work", "valid"),
        ("work", "not believed"),
    ]
    assert rows[1]["endorsed_by"] == rows[0]["kid"]
    table = machines.key("list", "--data", machines.data)
    assert rows[2]["kid"] in table.out
    shown = machines.key("show", machines.keys / "next.jws", "--json").json()
    assert shown["standing"] == "not endorsed"
    assert "UTC" in machines.key("show", machines.keys / "next.jws").out


def test_no_command_prints_a_private_key(machines: Machines) -> None:
    _made(machines)
    secret = machines.release.read_text().splitlines()[1]
    for said in (
        machines.key("list", "--data", machines.data, "--json"),
        machines.key("show", machines.release.with_suffix(".jws")),
        machines.key("show", machines.release),
    ):
        assert secret not in said.out + said.err


def test_serve_with_no_keys_says_which_commands_to_run(machines: Machines) -> None:
    said = run("serve", "--data", machines.data, "--port", "0", environ=machines.environ)
    assert said.code == 7
    assert "windfall init" in said.err
