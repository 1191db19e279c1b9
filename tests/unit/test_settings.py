"""Settings: read from file, environment and options, with every fault told at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from server.accord import is_loopback
from server.cli.config import template
from server.configure import BadSettings, read
from server.settings import Settings, rules, shown


def _read(
    folder: Path,
    text: str | None = None,
    environ: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
) -> Settings:
    if text is not None:
        (folder / "windfall.toml").write_text(text)
    return read(options, environ or {}, folder=folder)


def _faults(
    folder: Path,
    text: str | None = None,
    environ: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    with pytest.raises(BadSettings) as caught:
        _read(folder, text, environ, options)
    return caught.value.faults


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = _read(tmp_path)
    assert settings.server.port == 8600
    assert settings.data == tmp_path / "windfall-data"
    assert settings.database_url == f"sqlite:///{tmp_path}/windfall-data/windfall.db"
    assert settings.blobs_url == f"file://{tmp_path}/windfall-data/blobs"
    assert settings.keys_folder == tmp_path / "windfall-data/keys"
    assert settings.admin_token == tmp_path / "windfall-data/admin.token"
    assert settings.url == "http://127.0.0.1:8600"
    assert settings.sources == {}


def test_options_stand_above_the_environment_and_that_above_the_file(tmp_path: Path) -> None:
    text = "[server]\nport = 1001\nhost = 'localhost'\n[leases]\nwindow = 5\nretry_s = 30\n"
    environ = {"WINDFALL_SERVER_PORT": "1002", "WINDFALL_LEASES_WINDOW": "6"}
    settings = _read(tmp_path, text, environ, {"server.port": "1003"})
    assert settings.server.port == 1003
    assert settings.leases.window == 6
    assert settings.leases.retry_s == 30.0
    assert settings.server.host == "localhost"
    assert settings.sources["server.port"] == "option"
    assert settings.sources["leases.window"] == "$WINDFALL_LEASES_WINDOW"
    assert settings.sources["leases.retry_s"] == f"{tmp_path}/windfall.toml:6"


def test_a_named_file_is_read_instead_of_the_usual_one(tmp_path: Path) -> None:
    (tmp_path / "windfall.toml").write_text("[server]\nport = 1001\n")
    (tmp_path / "other.toml").write_text("[server]\nport = 1002\n")
    (tmp_path / "third.toml").write_text("[server]\nport = 1003\n")
    environ = {"WINDFALL_CONFIG": "other.toml"}
    assert _read(tmp_path, environ=environ).server.port == 1002
    named = read({}, environ, config=Path("third.toml"), folder=tmp_path)
    assert named.server.port == 1003


def test_a_named_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    (fault,) = _faults(tmp_path, environ={"WINDFALL_CONFIG": "gone.toml"})
    assert "gone.toml: cannot be read" in fault
    assert "--config" in fault


def test_paths_of_the_file_start_at_its_folder_and_others_at_the_present_one(
    tmp_path: Path,
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (there / "w.toml").write_text('[server]\ndata = "d"\n[keys]\nrelease = ["a.jws", "/b.jws"]\n')
    settings = read({"keys.folder": "../k"}, {}, config=there / "w.toml", folder=here)
    assert settings.data == there / "d"
    assert settings.keys.release == (str(there / "a.jws"), "/b.jws")
    assert settings.keys_folder == tmp_path / "k"


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    text = (
        "[server]\nport = 'x'\nprot = 1\n\n[log]\nlevel = 'inof'\n"
        "[limits]\nframe_bytes = 5\nsse_listeners = true\n[lease]\nretry_s = 3\n"
    )
    faults = _faults(tmp_path, text, {"WINDFALL_LEASES_WINDOW": "many"})
    told = "\n".join(faults)
    file = tmp_path / "windfall.toml"
    assert f"{file}:2: server.port: is a whole number, without quotes, not 'x'" in told
    assert f"{file}:3: there is no setting server.prot; did you mean server.port?" in told
    assert f"{file}:6: log.level: is one of debug, info, warning, error, not 'inof'" in told
    assert "did you mean info?" in told
    assert f"{file}:8: limits.frame_bytes: is at least 1024 bytes, not 5" in told
    assert f"{file}:9: limits.sse_listeners: is a whole number, not True" in told
    assert f"{file}:11: there is no setting lease.retry_s; did you mean leases.retry_s?" in told
    assert "$WINDFALL_LEASES_WINDOW: leases.window: is a whole number, not 'many'" in told
    assert len(faults) == 7


def test_a_file_that_is_not_toml_is_told_with_its_line(tmp_path: Path) -> None:
    (fault,) = _faults(tmp_path, "[server]\nport = = 3\n")
    assert "line 2" in fault
    assert "config init" in fault


def test_a_key_outside_of_a_section_is_a_fault(tmp_path: Path) -> None:
    (fault,) = _faults(tmp_path, "\nport = 8600\n")
    assert fault.startswith(f"{tmp_path}/windfall.toml:2: port stands outside a section")
    assert "server.port" in fault


def test_an_unknown_variable_of_a_section_is_named_with_the_nearest(tmp_path: Path) -> None:
    (fault,) = _faults(tmp_path, environ={"WINDFALL_SERVER_PROT": "1"})
    assert fault.endswith("did you mean WINDFALL_SERVER_PORT?")
    others = {
        "WINDFALL_SERVER": "https://example.org",
        "WINDFALL_TOKEN_FILE": "t",
        "WINDFALL_AGENT_HOME": "/var",
        "PATH": "/bin",
    }
    assert _read(tmp_path, environ=others) == _read(tmp_path)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.2", "windfall.example.org"])
def test_plain_http_is_spoken_on_loopback_only(tmp_path: Path, host: str) -> None:
    options = {"server.host": host, "server.url": "https://windfall.example.org"}
    (fault,) = _faults(tmp_path, options=options)
    assert "server.host: plain HTTP is spoken on loopback only" in fault
    behind = {**options, "server.behind_proxy": "yes"}
    assert _read(tmp_path, options=behind).server.behind_proxy
    (tmp_path / "c.pem").touch()
    (tmp_path / "k.pem").touch()
    tls = {**options, "server.tls_cert": "c.pem", "server.tls_key": "k.pem"}
    assert _read(tmp_path, options=tls).url == "https://windfall.example.org"


def test_a_server_that_others_reach_needs_its_address(tmp_path: Path) -> None:
    options = {"server.host": "0.0.0.0", "server.behind_proxy": "true"}
    (fault,) = _faults(tmp_path, options=options)
    assert "server.url" in fault
    (fault,) = _faults(tmp_path, options={"server.url": "http://windfall.example.org"})
    assert "write it with https://" in fault


def test_certificate_and_key_come_together_and_are_there(tmp_path: Path) -> None:
    faults = _faults(tmp_path, options={"server.tls_cert": "c.pem"})
    assert any("server.tls_key: certificate and key come together" in f for f in faults)
    assert any(f"{tmp_path}/c.pem is not a file" in f for f in faults)
    (fault,) = _faults(tmp_path, options={"accounts.providers": "p.toml"})
    assert f"accounts.providers: {tmp_path}/p.toml is not a file; name the TOML file" in fault


def test_a_password_is_neither_told_nor_shown(tmp_path: Path) -> None:
    (fault,) = _faults(tmp_path, options={"database.url": "mysql://me:s3cret@db/x"})
    assert "s3cret" not in fault
    assert shown("postgresql://me:s3cret@db/x") == "postgresql://me:***@db/x"
    assert shown("postgresql://me@db/x") == "postgresql://me@db/x"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("leases.retry_s", "nan"),
        ("leases.retry_s", "inf"),
        ("server.port", "65536"),
        ("server.port", "-1"),
        ("server.port", "80.5"),
        ("server.behind_proxy", "maybe"),
        ("blobs.url", "blobs"),
        ("server.url", "windfall.example.org"),
        ("log.format", ""),
    ],
)
def test_a_value_out_of_bounds_is_refused(tmp_path: Path, key: str, value: str) -> None:
    faults = _faults(tmp_path, options={key: value})
    assert any(fault.startswith(f"option: {key}: ") for fault in faults)


def test_each_default_keeps_its_own_rule(tmp_path: Path) -> None:
    for key, _, default in rules():
        if default not in ("", ()):
            text = str(default).lower() if isinstance(default, bool) else str(default)
            section, _, name = key.partition(".")
            settings = _read(tmp_path, options={key: text})
            if name != "data":
                assert getattr(getattr(settings, section), name) == default


def test_the_template_is_the_defaults_with_and_without_its_comment_signs(tmp_path: Path) -> None:
    assert _read(tmp_path, template()) == _read(tmp_path)
    lines = [
        line.removeprefix("#") if line.startswith("#") and " = " in line else line
        for line in template().splitlines()
    ]
    known = tomllib.loads("\n".join(line for line in lines if not line.startswith("# ")))
    assert sum(len(keys) for keys in known.values()) == len(list(rules()))
    assert _read(tmp_path, "\n".join(lines)) == _read(tmp_path, "")


def test_loopback_is_known_by_name_and_number() -> None:
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "", "example.org", "10.0.0.1"))
