"""Old contexts: loaded whole, odd things told, written again with the same meaning."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contexts.check import check
from contexts.diff import diff
from contexts.legacy import Loaded, NoOldContext, dump, load
from contexts.oldtext import Line, meaning, read
from contexts.render.readers import amiconfig, boot_loader
from contexts.schema import Document
from tests.kit.contexts import STEADY, documents

GOLDEN = Path(__file__).parent.parent / "golden" / "contexts"
SQUID = (GOLDEN / "squid.context").read_text(encoding="utf-8")
BATCH = (GOLDEN / "batch-node.context").read_text(encoding="utf-8")


def _told(loaded: Loaded) -> str:
    return "\n".join(f"{odd.line}: {odd.text}" for odd in loaded.odd)


def _same_machine(one: str, other: str) -> None:
    """Held by readers of their own, which the renderers' tests use: no rule is shared with load."""
    first, second = amiconfig(one), amiconfig(other)
    always = {"rootsshkeys"}  # runs unless it is switched off
    assert {*first.plugins, *always} == {*second.plugins, *always}
    assert (first.script.replace("#!/bin/sh", ""), first.before) == (
        second.script.replace("#!/bin/sh", ""),
        second.before,
    )
    assert _keys(first.sections) == _keys(second.sections)
    assert {k: v.replace('"', "") for k, v in boot_loader(one).items()} == {
        k: v.replace('"', "") for k, v in boot_loader(other).items()
    }


def _keys(sections: Any) -> dict[tuple[str, str], str]:
    return {
        (name, key): re.sub(r"\s*,\s*", ",", value.replace('"', ""))
        for name, keys in sections.items()
        for key, value in keys.items()
        if name != "ucernvm-begin" and (name, key) != ("amiconfig", "plugins")
    }


def test_the_public_squid_is_loaded_and_its_oddities_are_told() -> None:
    loaded = load(SQUID)
    assert loaded.document["squid"]["size_mb"] == 1000
    assert loaded.document["repository"] == {"servers": ["hepvm.cern.ch"]}
    assert loaded.document["cernvm"] == {"branch": "cernvm-sl7.cern.ch", "plugin": False}
    assert loaded.document["unknown"] == {"boot": "cvmfs_path=cvm4\n"}
    told = _told(loaded)
    assert "5: backends: a comma is perhaps missing between ...gov and cvmfs.f..." in told
    assert "11: cvmfs_path: is read by nobody; cernvm_path is meant" in told
    assert "5: blanks around = do no harm" in told
    assert len(loaded.odd) == 4


def test_a_batch_node_with_every_trap_is_loaded_into_the_parts_it_means() -> None:
    document = load(BATCH).document
    assert "unknown" not in document
    assert document["contextualization"]["before"] == (
        'mkdir -p /var/spool/analysis\necho "CVMFS_QUOTA_LIMIT=8000" >> /etc/cvmfs/default.local\n'
    )
    assert document["contextualization"]["command_user"] == "worker"
    assert document["contextualization"]["environment"] == ["STAGE=/tmp/stage", "LANG=C"]
    assert document["repository"]["mode"] == "list"
    assert document["repository"]["boot_proxy"] == "http://squid.example.org:3128;DIRECT"
    assert document["users"]["users"][0] == {"name": "worker", "group": "users"}  # type: ignore[index]
    assert document["condor"]["master"] == "head.example.org"
    assert document["disablesshpasswdauth"] == {}


@pytest.mark.parametrize("text", [SQUID, BATCH], ids=["squid", "batch-node"])
def test_a_public_context_comes_back_with_the_same_meaning(text: str) -> None:
    dumped = dump(load(text).document)
    assert dumped.lost == ()
    _same_machine(text, dumped.text)
    assert load(dumped.text).document == load(text).document


def _ini(body: str, plugins: str = "cernvm") -> str:
    return f"[amiconfig]\nplugins={plugins}\n{body}"


ODD = {
    "no exit": ("#!/bin/sh\ntrue\n[amiconfig]\nplugins=cernvm\n", "no exit line"),
    "before a section": ("a=b\n[amiconfig]\nplugins=cernvm\n", "before the first section"),
    "not in column 0": (_ini("[cernvm]\n shell=/bin/bash\n"), "does not begin in column 0"),
    "no key": (_ini("[cernvm]\nshell\n"), "is no key = value"),
    "CR LF": (_ini("[cernvm]\r\nshell=/bin/bash\r\n"), "CR LF"),
    "control": (_ini("[cernvm]\nshell=/bin/\x1b[31m\n"), "control characters"),
    "users": (_ini("[cernvm]\nusers=worker:users\n"), "exactly two colons"),
    "environment": (_ini("[cernvm]\nenvironment=A=1=2\n"), "exactly one ="),
    "proxy": (_ini("[cernvm]\nproxy=http://a:3128;DIRECT\n"), "without quotes"),
    "tcpbuffers": (_ini("[tcpbuffers]\nnet.core.rmem_max=1\n", "tcpbuffers"), "sets nothing"),
    "appliance": (_ini("[cernvm_appliance]\npassword=x\n"), "appliance-agent is meant"),
    "section": (_ini("[squid]\nbackends=a\n"), "plugins does not name it"),
    "case": (_ini("[Squid]\nbackends=a\n", "squid"), "written [squid]"),
    "word": (_ini("", "cernvm astrology"), "no part knows astrology"),
    "twice": (_ini("[cernvm]\nshell=/bin/bash\nshell=/bin/zsh\n"), "said 2 times"),
    "daemon": (_ini("[storage]\ndaemon=False\n", "storage"), "takes False for yes"),
    "key": (_ini("[cernvm]\ncontextualization_key=abc\n"), "which is gone"),
    "open block": ("[amiconfig]\nplugins=x\n[ucernvm-begin]\na=b\n", "has no [ucernvm-end]"),
    "blanks": ("[ucernvm-begin]\ncvmfs_tag = x\n[ucernvm-end]\n", "blanks around ="),
}


@pytest.mark.parametrize(("text", "told"), ODD.values(), ids=ODD)
def test_what_is_odd_is_told(text: str, told: str) -> None:
    loaded = load(text)
    assert told in _told(loaded)
    assert check(loaded.document) == []


def test_what_no_part_knows_is_kept_as_it_was_and_shown() -> None:
    body = "[sfcb-client-setup]\nboot-uuid = 12 34\n\n[cernvm]\nproxy=`touch /tmp/owned`\n; note\n"
    loaded = load(_ini(body, "cernvm sfcb-client-setup"))
    unknown = loaded.document["unknown"]
    assert unknown["plugins"] == ["sfcb-client-setup"]
    assert unknown["sections"] == (
        "[sfcb-client-setup]\nboot-uuid = 12 34\n[cernvm]\nproxy=`touch /tmp/owned`\n"
    )
    assert unknown["dropped"] == "; note\n"
    _same_machine(_ini(body, "cernvm sfcb-client-setup"), dump(loaded.document).text)


def test_a_long_old_text_is_held_against_itself_no_more_often_than_it_is_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[int] = []
    same = Line.__eq__

    def counted(one: Line, other: object) -> bool:
        compared.append(1)
        return bool(same(one, other))

    monkeypatch.setattr(Line, "__eq__", counted)
    keys = "".join(f"key{number}=x\n" for number in range(500))
    loaded = load(f"[amiconfig]\nplugins=cernvm\n[cernvm]\n{keys}")
    assert "key499=x" in str(loaded.document["unknown"]["sections"])
    assert len(compared) < 5000


def test_the_parcel_of_cernvm_online_is_opened() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8zCw8ZtWZ1nFhQ0GJr0hW0sQ1VZyXq3bJv0m6uW6l0 me@here"
    parcel = "VM_CONTEXT_UUID=22b13425ef7244c4b7de60dbbca64728\n"
    parcel += f"EC2_USER_DATA={base64.b64encode(BATCH.encode()).decode()}\n"
    parcel += f"ROOT_PUBKEY={base64.b64encode(key.encode()).decode()}\n"
    loaded = load(parcel)
    assert loaded.document == {**load(BATCH).document, "rootsshkeys": {"keys": [key]}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "just words",
        "ENCRYPTED:U2FsdGVkX1",
        "a\0b",
        "x" * 60_001,
        "EC2_USER_DATA=/////w==",
        "#cloud-config\nusers: []\n",
    ],
    ids=range(8),
)
def test_what_is_no_old_context_is_refused(text: str) -> None:
    with pytest.raises(NoOldContext):
        load(text)


VALUES = st.one_of(
    st.sampled_from(
        [
            *(
                "on",
                "off",
                "x",
                "",
                "a,b",
                "a, b",
                "9600",
                "99999999",
                "DIRECT",
                "$(reboot)",
                "a ; b",
            ),
            *(
                "http://a:3128;DIRECT",
                '"http://a:3128|http://b:3128;DIRECT"',
                "w:users:",
                "w:g:plain",
            ),
            *(
                "A=1,B=2",
                "A=1=2",
                "worker:/bin/true",
                '"worker:/bin/true -x"',
                "/bin/bash",
                "/bin/sh",
            ),
            *("n|h|LS0tLS0K", "n|h", "cvm4", "head.example.org", "`id`", "True", "False", "café"),
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
)
KEYS = st.sampled_from(
    [
        *("organisations", "repositories", "proxy", "users", "shell", "environment", "services"),
        *("contextualization_command", "edition", "startXDM", "x509-cert", "eos-server", "foo"),
        *(
            "condor_master",
            "highport",
            "lowport",
            "hostname",
            "backends",
            "cache_dir_size",
            "daemon",
        ),
        *(
            "puppet_server",
            "puppetmaster_ports",
            "ca",
            "cert",
            "port",
            "server",
            "name",
            "username",
        ),
        *("cvmfs_http_proxy", "cvmfs_branch", "cvmfs_tag", "resize_rootfs", "cvm_cluster_pin"),
    ]
)
LINE = st.builds(
    lambda key, sign, value: f"{key}{sign}{value}",
    KEYS,
    st.sampled_from(["=", " = ", ": "]),
    VALUES,
)
NAMES = ("cernvm", "condor", "squid", "hostname", "puppet", "storage", "noip", "openvpn", "odd")
BLOCK = st.builds(
    lambda name, lines: "\n".join([f"[{name}]", *lines, ""]),
    st.sampled_from([*NAMES, "Squid"]),
    st.lists(st.one_of(LINE, st.sampled_from(["", " a=b", "; c", "# d=e", "junk"])), max_size=5),
)
BOOT = st.builds(
    lambda lines: "\n".join(["[ucernvm-begin]", *lines, "[ucernvm-end]", ""]),
    st.lists(LINE, max_size=4),
)
SCRIPT = st.sampled_from(
    [
        "",
        "#!/bin/sh\ntrue\nexit 0\n",
        "#!/bin/bash.before\nx=1\nexit\n",
        "#!/bin/sh before\nexit 1\n",
    ]
)
TEXTS = st.builds(
    lambda script, words, blocks, boot: (
        f"{script}[amiconfig]\nplugins = {' '.join(words)}\n" + "".join(blocks) + boot
    ),
    SCRIPT,
    st.lists(st.sampled_from(NAMES), max_size=9, unique=True),
    st.lists(BLOCK, max_size=5),
    st.one_of(st.just(""), BOOT),
)


@settings(STEADY, max_examples=120)
@given(text=TEXTS)
def test_whatever_old_text_is_loaded_without_fault_and_keeps_its_meaning(text: str) -> None:
    document = load(text).document
    assert check(document) == []
    again = dump(document).text
    assert meaning(read(again)) == meaning(read(text))
    assert load(again).document == {
        name: values
        for name, values in _without_dropped(document).items()
        if values or name != "unknown"
    }


def _without_dropped(document: Document) -> dict[str, Any]:
    found = {name: dict(values) for name, values in document.items()}
    found.get("unknown", {}).pop("dropped", None)
    return found


@settings(STEADY, max_examples=60)
@given(text=TEXTS)
def test_no_line_of_an_old_text_is_lost_without_a_word(text: str) -> None:
    old = read(text)
    kept = [line.raw for line in (*old.lines, *old.boot)] + old.dropped
    rest = text[len(text) - len(text.split("exit", 1)[-1]) :] if old.script else text
    for line in rest.split("\n"):
        if line.strip() and not line.startswith("[") and not line.startswith("exit"):
            assert line in kept or not line.strip(" 01")


@settings(STEADY, max_examples=15)
@given(document=documents())
def test_what_the_old_text_of_a_document_cannot_say_is_named(document: Document) -> None:
    dumped = dump(document)
    if not dumped.text.strip():
        return
    again = load(dumped.text).document
    differs = {
        change.path for change in diff(document, again) if change.before not in (None, "", [])
    }
    scripts = {"contextualization.before", "contextualization.after"}
    assert differs - scripts == set(dumped.lost) - scripts
    assert set(dumped.lost) <= differs


def test_what_only_cloud_init_does_is_named_as_lost() -> None:
    document: Document = {
        "hostname": {"hostname": "a.example.org"},
        "network": {"tuning": "wan"},
        "users": {"users": [{"name": "a", "home": "/data/a"}]},
        "contextualization": {"before": "true", "after": "false"},
    }
    assert set(dump(document).lost) == {
        "network",
        "network.tuning",
        "users.users[a].home",
        "contextualization.after",
    }
