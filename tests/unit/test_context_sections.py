"""What parts write for amiconfig and the boot loader, trap by trap."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import pytest

from contexts.check import check, filled
from contexts.part import Machine, Pieces
from contexts.registry import PARTS
from contexts.schema import Document

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
HASH = "$6$saltsalt$" + "B" * 86


def _pieces(name: str, **values: Any) -> Pieces:
    document: Document = {name: values}
    assert check(document) == []
    return PARTS[name].pieces(filled(document)[name], Machine(server="https://pool.example.org"))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


SECTIONS: list[tuple[str, dict[str, Any], str, dict[str, str]]] = [
    ("users", {"users": [{"name": "a"}]}, "cernvm", {"users": "a:users:"}),
    (
        "users",
        {"users": [{"name": "a", "group": "g", "password": HASH}, {"name": "b"}]},
        "cernvm",
        {"users": f"a:g:{HASH},b:users:"},
    ),
    ("repository", {"mode": "direct"}, "cernvm", {"proxy": '"DIRECT"'}),
    (
        "repository",
        {"mode": "list", "proxies": ["http://a:3128|http://b:3128", "http://c:3128"]},
        "cernvm",
        {"proxy": '"http://a:3128|http://b:3128;http://c:3128;DIRECT"'},
    ),
    (
        "repository",
        {"mode": "list", "proxies": ["http://a:3128"], "direct": False},
        "cernvm",
        {"proxy": '"http://a:3128"'},
    ),
    (
        "repository",
        {"extra": [{"name": "d.example.org", "server": "s:8000", "key": PEM}]},
        "cernvm",
        {"extra_repositories": f"d.example.org|s:8000|{_b64(PEM.encode())}"},
    ),
    (
        "contextualization",
        {"environment": ["A=1", "B=x y", "C=1,2", "D=a=b", "E=$(id)"]},
        "cernvm",
        {"environment": "A=1"},
    ),
    (
        "contextualization",
        {"command": "/bin/run --now", "command_user": "worker"},
        "cernvm",
        {"contextualization_command": '"worker:/bin/run --now"'},
    ),
    (
        "cernvm",
        {"start_x": True, "auto_login": False, "screen": "1024x768"},
        "cernvm",
        {"startXDM": "on", "auto_login": "off", "screenRes": "1024x768"},
    ),
    (
        "x509",
        {"user": "a", "cert": PEM},
        "cernvm",
        {"x509-user": "a", "x509-cert": _b64(PEM.encode())},
    ),
    (
        "condor",
        {"master": "h", "secret": "s3cr3t", "use_ips": True, "allow_write": ["*.a", "b"]},
        "condor",
        {
            "condor_master": "h",
            "condor_secret": "s3cr3t",
            "use_ips": "true",
            "allow_write": "*.a,b",
        },
    ),
    (
        "squid",
        {"backends": ["a", "b"], "size_mb": 1000, "clients": ["192.0.2.0/24"]},
        "squid",
        {"backends": "a,b", "cache_dir_size": "1000"},
    ),
    ("storage", {"daemon": False}, "storage", {"daemon": ""}),
    ("storage", {"relocate": ["/a", "/b"]}, "storage", {"relocate-paths": "/a:/b"}),
    (
        "puppet",
        {"server": "p", "options": "--a=1 --b"},
        "puppet",
        {"puppet_server": "p", "puppet_extra_opts": '"--a=1 --b"'},
    ),
    ("puppetmaster", {"ports": ["1", "2"]}, "puppet", {"puppetmaster_ports": '"1 2"'}),
    ("hepix", {"requiressl": True}, "hepix", {"requiressl": "yes"}),
    ("amiconfig", {"disabled": ["a", "b"]}, "amiconfig", {"disabled_plugins": "a b"}),
    (
        "elastiq",
        {"max_vms": 2, "ca": PEM},
        "elastiq-setup",
        {"quota_max_vms": "2", "cacerts_b64": _b64(PEM.encode())},
    ),
    (
        "vaf",
        {"client": "alice", "storage": "root://s//d"},
        "vaf-setup",
        {"client_settings": "alice", "alice_storage": "root://s//d"},
    ),
    ("yp", {"domain": "d", "server": "s"}, "yp", {"domain": "d", "server": "s"}),
]


@pytest.mark.parametrize(
    ("name", "values", "section", "keys"),
    SECTIONS,
    ids=[f"{name}-{number}" for number, (name, *_) in enumerate(SECTIONS)],
)
def test_a_part_writes_what_its_plug_in_reads(
    name: str, values: dict[str, Any], section: str, keys: dict[str, str]
) -> None:
    pieces = _pieces(name, **values)
    assert pieces.amiconfig[section] == keys
    plugin = {"elastiq": "elastiq-setup", "vaf": "vaf-setup", "puppetmaster": "puppet"}.get(name)
    plugin = plugin or (name if section == name else section)
    assert plugin in pieces.plugins or name == "amiconfig"


def test_openvpn_gets_certificates_packed_as_its_plug_in_unpacks_them() -> None:
    pieces = _pieces("openvpn", server="v", ca="http://v/ca.crt", cert=PEM, key=PEM)
    section = pieces.amiconfig["openvpn"]
    assert zlib.decompress(base64.b64decode(section["cert"])) == PEM.encode()
    assert section["ca"] == "http://v/ca.crt"
    assert section["port"] == "1194"
    assert pieces.secrets == ("openvpn.key",)


def test_the_boot_loader_gets_its_keys_quoted_where_a_shell_would_read_more() -> None:
    values = {"mode": "list", "proxies": ["http://a:3128"], "pac": ["http://w/w.dat"]}
    assert _pieces("repository", **values, servers=["s1", "s2"], wait_on_squid=9).ucernvm == {
        "cvmfs_http_proxy": '"http://a:3128;DIRECT"',
        "cvmfs_pac_urls": '"http://w/w.dat"',
        "cvmfs_server": "s1,s2",
        "cvmfs_wait_on_squid": "9",
    }
    assert "cvmfs_http_proxy" not in _pieces("repository", **values, boot_proxy="none").ucernvm
    assert _pieces("cernvm", version="4", expand_root=False, glidein=False).ucernvm == {
        "cernvm_path": "cvm4",
        "resize_rootfs": "off",
        "useglideinWMS": "off",
    }
    assert _pieces("cluster", pin="a1b2c3d4e5f6", role="head").ucernvm == {
        "cvm_cluster_pin": "a1b2c3d4e5f6",
        "cvm_cluster_master": "yes",
        "cvm_service_url": "https://pool.example.org",
    }


def test_a_variable_that_amiconfig_cannot_take_goes_to_the_profile() -> None:
    pieces = _pieces("contextualization", environment=["A=1", "B=it's x"])
    (line,) = pieces.before
    profile = base64.b64decode(line.split()[1]).decode()
    assert profile == "export B='it'\"'\"'s x'\n"
    assert pieces.environment == {"A": "1", "B": "it's x"}


RULES: list[tuple[Document, str]] = [
    ({"noip": {"username": "u", "password": "p"}}, "noip.hostname"),
    ({"yp": {"ypserver": "a", "domain": "b"}}, "yp.domain"),
    ({"yp": {"server": "a"}}, "yp.server"),
    ({"vaf": {"auth": "pool_users"}}, "vaf.accounts"),
    ({"elastiq": {"min_vms": 3, "max_vms": 2}}, "elastiq.min_vms"),
    ({"condor": {"lowport": 9700, "highport": 9600}}, "condor.lowport"),
    ({"puppet": {"server": "p"}, "puppetmaster": {}}, "puppetmaster"),
    ({"x509": {"cert": PEM, "file": "/x"}}, "x509.file"),
    ({"users": {"users": [{"name": "root"}]}}, "users.users[0].name"),
    ({"users": {"users": [{"name": "a"}, {"name": "a"}]}}, "users.users[1].name"),
    ({"contextualization": {"before": "#!/usr/bin/perl; x\n"}}, "contextualization.before"),
    ({"contextualization": {"environment": ["A=1", "A=2"]}}, "contextualization.environment[1]"),
    ({"cernvm": {"version": "5", "branch": "b.example.org"}}, "cernvm.version"),
    ({"cernvm": {"version": "3", "path": "cvm4"}}, "cernvm.path"),
    (
        {"cluster": {"pin": "a1b2c3d4e5f6", "role": "head"}, "condor": {"master": "h"}},
        "condor.master",
    ),
    ({"unknown": {"sections": "not a key"}}, "unknown.sections"),
    ({"unknown": {"boot": "[x]"}}, "unknown.boot"),
]


@pytest.mark.parametrize(("document", "path"), RULES, ids=[path for _, path in RULES])
def test_values_that_do_not_go_together_are_refused_by_name(document: Document, path: str) -> None:
    assert [fault.path for fault in check(document)] == [path]


def test_unknown_values_that_may_be_commands_reach_a_machine_only_on_demand() -> None:
    values = {"sections": "[odd]\na=1\nb=$(id)\n", "boot": "x=`id`\ny=on\n"}
    careful = _pieces("unknown", **values)
    assert careful.amiconfig == {"odd": {"a": "1"}}
    assert careful.ucernvm == {"y": "on"}
    assert any("[odd] b" in told and "[boot-loader] x" in told for told in careful.warnings)
    trusted = _pieces("unknown", **values, as_is=True)
    assert "[odd] b, [boot-loader] x" in str(trusted.warnings)
    assert trusted.amiconfig == {"odd": {"a": "1", "b": "$(id)"}}
