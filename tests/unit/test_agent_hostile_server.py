"""A server that means harm: what it can make an agent do, say, believe and hold in memory."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import time
import tracemalloc
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.kit.agent_life import Life, M, of
from tests.kit.fake_server import Keys
from vmagent import bundles, errors, joining, link, orders, stimuli
from vmagent.backoff import ASKED_MOST_S, pause
from vmagent.brain import PROBES_MOST
from vmagent.home import Home
from vmagent.intervals import Intervals
from vmagent.plaintext import lines, printable
from vmagent.presence import COMMANDS_MOST
from vmagent.process import LOG_KEPT, Process
from vmagent.settings import Settings
from vmagent.trust import Pins, _hold_manifest
from vmagent.wire import jws, messages, statements

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\r\n"


def command(seq: int, name: str = "drain", **args: str) -> messages.Command:
    return messages.Command(seq, name, args)


@pytest.mark.parametrize("number", ["²", "٣", "9" * 5000, "-1", "", "1\n", "0x1", "../1"])
def test_an_abort_of_no_task_is_passed_over(number: str) -> None:
    life = Life().running()
    life.tell(stimuli.Commanded((command(1, "abort", task=number),)))
    assert set(life.brain.tasks) == {1}


def test_a_flood_of_commands_costs_one_write_and_a_few_lines() -> None:
    life = Life().running()
    flood = tuple(command(seq, "nonsense") for seq in range(1, 50_000))
    told = life.tell(stimuli.Commanded(flood))
    assert [order.seq for order in of(orders.Remember, told)] == [COMMANDS_MOST]
    assert len(told) <= 2 * COMMANDS_MOST


@pytest.mark.parametrize("asked", [-1e9, 1e-300, -0.5])
def test_no_answer_makes_an_agent_ask_in_a_circle(asked: float) -> None:
    life = Life()
    life.tell(stimuli.Started())
    assert not of(orders.Ask, life.tell(stimuli.AskAnswered(retry_after=asked)))


def test_no_answer_keeps_an_agent_silent_for_years() -> None:
    life = Life()
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered(retry_after=1e9))
    assert of(orders.Ask, life.tell(stimuli.Ticked(), after=ASKED_MOST_S + 1))
    life.tell(stimuli.AskFailed(0.5, retry_after=1e9))
    assert of(orders.Ask, life.tell(stimuli.Ticked(), after=2 * ASKED_MOST_S))
    assert pause(3, 0.5, 1e300) <= 2 * ASKED_MOST_S


def test_a_server_that_wants_a_class_again_and_again_is_let_wait() -> None:
    life = Life()
    life.tell(stimuli.Started())
    asks = 0
    for _ in range(20):
        life.tell(stimuli.AskAnswered(probes=(M,)))
        asks += len(of(orders.Ask, life.tell(stimuli.Probed(M), after=0.01)))
        life.brain._asking = True
    assert asks <= 3


def test_an_answer_cannot_make_an_agent_remember_a_hundred_thousand_probes() -> None:
    life = Life()
    life.tell(stimuli.Started())
    probes = tuple(f"{number:064x}" for number in range(100_000))
    life.tell(stimuli.AskAnswered(probes=probes))
    assert len(life.brain._wanted_probes) + len(life.brain.probing) == PROBES_MOST


@pytest.mark.parametrize(
    "header",
    ["Thu, 01 Jan 99999999999999999999 00:00:00 GMT", "nan", "inf", "1e999", "-1", "²", "x" * 9999],
)
def test_no_retry_after_is_more_than_an_hour_or_a_fault(header: str) -> None:
    assert 0.0 <= link.seconds_of(header, time.time()) <= 3600.0


def test_held_intervals_with_a_gap_after_each_are_taken_in_quickly() -> None:
    begun = time.process_time()
    held = Intervals((2 * k, 2 * k + 1) for k in range(200_000))
    assert not held.covers(0, 2)
    assert time.process_time() - begun < 5.0


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    assert printable(ESCAPES).isprintable()
    assert printable("Ωmega 1 GB/s [0, 5)") == "Ωmega 1 GB/s [0, 5)"
    assert len(printable("x" * 10**6)) < 2100
    assert lines("a\tb\nc\x1b[2J") == "a\tb\nc\N{REPLACEMENT CHARACTER}[2J"


def test_a_problem_is_told_without_its_escapes() -> None:
    problem = messages.Problem(ESCAPES, 403, ESCAPES, ESCAPES)
    raw = json.dumps(asdict(problem)).encode()
    for body in (raw, ESCAPES.encode()):
        with pytest.raises(errors.RequestRefused) as told:
            link._judge(link.Answer(403, {}, body))
        assert str(told.value).isprintable()


@pytest.mark.parametrize("token", ["wfh_short", "wfh_" + "B" * 43 + "\r\nX: y", "", "é" * 47])
def test_a_host_token_is_of_its_form_before_it_is_kept(
    tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys()
    given = messages.Enrolled(1, token, "ann", keys.statements, 0.0)
    monkeypatch.setattr("vmagent.calls.Server.enrol", lambda *_: given)
    enrolment = f"wf1.{'A' * 43}.{keys.kid(keys.release)}"
    home = Home(tmp_path / "state")
    home.prepare()
    with pytest.raises(errors.JoinRefused):
        joining.join(home, "http://localhost:9", enrolment, "vm", Settings(slots=1))
    with pytest.raises(errors.NotJoined):
        home.identity()


def manifest(**changes: Any) -> statements.Manifest:
    return replace(statements.Manifest("t", "0" * 64, ["x"], 10, 1), **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": {"../../identity": "x"}},
        {"inputs": {"a/b": "x"}},
        {"inputs": {"": "x"}},
        {"inputs": {"CARD\n": "x"}},
        {"environment": {"EVP_FD_OUT": "1"}},
        {"environment": {"WINDFALL_STATE": "/"}},
        {"environment": {"PYTHONPATH": "/tmp"}},
        {"environment": {"A=B": "x"}},
        {"environment": {"": "x"}},
        {"environment": {"A\n": "x"}},
        {"environment": {"A": "x\0y"}},
        {"command": ["{python}", "a\0b"]},
        {"events": 2**63 - 1},
        {"events": 0},
        {"cores": 10**18},
        {"reference": 10**18},
        {"limits": statements.Limits(memory_mb=10**18)},
        {"limits": statements.Limits(disk_mb=10**18)},
        {"limits": statements.Limits(memory_mb=0)},
        {"limits": statements.Limits(silence_s=0.0)},
        {"limits": statements.Limits(event_bytes=0)},
        {"reference": -1},
        {"mode": "shell"},
    ],
)
def test_a_manifest_that_would_harm_is_refused_though_it_is_signed(changes: dict[str, Any]) -> None:
    keys = Keys()
    pins = Pins.start(keys.kid(keys.release), keys.statements)
    fine = jws.sign(statements.MANIFEST, asdict(manifest()), keys.release)
    assert pins.manifest(fine, jws.digest(fine), 0.0).name == "t"
    text = jws.sign(statements.MANIFEST, asdict(manifest(**changes)), keys.release)
    with pytest.raises(errors.Untrusted) as told:
        pins.manifest(text, jws.digest(text), 0.0)
    assert told.value.word == "unreadable"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"environment": {"FINE": "1", "EVP_SEED": "1"}}, "environment: EVP_SEED begins with EVP_"),
        ({"environment": {"FINE": "1", "A-B": "1"}}, "environment: A-B is no name"),
        ({"environment": {"FINE": "1", "BAD": "x\0y"}}, "environment: BAD has a zero byte"),
        ({"inputs": {"CARD": "x", "a/b": "x"}}, "inputs: a/b is no name"),
    ],
)
def test_a_refused_manifest_says_which_name_is_at_fault(
    changes: dict[str, Any], fault: str
) -> None:
    with pytest.raises(errors.Untrusted, match=fault):
        _hold_manifest(manifest(**changes), "d" * 64)


@pytest.mark.parametrize(
    "changes",
    [{"reference": 0}, {"limits": statements.Limits(log_bytes=0)}],
)
def test_a_manifest_may_want_no_probe_and_no_log(changes: dict[str, Any]) -> None:
    _hold_manifest(manifest(**changes), "d" * 64)


def test_a_log_is_kept_within_the_agents_bounds_not_the_manifests(tmp_path: Path) -> None:
    asked = manifest(limits=statements.Limits(log_bytes=2**30))
    process = Process(asked, tmp_path, tmp_path / "slot", tmp_path)
    for _ in range(64):
        process.log.add(b"x" * LOG_KEPT)
    assert len(process.log._tail) <= 3 * LOG_KEPT
    assert len(process.log.text(60_000)) <= 60_000


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, body in members:
            tar.addfile(member, io.BytesIO(body))
    return path


def plain(name: str, body: bytes = b"", **changes: Any) -> tuple[tarfile.TarInfo, bytes]:
    found = tarfile.TarInfo(name)
    found.size = len(body)
    for key, value in changes.items():
        setattr(found, key, value)
    return found, body


@pytest.mark.parametrize(
    "members",
    [
        [plain("../out")],
        [plain("/etc/cron.d/x")],
        [plain("a/../../x")],
        [plain("link", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
        [plain("hard", type=tarfile.LNKTYPE, linkname="/etc/passwd")],
        [plain("fifo", type=tarfile.FIFOTYPE)],
        [plain("disk", type=tarfile.BLKTYPE)],
        [plain("twice", b"a"), plain("twice", b"b")],
        [plain("a", b"file"), plain("a/b", b"below it")],
        [plain("a/b", b"below it"), plain("a", b"file")],
        [plain("a", b"file"), plain("a", type=tarfile.DIRTYPE)],
    ],
)
def test_a_bundle_with_anything_but_plain_files_is_refused(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    with pytest.raises(errors.Untrusted):
        bundles.unpack(archive(tmp_path / "b.tgz", *members), tmp_path / "place")
    assert not (tmp_path / "out").exists()


def test_no_bit_of_a_mode_but_the_owners_comes_out_of_a_bundle(tmp_path: Path) -> None:
    made = archive(tmp_path / "b.tgz", plain("x\n\x1b[2J", b"x", mode=0o6777))
    bundles.unpack(made, tmp_path / "place")
    (found,) = (tmp_path / "place").iterdir()
    assert found.stat().st_mode & 0o7777 == 0o700


def test_a_name_of_gigabytes_in_a_bundle_is_not_read(tmp_path: Path) -> None:
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 512 * 1024 * 1024
    with gzip.open(tmp_path / "bomb.tgz", "wb", compresslevel=1) as out:
        out.write(member.tobuf(tarfile.GNU_FORMAT))
        for _ in range(32):
            out.write(b"a" * 1024 * 1024)
    tracemalloc.start()
    with pytest.raises(errors.Untrusted):
        bundles.unpack(tmp_path / "bomb.tgz", tmp_path / "place")
    assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    tracemalloc.stop()


def test_too_many_files_or_bytes_are_refused_before_they_are_all_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "FILES_MOST", 10)
    made = archive(tmp_path / "b.tgz", *(plain(f"{number}", b"x") for number in range(50)))
    with pytest.raises(errors.Untrusted, match="more than 10 files"):
        bundles.unpack(made, tmp_path / "place")
    assert len(list((tmp_path / "place").iterdir())) == 10
    monkeypatch.setattr(bundles, "UNPACKED_MOST", 1000)
    big = archive(tmp_path / "c.tgz", plain("zeros", b"\0" * 5000))
    with pytest.raises(errors.Untrusted, match="1000 bytes"):
        bundles.unpack(big, tmp_path / "place2")
    assert list((tmp_path / "place2").iterdir()) == []
