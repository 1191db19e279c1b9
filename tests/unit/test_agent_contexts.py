"""Contexts on a machine: envelopes, settings of the agent, limits; what is applied and how."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from vmagent import context, envelope, errors, limits, wanted
from vmagent.home import Home
from vmagent.hours import Hours
from vmagent.settings import Settings
from vmagent.wire.pairing import MachineContext, MachineLimits

ID, SECRET = "22b13425ef7244c4b7de60dbbca64728", "protected-file"
TEXT = b"[amiconfig]\nplugins=cernvm\n"
GCM: dict[str, Any] = {
    "v": 1,
    "suite": "scrypt+aes-256-gcm",
    "kdf": {"salt": "AAECAwQFBgcICQoLDA0ODw==", "n": 32768, "r": 8, "p": 1},
    "nonce": "AAECAwQFBgcICQoL",
    "aad": f"context:{ID}:3",
    "ct": "HpkduFuCnL5E6abqmU1gNs4Y5zGmgkKN21ExTMBAF2KQmE2iLe3WKlg4hw==",
}
CTR: dict[str, Any] = {
    "v": 1,
    "suite": "pbkdf2+aes-256-ctr+hmac-sha256",
    "kdf": {"salt": "AAECAwQFBgcICQoLDA0ODw==", "iter": 600000},
    "nonce": "AAECAwQFBgcICQoLDA0ODw==",
    "aad": f"context:{ID}:3",
    "ct": "FJIKWnyXxhkdV9cztAUxmFX23wUTo5lY3qtb",
    "tag": "CF93TizNMcdywVHSyBZlATE9ghYulvvmvr9Tbwx4Y1A=",
}
SUITES = pytest.mark.parametrize("sealed", [GCM, CTR], ids=["gcm", "ctr"])


def opened(sealed: dict[str, Any], secret: str = SECRET, revision: int = 3) -> bytes:
    return envelope.open_(json.dumps(sealed), secret, ID, revision)


@SUITES
def test_the_test_values_open_with_their_secret(sealed: dict[str, Any]) -> None:
    assert opened(sealed) == TEXT


@SUITES
def test_a_wrong_secret_or_altered_text_does_not_open(sealed: dict[str, Any]) -> None:
    with pytest.raises(envelope.WrongSecret):
        opened(sealed, "Protected-file")
    flipped = ("G" if sealed["ct"][0] == "F" else "F") + sealed["ct"][1:]
    with pytest.raises(envelope.WrongSecret):
        opened({**sealed, "ct": flipped})


@SUITES
def test_an_envelope_of_another_revision_is_refused_even_if_it_says_ours(
    sealed: dict[str, Any],
) -> None:
    with pytest.raises(envelope.Unreadable, match="another context"):
        opened(sealed, revision=4)
    with pytest.raises(envelope.WrongSecret):
        opened({**sealed, "aad": f"context:{ID}:4"}, revision=4)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"suite": "none"},
        {"kdf": []},
        {"kdf": {**GCM["kdf"], "n": 2**14}},
        {"kdf": {**GCM["kdf"], "n": 2**19}},
        {"kdf": {**GCM["kdf"], "n": 40_000}},
        {"kdf": {**GCM["kdf"], "n": "32768"}},
        {"kdf": {**GCM["kdf"], "r": 64}},
        {"kdf": {**GCM["kdf"], "p": 16}},
        {"kdf": {**GCM["kdf"], "salt": "AAEC"}},
        {"nonce": "!!"},
        {"ct": 5},
    ],
)
def test_parameters_out_of_their_bounds_are_refused_before_any_work(
    change: dict[str, Any],
) -> None:
    with pytest.raises(envelope.Unreadable):
        opened({**GCM, **change})


@pytest.mark.parametrize("rounds", [599_999, 5_000_001, -1, 1e6, None])
def test_rounds_out_of_their_bounds_are_refused(rounds: Any) -> None:
    with pytest.raises(envelope.Unreadable, match="iter"):
        opened({**CTR, "kdf": {**CTR["kdf"], "iter": rounds}})


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, " " * 600_000])
def test_what_is_no_envelope_is_unreadable(text: str) -> None:
    with pytest.raises(envelope.Unreadable):
        envelope.open_(text, SECRET, ID, 3)


MIME = """\
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="==B=="

--==B==
Content-Type: text/cloud-config; charset="utf-8"

#cloud-config
hostname: x

--==B==
Content-Type: text/amiconfig-user-data; charset="us-ascii"

leading text
[amiconfig]
plugins=cernvm
[windfall-agent]
slots=3
hours=22-6
free-memory-mb=512

--==B==
Content-Type: text/x-windfall-agent

# a remark
WINDFALL_CPU_PERCENT = 50
WINDFALL_NETWORK=yes
WINDFALL_SANDBOX=require
WINDFALL_CA=/tmp/evil.pem
WINDFALL_STOP_FILE=/etc/passwd
WINDFALL_GRACE=$(touch /tmp/owned)
WINDFALL_MEMORY_MB=-5
WINDFALL_HOURS=99-3
export X=1; rm -rf /
--==B==--
"""


def test_settings_of_the_agent_are_read_from_the_parts_that_are_for_it() -> None:
    found = wanted.read(MIME)
    assert dict(found.settings) == {
        "slots": 3,
        "hours": "22-6",
        "free_memory_mb": 512,
        "cpu_percent": 50,
        "sandbox": "require",
    }
    left = {one.partition(":")[0] for one in found.passed_over}
    assert left == {"network", "ca", "stop_file", "grace", "memory_mb", "hours"}


@pytest.mark.parametrize(
    "text",
    ["", "#cloud-config\nslots: 3\n", "\0\xff", "Content-Type: multipart/mixed; boundary=b\n\n--b",
     "[windfall-agent\nslots=1", "WINDFALL_SLOTS=3\n", "#!/bin/sh\nWINDFALL_SLOTS=3\n"],
)  # fmt: skip
def test_text_that_is_not_for_the_agent_sets_nothing(text: str) -> None:
    assert dict(wanted.read(text).settings) == {}


def test_plain_amiconfig_text_is_read_as_amiconfig_does() -> None:
    found = wanted.read("[amiconfig]\nplugins=cernvm\n[windfall-agent]\nslots=2\nslots=1\n")
    assert dict(found.settings) == {"slots": 1}


@pytest.mark.parametrize("target", ["mime/user-data", "amiconfig/user-data.ini"])
def test_settings_are_found_in_contexts_as_they_are_rendered(target: str) -> None:
    rendered = Path(__file__).parents[1] / "golden" / "rendered" / "volunteer" / target
    found = dict(wanted.read(rendered.read_text()).settings)
    assert found == {"slots": 2, "hours": "mon-fri 18:30-7; sat,sun 0-24"}


def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "state")
    made.prepare()
    return made


def test_settings_that_were_kept_are_held_to_the_rules_again(tmp_path: Path) -> None:
    at = home(tmp_path)
    assert wanted.keep(at, wanted.Wanted({"slots": 3}))
    assert not wanted.keep(at, wanted.Wanted({"slots": 3})), "the same is no news"
    at.keep_note("wanted", {"slots": 3, "ca": "/x", "cpu_percent": 500, "network": "yes"})
    assert wanted.kept(at) == {"slots": 3}


def test_of_two_limits_the_stricter_counts() -> None:
    local = Settings(slots=4, memory_mb=8000, network="yes", hours="20-8")
    told = MachineLimits(2, 10_000, "22-10", False)
    found = limits.fit(local, told)
    assert (found.slots, found.memory_mb, found.network) == (2, 8000, "no")
    hours = Hours(found.hours or "")
    allowed = {h for h in range(24) if hours.left(0, h * 60) != 0}
    assert allowed == {22, 23, 0, 1, 2, 3, 4, 5, 6, 7}
    assert limits.fit(local, MachineLimits(16, 4000)).slots == 4
    assert limits.fit(local, MachineLimits(16, 4000)).memory_mb == 4000
    assert limits.fit(local, limits.NONE) == local


def test_limits_that_are_not_understood_leave_those_of_before(tmp_path: Path) -> None:
    at = home(tmp_path)
    limits.keep(at, MachineLimits(2))
    with pytest.raises(ValueError, match="like"):
        limits.keep(at, MachineLimits(1, hours="whenever"))
    assert limits.kept(at) == MachineLimits(2)


FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >> "{record}"
env | grep -c SECRET_OF_THE_AGENT >> "{record}"
echo it says something
{more}
"""
USER_DATA = "#cloud-config\nwrite_files: []\n# $(touch /tmp/owned) `id` ;\n"
FOUND = MachineContext(ID, 3, "Batch worker", USER_DATA, "", ["ssh-ed25519 AAAA ada"])


class Machine:
    """A folder that stands for ``/``, and programs that write down how they were called."""

    def __init__(self, tmp_path: Path, *programs: str, more: str = "") -> None:
        self.home, self.root, self.record = home(tmp_path), tmp_path / "root", tmp_path / "calls"
        folder = tmp_path / "bin"
        for made in (self.root, folder):
            made.mkdir()
        for name in programs:
            path = folder / name
            path.write_text(FAKE.format(record=self.record, more=more))
            path.chmod(0o755)
        self.environment = {
            "PATH": os.environ["PATH"],
            "WINDFALL_PROGRAMS": str(folder),
            "SECRET_OF_THE_AGENT": "x",
        }

    def apply(self, found: MachineContext = FOUND, secret: str | None = None) -> context.Outcome:
        """Apply a context here."""
        rights = context.Rights("yes", self.root, self.environment)
        context.keep(self.home, found)
        return context.apply(self.home, found, secret, rights)

    def calls(self) -> list[str]:
        """The programs that were called."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        assert set(lines[1::2]) <= {"0"}, "they hear nothing of the agent's own environment"
        return lines[0::2]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_cloud_init_gets_a_seed_and_runs_its_stages(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "cloud-init")
    done = machine.apply()
    assert (done.outcome, done.how) == ("applied", "cloud-init")
    assert machine.calls() == [
        "cloud-init clean",
        "cloud-init init --local",
        "cloud-init init",
        "cloud-init modules --mode config",
        "cloud-init modules --mode final",
    ]
    seed = machine.root / "var/lib/cloud/seed/nocloud"
    assert (seed / "user-data").read_text() == USER_DATA
    meta = json.loads((seed / "meta-data").read_text())
    assert (meta["instance-id"], meta["dsmode"]) == (f"windfall-{ID}-3", "local")
    assert meta["public-keys"] == ["ssh-ed25519 AAAA ada"]
    assert mode(seed / "user-data") == mode(seed / "meta-data") == 0o600
    assert mode(machine.home.path / "context" / "apply.log") == 0o600
    assert "it says something" in (machine.home.path / "context" / "apply.log").read_text()
    assert not Path("/tmp/owned").exists()


def test_amiconfig_gets_what_its_own_pairing_left(tmp_path: Path) -> None:
    machine = Machine(
        tmp_path, "amiconfig.sh", more='cat "${AMICONFIG_CONTEXT_URL#file:}"/*/user-data'
    )
    done = machine.apply()
    assert (done.outcome, done.how) == ("applied", "amiconfig")
    assert machine.calls() == ["amiconfig.sh user --force"]
    online = machine.root / "var/lib/amiconfig-online/2007-12-15"
    assert (online / "user-data").read_text() == USER_DATA
    key = online / "meta-data/public-keys/0/openssh-key"
    assert key.read_text() == "ssh-ed25519 AAAA ada\n"
    assert mode(online / "user-data") == mode(key) == 0o600
    assert USER_DATA in (machine.home.path / "context" / "apply.log").read_text()


def test_where_both_are_both_get_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "cloud-init", "amiconfig.sh")
    assert machine.apply().detail == "cloud-init; amiconfig"
    assert len(machine.calls()) == 6


def test_a_program_that_fails_is_named_and_its_words_stay_here(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "cloud-init", more="echo password=hunter2; exit 3")
    done = machine.apply()
    assert (done.outcome, done.how) == ("failed", "cloud-init")
    assert "cloud-init clean ended with code 3" in done.detail
    assert "hunter2" not in done.detail
    assert len(machine.calls()) == 1


def test_without_either_the_agent_takes_its_own_settings_and_says_so(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    done = machine.apply(MachineContext(ID, 3, "x", MIME))
    assert (done.outcome, done.how, done.news) == ("applied", "settings", True)
    assert "neither cloud-init nor amiconfig" in done.detail
    assert wanted.kept(machine.home)["slots"] == 3
    assert machine.apply(MachineContext(ID, 4, "x", USER_DATA)).outcome == "kept"
    assert wanted.kept(machine.home) == {}, "the next context says nothing of the agent"


@pytest.mark.parametrize("apply", ["auto", "no"])
def test_nothing_is_applied_where_that_is_not_allowed(tmp_path: Path, apply: str) -> None:
    machine = Machine(tmp_path, "cloud-init", "amiconfig.sh")
    rights = context.Rights(apply, machine.root, machine.environment)
    done = context.apply(machine.home, FOUND, None, rights)
    assert done.outcome == "kept"
    assert ("nobody at this machine has agreed" if apply == "auto" else "--apply no") in done.detail
    assert machine.calls() == []
    assert list(machine.root.iterdir()) == []
    machine.home.keep_note(context.AGREED, True)
    done = context.apply(machine.home, FOUND, None, rights)
    assert done.outcome == ("applied" if apply == "auto" else "kept")


def test_only_root_may_set_up_the_system_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rights = context.Rights("yes", Path("/"), {})
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "only root" in rights.never()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert rights.never() == ""


def test_the_programs_of_this_system_are_never_run_for_another_root(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "cloud-init", "amiconfig.sh")
    folder = machine.environment.pop("WINDFALL_PROGRAMS")
    machine.environment["PATH"] = f"{folder}:{os.environ['PATH']}"
    assert machine.apply().outcome == "kept"
    assert machine.calls() == []


@SUITES
def test_a_protected_context_is_applied_with_its_secret_alone(
    tmp_path: Path, sealed: dict[str, Any]
) -> None:
    machine = Machine(tmp_path, "cloud-init")
    found = MachineContext(ID, 3, "x", "", json.dumps(sealed))
    assert machine.apply(found).outcome == "locked"
    assert machine.apply(found, "wrong").outcome == "locked"
    assert machine.calls() == []
    assert machine.apply(found, SECRET).outcome == "applied"
    seed = machine.root / "var/lib/cloud/seed/nocloud"
    assert (seed / "user-data").read_bytes() == TEXT
    kept = [path for path in machine.home.path.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in kept)
    assert not any(TEXT in path.read_bytes() for path in kept), "it is kept as it came"


def test_a_context_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    at = home(tmp_path)
    context.keep(at, FOUND)
    assert context.kept(at) == FOUND
    assert mode(at.path / "context" / "context.json") == 0o600
    assert mode(at.path / "context") == 0o700


def test_a_program_that_only_looks_is_waited_for_and_one_that_works_is_not(tmp_path: Path) -> None:
    looks, waits = home(tmp_path), home(tmp_path)
    looks.lock()
    threading.Timer(0.2, looks.unlock).start()
    waits.lock_soon()  # let go within a moment
    with pytest.raises(errors.Locked):
        looks.lock_soon()
    waits.unlock()
    looks.lock_soon()
    looks.unlock()
