"""Histograms of a production: filled from settled units, each once, by a process beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from server.services import plotting
from server.services.close import unit_key
from server.services.plotting import Plotter
from tests.kit.house import Hand, House, house

PLOTS = """
[plots.pt]
title = "Transverse momentum"
quantity = "pt"
low = 0
high = 1
bins = 4
reference = [1, 1, 1, 1]
reference_name = "flat"
"""


def event(number: int) -> bytes:
    """An event with one pion, whose transverse momentum walks over the bins."""
    pt = (number % 4) / 4 + 0.1
    return (f"E {number} 1 1\nU GEV MM\nV -1 0 [1,2]\nP 1 -1 -211 {pt} 0 0 1 0.139 1\n").encode()


def definition(one: House, **changes: Any) -> str:
    """A small production in HepMC3 that asks for a plot."""
    text = one.definition(quorum=1, events=400, unit=100, **changes)
    return text.replace('format = "lines"', 'format = "hepmc3"') + PLOTS


async def work(hand: Hand, leases: int) -> None:
    """Compute so many leases."""
    for _ in range(leases):
        for lease in await hand.leases():
            await hand.work(lease, event, 100)


async def counted(one: House, events: int) -> dict[str, Any]:
    """The plots once so many events are counted."""

    async def look() -> dict[str, Any] | None:
        answer = await one.answer("GET", "/api/v1/productions/toy-run/plots")
        return dict(answer.body) if answer.body["events"] >= events else None

    found = await one.until(look)
    assert isinstance(found, dict)
    return found


async def test_settled_events_are_counted_once_over_restarts_and_shown(tmp_path: Path) -> None:
    async with house(tmp_path, **{"plots.cpu_percent": "100"}) as one:
        await one.produce(definition(one))
        hand = await one.join("ann")
        while (await one.show())["settled"] < 200:
            await work(hand, 1)
        before = await counted(one, 200)
        assert before["plots"][0]["counts"] == [before["events"] // 4] * 4
    async with house(tmp_path, **{"plots.cpu_percent": "100"}) as one:
        hand = await one.join("bob")
        while (await one.show())["settled"] < 400:
            await work(hand, 1)
        found = await counted(one, 400)
        assert found["events"] == found["settled"] == 400
        plot = found["plots"][0]
        assert plot["counts"] == [100, 100, 100, 100]
        assert plot["heights"] == plot["reference"] == [1.0, 1.0, 1.0, 1.0]
        assert plot["errors"][0] == pytest.approx(0.1)
        page = await one.answer("GET", "/productions/toy-run")
        assert b"Transverse momentum" in page.body
        assert b"line: flat" in page.body
        drawing = await one.answer("GET", "/productions/toy-run/plots/pt.svg")
        assert drawing.body.startswith(b"<?xml")
        table = await one.answer("GET", "/productions/toy-run/plots/pt.csv")
        assert table.body.decode().splitlines()[1] == "0,0.25,100,1,0.1,1"
        missing = await one.answer("GET", "/productions/toy-run/plots/mass.svg")
        assert missing.status == 404
        assert missing.code == "plot-unknown"


async def test_a_unit_that_cannot_be_read_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(tmp_path, **{"plots.cpu_percent": "0"}) as one:
        await one.produce(definition(one))
        hand = await one.join("ann")
        while (await one.show())["state"] != "done":
            await work(hand, 1)
        deps = one.deps
        await deps.blobs.put(unit_key(1, 1), b"no zstd at all")
        await deps.blobs.delete(unit_key(1, 2))
        plotter = Plotter(deps, 1.0)
        for _ in range(4):
            await plotter.once()
        found = await plotting.show(deps, "toy-run")
        assert (found.events, found.plots[0].counts) == (200, [50, 50, 50, 50])
        told = [record for record in caplog.records if record.message == "not plotted"]
        assert [getattr(record, "unit", None) for record in told] == [1, 2]
        await plotter.once()
        assert (await plotting.show(deps, "toy-run")).events == 200


async def test_a_production_without_plots_is_looked_at_once(tmp_path: Path) -> None:
    async with house(tmp_path, **{"plots.cpu_percent": "0"}) as one:
        await one.produce(one.definition(quorum=1, events=100, unit=100))
        hand = await one.join("ann")
        lease = (await hand.leases())[0]
        await hand.work(lease)
        await one.until(lambda: _settled(one))
        await Plotter(one.deps, 1.0).once()
        assert await one.rows("SELECT wanted, units FROM plots") == [(0, 0)]
        assert (await one.answer("GET", "/api/v1/productions/toy-run/plots")).body["plots"] == []


async def _settled(one: House) -> bool:
    return bool((await one.show())["settled"] == 100)
