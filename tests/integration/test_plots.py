"""Figures from a merged output: what is read is what was written, and the same twice."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy
import pytest
import zstandard

from server.services import formats
from tools import plots, readback
from tools.histograms import PerEvent
from tools.payloads.zpole.payload import record

HEPMC3 = formats.find("hepmc3")


def write(path: Path, records: list[bytes]) -> Path:
    """A merged output as the merge writes it: several zstd frames, and one that is skipped."""
    parts = [HEPMC3.header, *records, HEPMC3.footer]
    table = struct.pack("<II", 0x184D2A5E, 4) + b"seek"
    path.write_bytes(b"".join(zstandard.compress(part) for part in parts) + table)
    return path


def collision(number: int, *pids: int) -> bytes:
    """Protons on protons at rest, with a final state of these particles, 1 GeV each."""
    lines = [
        f"E {number} 1 {2 + len(pids)}\nU GEV MM\n",
        "P 1 0 2212 0 0 158 158.002785895 0.93827 4\nP 2 0 2212 0 0 0 0.93827 0.93827 4\n",
        "V -1 0 [1,2]\n",
        *(f"P {3 + k} -1 {pid} 0.3 0.4 0.5 1 0.7 1\n" for k, pid in enumerate(pids)),
    ]
    return "".join(lines).encode()


def read(path: Path, kind: str = "ee") -> plots.Summary:
    """The summary alone."""
    return plots.summarise(path, None, None, "test", kind)


def test_every_event_is_counted_once_and_in_order(tmp_path: Path) -> None:
    path = write(tmp_path / "out.zst", [record(1, number) for number in range(500)])
    summary = read(path)
    assert (summary.events, summary.unique, summary.in_order) == (500, 500, True)
    assert (summary.first, summary.last, summary.complete) == (0, 499, True)


@pytest.mark.parametrize(
    ("numbers", "unique", "in_order"),
    [
        ([0, 1, 1, 2], 3, False),
        ([0, 2, 1], 3, False),
        ([0, 1, 3], 3, True),
    ],
)
def test_events_that_are_double_missing_or_misplaced_are_noticed(
    tmp_path: Path, numbers: list[int], unique: int, in_order: bool
) -> None:
    path = write(tmp_path / "out.zst", [record(1, number) for number in numbers])
    summary = read(path)
    assert (summary.events, summary.unique) == (len(numbers), unique)
    assert summary.in_order is in_order
    assert not summary.complete


def test_an_output_without_events_has_no_figure(tmp_path: Path) -> None:
    path = write(tmp_path / "out.zst", [])
    summary = plots.summarise(path, tmp_path / "a.png", None, "empty", "pp")
    assert (summary.events, summary.first, summary.last) == (0, -1, -1)
    assert not summary.complete
    assert not (tmp_path / "a.png").exists()


def test_plain_files_read_like_packed_ones(tmp_path: Path) -> None:
    path = tmp_path / "out.hepmc"
    path.write_bytes(HEPMC3.header + record(1, 0) + HEPMC3.footer)
    assert read(path).events == 1


def test_a_cut_output_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    records = [record(1, number) for number in range(3000)]
    cut = tmp_path / "cut.hepmc"
    cut.write_bytes(HEPMC3.header + b"".join(records))
    with pytest.raises(readback.Unreadable, match="END_EVENT_LISTING"):
        read(cut)
    packed = write(tmp_path / "cut.zst", [b"".join(records)])
    packed.write_bytes(packed.read_bytes()[:-5000])
    with pytest.raises(readback.Unreadable):
        read(packed)


@pytest.mark.filterwarnings("ignore")
def test_events_that_pyhepmc_cannot_read_are_missed(tmp_path: Path) -> None:
    broken = record(1, 1).replace(b"V -1 0 [1,2]", b"V nonsense")
    path = write(tmp_path / "out.zst", [record(1, 0), broken, record(1, 2)])
    with pytest.raises(readback.Unreadable, match="pyhepmc reads 1 of its 3 events"):
        read(path)


def test_multiplicities_count_charged_particles_of_the_final_state(tmp_path: Path) -> None:
    events = [
        collision(0, 211, -211, 2212, 2112, 22, 130),  # three charged
        collision(1, -211, -211, 321, 3222, 3112, 3122, -11),  # six charged, two pi-
        collision(2, 1000010020, 12),  # a deuteron
    ]
    means = read(write(tmp_path / "out.zst", events), "pp").means
    assert means["charged"][0] == pytest.approx((3 + 6 + 1) / 3)
    assert means["charged"][1] == pytest.approx(numpy.std([3, 6, 1], ddof=1) / 3**0.5)
    assert means["pi-"][0] == pytest.approx((1 + 2 + 0) / 3)


def test_errors_follow_the_spread_between_events() -> None:
    axis = PerEvent(numpy.linspace(0.0, 2.0, 3))
    axis.fill(2, numpy.array([0, 0, 1]), numpy.array([0.5, 0.6, 1.5]))
    axis.fill(2, numpy.array([0, 1]), numpy.array([0.1, 7.0]))
    mean, error = axis.density()
    assert mean == pytest.approx([3 / 4, 1 / 4])
    expected = [numpy.std(counts, ddof=1) / 2 for counts in ([2, 0, 1, 0], [0, 1, 0, 0])]
    assert error == pytest.approx(expected)


def test_the_line_shape_comes_out_of_the_events(tmp_path: Path) -> None:
    path = write(tmp_path / "out.zst", [record(8, number) for number in range(4000)])
    means = read(path).means
    for name, exact in (("sigma at the peak / nb", 1.9845), ("A_FB at the peak", 0.0166)):
        value, error = means[name]
        assert abs(value - exact) < 4 * error
        assert 0 < error < 0.1


@pytest.mark.parametrize("kind", ["ee", "pp"])
def test_the_same_output_gives_the_same_figure(tmp_path: Path, kind: str) -> None:
    make = record if kind == "ee" else lambda _, k: collision(k, 211, -211, 2212, *[321] * (k % 3))
    path = write(tmp_path / "out.zst", [make(1, number) for number in range(300)])
    figures = []
    for turn in ("a", "b"):
        png, svg = tmp_path / f"{turn}.png", tmp_path / f"{turn}.svg"
        plots.summarise(path, png, svg, "twice", kind)
        figures.append((png.read_bytes(), svg.read_bytes()))
    assert figures[0] == figures[1]
    png_bytes, svg_bytes = figures[0]
    assert png_bytes.startswith(b"\x89PNG")
    assert b"<svg" in svg_bytes
    assert b"<dc:date>" not in svg_bytes


def test_the_command_tells_what_it_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "out.zst", [record(1, number) for number in range(20)])
    assert plots.main([str(path), "--kind", "ee"]) == 0
    assert "20 events [0, 19], each exactly once, in order" in capsys.readouterr().out
    path = write(tmp_path / "gap.zst", [record(1, 0), record(1, 2)])
    assert plots.main([str(path), "--kind", "ee"]) == 1
    assert "NOT each exactly once" in capsys.readouterr().out
    (tmp_path / "noise").write_bytes(b"noise")
    assert plots.main([str(tmp_path / "noise"), "--kind", "ee"]) == 1
    assert "not a whole HepMC3 listing" in capsys.readouterr().err
