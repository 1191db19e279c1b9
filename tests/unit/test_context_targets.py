"""Targets that are more than user data: scripts really run, files read back by who reads them."""

from __future__ import annotations

import base64
import io
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pycdlib
import pytest
import yaml

from contexts import joining
from contexts.part import Machine, Pieces
from contexts.render import seed
from contexts.render.clouds import instance_type
from contexts.render.readers import boot_loader
from contexts.render.result import NotRenderable, Rendered
from contexts.render.targets import render
from tests.kit.small_parts import CONDOR, MACHINE, REPOSITORIES, USERS, parts

ALL = parts(repositories=REPOSITORIES, users=USERS, condor=CONDOR)
DOCUMENT = {"users": {}, "repositories": {}, "condor": {"condor_secret": "s3cret-word"}}
NAME = 'it\'s <a> "test" & $(reboot) `reboot` ;reboot #'
PROGRAMS = ("virt-install", "VBoxManage", "cernvm-launch", "aws", "openstack", "gcloud", "az")


def made(target: str, machine: Machine = MACHINE) -> Rendered:
    return render(DOCUMENT, 3, target, machine, ALL)


def run(folder: Path, script: str, **environment: str) -> list[list[str]]:
    """Really run a script; the calls of programs, each of which does nothing but note its words."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    calls = folder / "calls"
    calls.unlink(missing_ok=True)
    for name in (*PROGRAMS, "podman", "reboot"):
        (programs / name).write_text(
            f"#!/bin/sh\nprintf '%s\\0' {name} \"$@\" >>{shlex.quote(str(calls))}\n"
            f"printf '\\1\\0' >>{shlex.quote(str(calls))}\n"
        )
        (programs / name).chmod(0o755)
    subprocess.run(
        ["/bin/sh", str(folder / script)],
        env={"PATH": f"{programs}:/usr/bin:/bin", "IMAGE": "the image.iso", **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    words = calls.read_text().split("\0")[:-1]
    found: list[list[str]] = [[]]
    for word in words:
        if word == "\1":
            found.append([])
        else:
            found[-1].append(word)
    return found[:-1]


def write(folder: Path, rendered: Rendered) -> None:
    for file in rendered.files:
        (folder / file.name).write_bytes(file.body)


@pytest.mark.parametrize(
    ("target", "script", "program"),
    [
        ("local", "virt-install.sh", "virt-install"),
        ("local", "virtualbox.sh", "VBoxManage"),
        ("local", "cernvm-launch.sh", "cernvm-launch"),
        ("cloud", "openstack.sh", "openstack"),
        ("cloud", "gce.sh", "gcloud"),
        ("cloud", "azure.sh", "az"),
        ("container", "run-container.sh", "podman"),
    ],
)
def test_a_script_hands_on_any_name_as_one_word_and_runs_nothing_else(
    target: str, script: str, program: str, tmp_path: Path
) -> None:
    write(tmp_path, made(target, Machine(name=NAME)))
    calls = run(tmp_path, script, FLAVOR="m1.small", GROUP="physics")
    assert {call[0] for call in calls} == {program}
    assert any(NAME in call for call in calls)


def test_the_script_for_ec2_gives_user_data_as_a_file(tmp_path: Path) -> None:
    write(tmp_path, made("cloud"))
    (call,) = run(tmp_path, "ec2.sh", IMAGE="ami-1234")
    assert call[call.index("--user-data") + 1] == "file://user-data"
    assert call[call.index("--image-id") + 1] == "ami-1234"


def test_a_script_without_an_image_says_what_it_wants(tmp_path: Path) -> None:
    write(tmp_path, made("local"))
    done = subprocess.run(
        ["/bin/sh", str(tmp_path / "virt-install.sh")],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "set IMAGE" in done.stderr


def test_cernvm_3_and_4_get_user_data_without_a_session_token_and_nobody_else() -> None:
    legacy = json.loads(made("cloud").file("ec2.json").text)
    assert legacy["MetadataOptions"]["HttpTokens"] == "optional"
    assert boot_loader(legacy["UserData"])["cvmfs_branch"] == "cernvm-prod.cern.ch"
    plain = parts(plain=Pieces(cloud={"runcmd": [["true"]]}))
    new = json.loads(render({"plain": {}}, 1, "cloud", MACHINE, plain).file("ec2.json").text)
    assert new["MetadataOptions"]["HttpTokens"] == "required"
    agent = parts(agent=joining.pieces(MACHINE, {"WINDFALL_SLOTS": "2"}))
    own = json.loads(render({"agent": {}}, 1, "cloud", MACHINE, agent).file("ec2.json").text)
    assert own["MetadataOptions"]["HttpTokens"] == "required"


def test_an_instance_is_as_large_as_asked_for() -> None:
    assert instance_type(1, 2048) == "t3.small"
    assert instance_type(4, 8192) == "t3.xlarge"
    assert instance_type(500, 1) == "m6i.16xlarge"


def test_google_gets_user_data_twice_as_its_two_readers_want_them() -> None:
    rendered = made("cloud")
    packed = rendered.file("cvm-user-data.b64").body
    assert base64.b64decode(packed) == rendered.file("user-data").body


def test_the_domain_of_libvirt_is_as_large_as_asked_for() -> None:
    machine = Machine(name=NAME, memory_mb=3000, cores=3)
    root = ElementTree.fromstring(made("local", machine).file("domain.xml").text)
    assert root.findtext("name") == NAME
    assert (root.findtext("memory"), root.findtext("vcpu")) == ("3000", "3")
    assert [disk.get("device") for disk in root.iter("disk")] == ["disk", "cdrom"]


@pytest.fixture(scope="module")
def disk() -> bytes:
    return made("iso").file("seed.iso").body


def opened(raw: bytes) -> pycdlib.PyCdlib:
    image = pycdlib.PyCdlib()
    image.open_fp(io.BytesIO(raw))
    return image


@pytest.mark.parametrize("kind", ["rr_path", "joliet_path"])
def test_the_disk_reads_back_by_the_names_that_each_reader_uses(disk: bytes, kind: str) -> None:
    image = opened(disk)
    found = {}
    for path in ("user-data", "meta-data", "context.sh", "openstack/latest/user_data"):
        out = io.BytesIO()
        image.get_file_from_iso_fp(out, **{kind: f"/{path}"})
        found[path] = out.getvalue()
    image.close()
    user_data = made("mime").files[0].body
    assert found["user-data"] == found["openstack/latest/user_data"] == user_data
    assert yaml.safe_load(found["meta-data"])["local-hostname"] == "volunteer-0001"
    told = dict(line.split("=", 1) for line in found["context.sh"].decode().splitlines())
    assert base64.b64decode(told["EC2_USER_DATA"].strip('"')) == user_data
    assert told["ONE_CONTEXT_PATH"] == '"/var/lib/amiconfig"'


def test_the_disk_is_labelled_for_nocloud_and_the_same_at_any_time_and_place(
    disk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = opened(disk)
    assert image.pvd.volume_identifier.strip() == b"cidata"
    assert image.joliet_vd is not None
    assert image.joliet_vd.volume_identifier.decode("utf-16_be").strip() == "cidata"
    image.close()
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert made("iso").file("seed.iso").body == disk


def test_a_changed_context_is_a_new_instance_to_cloud_init() -> None:
    changed = render({"users": {}}, 3, "iso", MACHINE, ALL).file("seed.iso").body
    names = set()
    for raw in (changed, made("iso").file("seed.iso").body):
        out = io.BytesIO()
        image = opened(raw)
        image.get_file_from_iso_fp(out, rr_path="/meta-data")
        names.add(json.loads(out.getvalue())["instance-id"])
    assert len(names) == 2


def test_roots_keys_are_on_the_disk_for_cernvm_2() -> None:
    keys = parts(a=Pieces(cloud={"ssh_authorized_keys": ["ssh-ed25519 AAAA me"]}))
    image = opened(render({"a": {}}, 1, "iso", MACHINE, keys).files[0].body)
    out = io.BytesIO()
    image.get_file_from_iso_fp(out, rr_path="/root.pub")
    assert out.getvalue() == b"ssh-ed25519 AAAA me\n"


def test_other_programs_read_the_disk_too(disk: bytes, tmp_path: Path) -> None:
    program = shutil.which("isoinfo")
    if program is None:
        pytest.skip("isoinfo is not here (apt-get install genisoimage)")
    (tmp_path / "seed.iso").write_bytes(disk)
    for flag in ("-R", "-J"):
        done = subprocess.run(
            [program, "-i", str(tmp_path / "seed.iso"), flag, "-x", "/openstack/latest/user_data"],
            capture_output=True,
            check=True,
        )
        assert done.stdout == made("mime").files[0].body


def test_a_container_gets_its_variables_and_folders(tmp_path: Path) -> None:
    rendered = made("container")
    write(tmp_path, rendered)
    assert "CVMFS_REPOSITORIES=na61.cern.ch,sft.cern.ch\n" in rendered.file("container.env").text
    (call,) = run(tmp_path, "run-container.sh")
    assert call[:2] == ["podman", "run"]
    assert call[call.index("--env-file") + 1] == "container.env"
    assert f"{tmp_path}/workspace:/workspace" in call


def test_a_container_with_an_agent_runs_it_and_keeps_what_it_is(tmp_path: Path) -> None:
    some = parts(agent=joining.pieces(MACHINE, {}))
    rendered = render({"agent": {}}, 1, "container", MACHINE, some)
    write(tmp_path, rendered)
    (call,) = run(tmp_path, "run-container.sh")
    assert call[-2:] == ["/bin/sh", joining.START]
    assert f"{tmp_path}/windfall-agent-start:{joining.START}:ro" in call
    assert "windfall-agent-state:/var/lib/windfall-agent" in call
    assert rendered.file("container.env").mode == 0o600


@pytest.mark.parametrize(("name", "value"), [("A B", "x"), ("A", "x\ny"), ("A=B", "x"), ("", "x")])
def test_a_variable_that_a_file_of_variables_cannot_hold_is_refused(name: str, value: str) -> None:
    bad = parts(a=Pieces(environment={name: value}))
    with pytest.raises(NotRenderable):
        render({"a": {}}, 1, "container", MACHINE, bad)


def test_a_site_fills_in_its_own_values() -> None:
    options = {"WINDFALL_SLOTS": "2"}
    some = parts(agent=joining.pieces(MACHINE, options), boot=Pieces(ucernvm={"cvmfs_tag": "x"}))
    rendered = render({"agent": {}, "boot": {}}, 1, "vacuum", MACHINE, some)
    text = rendered.file("user_data").text
    assert boot_loader(text)["cvmfs_http_proxy"] == '"##user_data_option_cvmfs_proxy##"'
    assert "WINDFALL_MACHINE_FEATURES=##user_data_machinefeatures_url##" in text
    assert "WINDFALL_SLOTS=2" in text
    pipe = json.loads(rendered.file("vacuum.pipe").text)
    assert pipe["machinetypes"][0]["machine_model"] == "cernvm3"
    assert pipe["machinetypes"][0]["fizzle_seconds"] == 600


def test_the_agents_token_is_in_no_file_that_others_may_read() -> None:
    some = parts(agent=joining.pieces(MACHINE, {}))
    seen = set()
    for target in ("mime", "iso", "local", "cloud", "agent", "amiconfig", "container"):
        for file in render({"agent": {}}, 1, target, MACHINE, some).files:
            held = base64.b64encode(MACHINE.token.encode())[:20]
            if MACHINE.token.encode() in file.body or held in file.body:
                seen.add(target)
                assert file.mode & 0o077 == 0, file.name
                assert file.secrets == ("machine.token",), file.name
    assert seen >= {"mime", "iso", "agent"}, "it is looked for where it stands"


def test_a_line_for_a_plain_user_asks_for_the_pinned_file(tmp_path: Path) -> None:
    agent = b"#!/usr/bin/env python3\n"
    programs = tmp_path / "bin"
    programs.mkdir()
    fetch = f"#!/bin/sh\nprintf %s {shlex.quote(agent.decode())} >windfall-agent.pyz\n"
    note = '#!/bin/sh\necho "$@" >>calls\ncat >>given\n'
    for name, text in (("curl", fetch), ("python3", note)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    import hashlib

    for digest, runs in ((hashlib.sha256(agent).hexdigest(), True), ("0" * 64, False)):
        machine = Machine(server="https://pool.example.org", token="wf1.x", agent_sha256=digest)
        script = made("agent", machine).file("plain-user.sh").text
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=tmp_path,
            env={"PATH": f"{programs}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert (done.returncode == 0) is runs
        assert (tmp_path / "calls").exists() is runs
        if runs:
            assert "join --server https://pool.example.org" in (tmp_path / "calls").read_text()
            assert (tmp_path / "given").read_text() == "wf1.x\n"
            (tmp_path / "calls").unlink()


def test_a_seed_of_any_files_reads_back() -> None:
    files = {"a/b/c": b"1", "a/b/d": b"", "e": b"x" * 5000}
    image = opened(seed.image(files))
    for path, body in files.items():
        out = io.BytesIO()
        image.get_file_from_iso_fp(out, rr_path=f"/{path}")
        assert out.getvalue() == body
