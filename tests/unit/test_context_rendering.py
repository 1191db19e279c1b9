"""A context becomes user data: pieces put together, order, plain ASCII, what each reader finds."""

from __future__ import annotations

import base64
import email
from email.message import Message

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contexts.part import Pieces
from contexts.render import ini
from contexts.render.cloudconfig import cloud_config
from contexts.render.gather import Form, gather
from contexts.render.readers import amiconfig, boot_loader
from contexts.render.result import NotRenderable
from contexts.render.targets import TARGETS, render
from contexts.schema import Field, Kind
from tests.kit.small_parts import CONDOR, MACHINE, REPOSITORIES, USERS, Small, parts

ALL = parts(repositories=REPOSITORIES, users=USERS, condor=CONDOR)
DOCUMENT = {
    "users": {},
    "repositories": {},
    "condor": {"condor_secret": "s3cret-word"},
}


def user_data(target: str = "mime") -> str:
    return render(DOCUMENT, 3, target, MACHINE, ALL).files[0].text


def inner(text: str) -> list[Message]:
    message = email.message_from_string(text)
    return [part for part in message.walk() if not part.is_multipart()]


def test_one_message_holds_cloud_config_first_then_what_the_old_readers_look_for() -> None:
    kinds = [part.get_content_type() for part in inner(user_data())]
    assert kinds == ["text/cloud-config", "text/amiconfig-user-data", "text/ucernvm"]
    assert all(part["Content-Transfer-Encoding"] == "7bit" for part in inner(user_data()))


def test_in_the_other_form_cloud_init_sees_one_part_and_the_old_readers_all() -> None:
    text = user_data("mime:epilogue")
    assert [part.get_content_type() for part in inner(text)] == ["text/cloud-config"]
    assert boot_loader(text) == boot_loader(user_data())
    meant, found = amiconfig(user_data()).sections, amiconfig(text).sections
    assert [found[name] for name in ("amiconfig", "cernvm", "condor")] == [
        meant[name] for name in ("amiconfig", "cernvm", "condor")
    ]


@pytest.mark.parametrize("target", ["mime", "mime:epilogue", "amiconfig"])
def test_the_boot_loader_finds_every_key(target: str) -> None:
    assert boot_loader(user_data(target)) == {
        "resize_rootfs": "1",
        "cvmfs_http_proxy": '"http://squid.example.org:3128;DIRECT"',
        "cvmfs_branch": "cernvm-prod.cern.ch",
        "cernvm_path": "cvm4",
    }


@pytest.mark.parametrize("target", ["mime", "mime:epilogue", "amiconfig"])
def test_amiconfig_finds_what_was_meant_and_nothing_overwrites_it(target: str) -> None:
    found = amiconfig(user_data(target))
    assert found.plugins == ("cernvm", "disablesshpasswdauth", "condor")
    assert found.sections["cernvm"] == {
        "organisations": "NA61",
        "repositories": "na61,sft,grid",
        "proxy": '"http://squid.example.org:3128;DIRECT"',
        "users": "worker:users:$6$salt$hash",
    }
    assert found.sections["condor"] == {
        "condor_master": "head.example.org",
        "condor_secret": "s3cret-word",
    }


def test_yaml_behind_a_section_would_have_overwritten_it() -> None:
    """The trap that the order of the parts is for: the emulation falls into it."""
    text = f"{ini.sections(REPOSITORIES, 1)}\nproxy:\n  - later\n"
    assert amiconfig(text.replace("[windfall]\n", "")).sections["cernvm"]["proxy"] == ""


def test_cloud_config_merges_the_lists_of_all_parts_and_keeps_every_command() -> None:
    text = render(DOCUMENT, 3, "cloud-config", MACHINE, ALL).files[0].text
    assert text.startswith("#cloud-config\n")
    found = yaml.safe_load(text)
    assert found["runcmd"] == [
        ["cvmfs_config", "setup"],
        ["systemctl", "daemon-reload"],
        ["systemctl", "daemon-reload"],
    ]
    assert [user if user == "default" else user["name"] for user in found["users"]] == [
        "default",
        "worker",
    ]
    assert "CVMFS_REPOSITORIES=na61,sft\n" in found["write_files"][0]["content"]


def test_what_is_not_ascii_goes_into_files_in_base64() -> None:
    files = [{"path": "/etc/motd", "content": "Grüße aus Würzburg\n"}]
    text = cloud_config({"write_files": files, "final_message": "fertig, schön"})
    assert text.isascii()
    found = yaml.safe_load(text)
    assert found["write_files"][0]["encoding"] == "b64"
    assert found["final_message"] == "fertig, schön"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inside: (
            st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_any_cloud_config_reads_back_as_ascii_with_nothing_for_amiconfig(value: object) -> None:
    text = cloud_config({"key": value})
    assert text.isascii()
    assert "\r" not in text
    assert not any(line.startswith("[") for line in text.split("\n"))
    assert yaml.safe_load(text) == {"key": value}


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("two\nlines", "one line"),
        ("naïve", "ASCII"),
        ("cut ;here", "semicolon"),
        ("ends with a blank ", "blanks"),
        ("a\rb", "ASCII"),
    ],
)
def test_what_amiconfig_would_read_otherwise_is_refused(value: str, rule: str) -> None:
    bad = parts(bad=Pieces(amiconfig={"squid": {"backends": value}}))
    with pytest.raises(NotRenderable, match=rule):
        render({"bad": {}}, 1, "mime", MACHINE, bad)


@pytest.mark.parametrize("name", ["a]b", "ucernvm-begin", "", "x\ny"])
def test_a_section_that_would_be_another_is_refused(name: str) -> None:
    bad = parts(bad=Pieces(amiconfig={name: {"key": "value"}}))
    with pytest.raises(NotRenderable, match="section"):
        render({"bad": {}}, 1, "amiconfig", MACHINE, bad)


def test_a_script_runs_before_or_after_as_its_first_line_says() -> None:
    early = parts(a=Pieces(before=("mkdir -p /data",)))
    read = amiconfig(render({"a": {}}, 1, "amiconfig", MACHINE, early).files[0].text)
    assert read.before
    assert "mkdir -p /data\n" in read.script
    late = parts(a=Pieces(after=("touch /done",), plugins=("cernvm",)))
    read = amiconfig(render({"a": {}}, 1, "amiconfig", MACHINE, late).files[0].text)
    assert not read.before
    assert read.script.endswith("touch /done\nexit 0\n")
    assert read.plugins == ("cernvm",)


def test_a_script_with_lines_that_amiconfig_would_take_is_packed_and_whole() -> None:
    lines = ("if true; then", "exit 3", "fi", "[ucernvm-begin]", "cvmfs_tag=evil", "[ucernvm-end]")
    some = parts(a=Pieces(after=lines, ucernvm={"cvmfs_tag": "good"}))
    text = render({"a": {}}, 1, "amiconfig", MACHINE, some).files[0].text
    assert boot_loader(text) == {"cvmfs_tag": "good"}
    packed = amiconfig(text).script.split("\n")[1]
    assert base64.b64decode(packed.split()[1]).decode().split("\n")[:-1] == list(lines)


def test_the_secrets_of_a_file_are_named_where_they_are_and_nowhere_else() -> None:
    made = render(DOCUMENT, 3, "amiconfig", MACHINE, ALL)
    assert made.secrets == made.files[0].secrets == ("condor.condor_secret",)
    assert made.files[0].mode == 0o600
    made = render(DOCUMENT, 3, "cloud-config", MACHINE, ALL)
    assert made.secrets == ()
    assert made.files[0].mode == 0o644


def test_a_secret_that_became_something_else_is_said_to_be_everywhere() -> None:
    hashed = parts(a=Pieces(cloud={"password": "$6$hash"}, secrets=("a.password",)))
    whole = gather({"a": {"password": "clear"}}, MACHINE, hashed)
    assert all(whole.secrets(form) == ("a.password",) for form in Form)


def test_secrets_in_rows_and_in_base64_are_found() -> None:
    for shift in ("", "x", "xy"):
        text = base64.b64encode(f"{shift}password=correct-horse;".encode()).decode()
        rows = Field("rows", "Rows", Kind.ROWS, columns=(Field("word", "Word", secret=True),))
        part = Small("a", Pieces(environment={"A": text}, secrets=("a.rows",)), (rows,))
        whole = gather({"a": {"rows": [{"word": "correct-horse"}]}}, MACHINE, {"a": part})
        assert whole.kept == {"a.rows": frozenset({Form.ENVIRONMENT})}


def test_parts_hear_their_defaults_and_unknown_ones_are_named() -> None:
    part = Small("a", Pieces(), (Field("size", "Size", Kind.NUMBER, default=5),))
    whole = gather({"a": {}, "stranger": {}}, MACHINE, {"a": part})
    assert part.asked == [{"size": 5}]
    assert any("stranger" in warning for warning in whole.warnings)


def test_parts_that_contradict_each_other_are_told() -> None:
    two = parts(a=Pieces(cloud={"timezone": "UTC"}), b=Pieces(cloud={"timezone": "Europe/Paris"}))
    made = render({"a": {}, "b": {}}, 1, "cloud-config", MACHINE, two)
    assert yaml.safe_load(made.files[0].text)["timezone"] == "Europe/Paris"
    assert any("timezone" in warning for warning in made.warnings)


def test_user_data_that_are_too_long_are_told_with_the_bytes() -> None:
    long = parts(a=Pieces(cloud={"write_files": [{"path": "/x", "content": "y" * 17_000}]}))
    made = render({"a": {}}, 1, "mime", MACHINE, long)
    assert made.size == len(made.files[0].body) > 16_384
    assert any("16,384" in warning and f"{made.size:,}" in warning for warning in made.warnings)


def test_modules_that_cernvm_5_lacks_are_named() -> None:
    some = parts(a=Pieces(cloud={"snap": {}, "runcmd": [["true"]]}))
    warnings = render({"a": {}}, 1, "cloud-config", MACHINE, some).warnings
    assert any("snap" in warning for warning in warnings)
    assert not any("runcmd" in warning for warning in warnings)


def test_a_start_up_script_that_cernvm_3_would_not_see_is_told() -> None:
    some = parts(a=Pieces(before=("true",), plugins=("cernvm",)))
    assert any("CernVM 3" in word for word in render({"a": {}}, 1, "mime", MACHINE, some).warnings)


@pytest.mark.parametrize("name", list(TARGETS))
def test_every_target_renders_and_gives_the_same_twice(name: str) -> None:
    made = render(DOCUMENT, 3, name, MACHINE, ALL)
    assert made == render(DOCUMENT, 3, name, MACHINE, ALL)
    assert made.files
    assert all(file.body for file in made.files if file.name != "windfall-agent")
    assert TARGETS[name].title
    assert TARGETS[name].summary.endswith(".")


@pytest.mark.parametrize("name", ["carrier-pigeon", "iso:epilogue", "mime:other"])
def test_an_unknown_target_is_refused(name: str) -> None:
    with pytest.raises(KeyError):
        render(DOCUMENT, 3, name, MACHINE, ALL)


def test_a_boundary_is_in_no_part() -> None:
    """A part that holds the boundary of the message before gets another one."""
    first = user_data().split('"')[1]
    some = parts(a=Pieces(cloud={"write_files": [{"path": "/x", "content": f"--{first}--\n"}]}))
    text = render({"a": {}}, 1, "mime", MACHINE, some).files[0].text
    assert len(inner(text)) == 1
    assert first in str(inner(text)[0].get_payload())
