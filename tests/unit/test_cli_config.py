"""Settings looked over from the command line, and a database that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.command_line import Said, run


def _check(place: Path, text: str = "", *more: str) -> Said:
    file = place / "windfall.toml"
    file.write_text(f"[server]\ndata = 'data'\n{text}")
    home = {"XDG_CONFIG_HOME": str(place / "home")}
    return run("config", "check", "--config", file, *more, environ=home)


def test_the_file_that_was_read_is_named(tmp_path: Path) -> None:
    said = _check(tmp_path)
    assert said.code == 0
    assert f"read: {tmp_path}/windfall.toml" in said.out
    assert f"{tmp_path}/data/keys: is not there yet" in said.out
    assert _check(tmp_path, "", "--json").json()["file"] == f"{tmp_path}/windfall.toml"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[blobs]\nurl = 'gopher://x/y'", "known are file"),
        ("[blobs]\nurl = 'file://elsewhere/x'", "file:///and/the/path"),
        ("[keys]\nrelease = ['none.jws']", "none.jws is not a file"),
        ("url = 'windfall.example.org'", "is https://HOST"),
        ("[database]\nurl = 'mysql://x'", "postgresql://USER@HOST/NAME"),
        ("[blobs]\nurl = 'nowhere'", "is file:///FOLDER"),
    ],
)
def test_what_the_server_could_not_use_is_told(tmp_path: Path, text: str, told: str) -> None:
    said = _check(tmp_path, text)
    assert said.code == 3
    assert told in said.err


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_settings_are_shown_without_the_secrets_in_addresses(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    (tmp_path / "secret").write_text("a" * 32)
    (tmp_path / "secret").chmod(0o600)
    sets = (
        f"alerts.webhook_secret_file={tmp_path}/secret",
        "alerts.webhook=https://hooks.example/T0/B0/apple",
        "database.url=postgresql://u:pear@h/d",
    )
    said = run("config", "show", *(part for one in sets for part in ("--set", one)), *more)
    assert "https://hooks.example/***" in said.out
    assert "postgresql://u:***@h/d" in said.out
    assert "apple" not in said.out
    assert "pear" not in said.out


def test_an_address_that_cannot_be_used_is_told_without_its_secret(tmp_path: Path) -> None:
    said = _check(tmp_path, "[alerts]\nwebhook = 'ftp://hooks.example/T0/apple'")
    assert (said.code, "https://HOST" in said.err, "apple" in said.err) == (3, True, False)


def test_the_keys_are_looked_at_if_they_are_there(tmp_path: Path) -> None:
    data = tmp_path / "data"
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "home")}
    assert run("init", "--data", data, environ=environ).code == 0
    assert f"{data}/keys: its keys are good" in _check(tmp_path).out
    (data / "keys" / "work.key").unlink()
    said = _check(tmp_path)
    assert said.code == 3
    assert "no private half" in said.err


def test_init_writes_the_file_named_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    assert run("config", "init", file).code == 0
    assert "#port = 8600" in file.read_text()
    assert run("config", "check", "--config", file).code == 0
    assert run("config", "init", file).code == 3


def test_a_database_that_is_not_there_is_not_made_by_an_upgrade(tmp_path: Path) -> None:
    said = run("db", "upgrade", "--data", tmp_path / "data")
    assert said.code == 6
    assert f"{tmp_path}/data/windfall.db" in said.err
    assert not (tmp_path / "data").exists()
