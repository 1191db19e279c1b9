"""The pipe, the gathering of events, output files and bundles: nothing of a payload is believed."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from vmagent import bundles, output
from vmagent.errors import Untrusted
from vmagent.gather import Gather
from vmagent.intervals import Intervals
from vmagent.pace import Pace
from vmagent.pipe import Events, Fail, Hello, Message, Misbehaved, Next, OutFile, Parser
from vmagent.ring import Ring
from vmagent.wire import frames


def heard(raw: bytes, granule: int = 1, event_bytes: int = 1000, step: int = 0) -> list[Message]:
    parser = Parser(granule, event_bytes)
    pieces = [raw[k : k + step] for k in range(0, len(raw), step)] if step else [raw]
    return [message for piece in pieces for message in parser.feed(piece)]


TALK = (
    b"HELLO 1 my generator\nNEXT\nEVENT 0 3 6 sizes=1,0,5\nabcdefEVENT 3 5 0\n"
    b"SKIP 5 6 veto\nFAIL 6 7 no-vertex\nFILE 7 8 out.dat\n"
)


@pytest.mark.parametrize("step", [0, 1, 2, 7])
def test_the_pipe_is_read_alike_in_whatever_pieces_it_comes(step: int) -> None:
    assert heard(TALK, step=step) == [
        Hello("my generator"),
        Next(),
        Events(0, 3, (b"a", b"", b"bcdef")),
        Events(3, 5, (b"", b"")),
        Events(5, 6, (b"",)),
        Fail(6, 7, "no-vertex"),
        OutFile(7, 8, "out.dat", None),
    ]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"WHAT\n", "garbage"),
        (b"EVENT 0 1\n", "garbage"),
        (b"EVENT -1 1 0\n", "garbage"),
        (b"EVENT 0 1 1e3\n", "garbage"),
        (b"EVENT 5 5 0\n", "lied"),
        (b"EVENT 6 5 0\n", "lied"),
        (b"EVENT 0 2 5\n", "lied"),
        (b"EVENT 0 2 5 sizes=1,2\n", "lied"),
        (b"EVENT 0 1 1001\n", "flooded"),
        (b"SKIP 0 1 Not A Word\n", "garbage"),
        (b"x" * 70_000, "garbage"),
        (b"\xff\n", "garbage"),
    ],
)
def test_a_line_out_of_order_is_told_by_its_word(line: bytes, word: str) -> None:
    with pytest.raises(Misbehaved, match=f"^{word}: "):
        heard(b"HELLO 1 x\n" + line)


def test_a_greeting_comes_first() -> None:
    with pytest.raises(Misbehaved, match="HELLO 1 comes first"):
        heard(b"NEXT\n")


def gathered(granule: int = 1, last: int = 20, held: Intervals | None = None) -> Gather:
    return Gather(0, last, granule, held or Intervals())


def test_events_in_any_order_become_frames_of_neighbours() -> None:
    gather = gathered()
    for event in (3, 0, 1, 7, 2):
        gather.add(event, event + 1, (b"%d" % event,))
    cut = gather.cut(1 << 20)
    assert [(first, last) for first, last, _ in cut] == [(0, 4), (7, 8)]
    records = [r for _, _, raw in cut for _, _, r in frames.decode(raw).records()]
    assert records == [b"0", b"1", b"2", b"3", b"7"]
    assert gather.gaps() == [(4, 7), (8, 20)]


def test_frames_are_cut_at_about_the_size_wanted() -> None:
    gather = gathered(last=100)
    gather.add(0, 100, (b"x" * 96,) * 100)
    cut = gather.cut(1000)
    assert [last - first for first, last, _ in cut] == [10] * 10


def test_the_last_granule_of_a_production_may_be_short() -> None:
    gather = gathered(granule=10, last=25)
    gather.add(10, 25, (b"a", b"b"))
    ((first, last, raw),) = gather.cut(1000)
    assert (first, last) == (10, 25)
    assert frames.decode(raw, 10).lengths == (1, 1)


@pytest.mark.parametrize(("first", "last"), [(18, 21), (30, 31), (2, 4)])
def test_events_not_to_be_had_are_a_lie(first: int, last: int) -> None:
    gather = gathered(held=Intervals([(3, 4)]))
    with pytest.raises(Misbehaved, match=r"^lied"):
        gather.add(first, last, (b"",) * (last - first))


def test_half_a_granule_is_a_lie() -> None:
    with pytest.raises(Misbehaved, match="whole granules"):
        gathered(granule=5).add(0, 3, (b"",))


def test_what_comes_after_a_trim_is_let_go_without_blame() -> None:
    gather = gathered()
    gather.add(0, 8, (b"x",) * 8)
    gather.trim(5)
    assert gather.add(8, 10, (b"x", b"x")) == 0
    assert gather.complete
    assert [(first, last) for first, last, _ in gather.cut(1000)] == [(0, 5)]


def test_files_are_taken_from_below_the_output_folder_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("s")
    (out / "sub" / "good").write_bytes(b"good")
    folder = output.Folder(out)
    assert folder.take("sub/good", 100) == b"good"
    assert not (out / "sub" / "good").exists()
    (out / "link").symlink_to(tmp_path / "secret")
    (out / "away").symlink_to(tmp_path)
    os.link(tmp_path / "secret", out / "hard")
    os.mkfifo(out / "fifo")
    for name in ("link", "away/secret", "hard", "fifo", "../secret", str(tmp_path / "secret")):
        with pytest.raises(Misbehaved, match=r"^lied"):
            folder.take(name, 100)
    with pytest.raises(Misbehaved, match=r"^output-missing"):
        folder.take("nothing", 100)
    (out / "big").write_bytes(b"x" * 101)
    with pytest.raises(Misbehaved, match=r"^flooded"):
        folder.take("big", 100)
    folder.close()


def test_a_file_is_split_as_its_manifest_says() -> None:
    lines = b"a\nb\nc\nd\ne\n"
    assert output.split(lines, 0, 5, 2, "lines", None) == (b"a\nb\n", b"c\nd\n", b"e\n")
    framed = b"\0\0\0\1a\0\0\0\0\0\0\0\2bc"
    assert output.split(framed, 0, 3, 1, "lengths", None) == (b"a", b"", b"bc")
    assert output.split(b"whole", 0, 10, 10, "", None) == (b"whole",)
    assert output.split(b"abc", 0, 2, 1, "", (1, 2)) == (b"a", b"bc")


@pytest.mark.parametrize(
    ("raw", "how"),
    [(b"a\nb", "lines"), (b"a\n", "lines"), (b"\0\0\0\x09ab", "lengths"), (b"ab", "")],
)
def test_a_file_that_does_not_fit_is_a_lie(raw: bytes, how: str) -> None:
    with pytest.raises(Misbehaved, match=r"^lied"):
        output.split(raw, 0, 2, 1, how, None)


def tarred(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, raw in members:
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


@pytest.mark.parametrize(
    "bad",
    [
        member("../out"),
        member("/etc/cron.d/x"),
        member("a/../../x"),
        member("link", tarfile.SYMTYPE, "/etc"),
        member("hard", tarfile.LNKTYPE, "good"),
        member("dev", tarfile.CHRTYPE),
        member("fifo", tarfile.FIFOTYPE),
        member("good"),
    ],
)
def test_a_bundle_holds_plain_files_and_folders_only(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    archive = tarred(tmp_path / "b.tar.gz", (member("good"), b"x"), (bad, b""))
    with pytest.raises(Untrusted):
        bundles.unpack(archive, tmp_path / "place")
    assert sorted(os.listdir(tmp_path)) == ["b.tar.gz", "place"]


def test_a_bundle_cut_short_is_refused(tmp_path: Path) -> None:
    archive = tarred(tmp_path / "b.tar.gz", (member("good"), os.urandom(50_000)))
    archive.write_bytes(archive.read_bytes()[:20_000])
    with pytest.raises(Untrusted):
        bundles.unpack(archive, tmp_path / "place")


def test_a_bundle_is_fetched_once_and_opened_only_if_it_is_the_one(tmp_path: Path) -> None:
    raw = tarred(tmp_path / "b.tar.gz", (member("run.sh"), b"#!/bin/sh\n")).read_bytes()
    digest, fetched = hashlib.sha256(raw).hexdigest(), []

    def fetch_of(sent: bytes) -> Callable[[str, int], str]:
        def fetch(path: str, _: int) -> str:
            fetched.append(path)
            Path(path).write_bytes(sent)
            return hashlib.sha256(sent).hexdigest()

        return fetch

    cache = bundles.Bundles(tmp_path / "home")
    with pytest.raises(Untrusted, match="digest does not fit"):
        cache.get(digest, len(raw), fetch_of(raw + b"x"))
    assert not cache.has(digest)
    assert (cache.get(digest, len(raw), fetch_of(raw)) / "run.sh").read_bytes() == b"#!/bin/sh\n"
    cache.get(digest, len(raw), fetch_of(raw))
    assert len(fetched) == 2
    assert os.listdir(tmp_path / "home" / "bundles") == [digest]


def test_a_log_keeps_its_beginning_and_its_end() -> None:
    ring = Ring(1000)
    ring.add(b"first words ")
    for _ in range(1000):
        ring.add(b"water " * 10)
    ring.add(b"last words")
    text = ring.text(500)
    assert text.startswith("first words")
    assert text.endswith("last words")
    assert "bytes left out" in text
    assert len(text) <= 500


def test_the_flush_interval_follows_the_cost_of_a_flush() -> None:
    pace = Pace(1 << 18, None, 7200.0)
    assert pace.seconds == pytest.approx(26.8, abs=0.1)
    for _ in range(100):
        pace.learn(0.0)
    assert pace.seconds == 0.5
    for _ in range(100):
        pace.learn(10.0)
    assert pace.seconds == 30.0
    assert Pace(1, 3.0, 1.0).seconds == 3.0
