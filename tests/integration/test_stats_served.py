"""The statistics over HTTP and by the command line: who sees what, as JSON, CSV and words."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout
from yarl import URL

from server.db import views
from server.db.base import Tx
from server.domain.rollup import Measure
from server.handlers import pages, statistics_pages, stats_api
from server.services import gauges, pictures, rollups, stats
from tests.kit.command_line import run
from tests.kit.house import Hand, House, house

BASE = "/api/v1/stats"


async def worked(found: House) -> Hand:
    """A production of 400 events that is done, by one host."""
    await found.produce(found.definition(events=400, unit=200, quorum=1, reference=0))
    hand = await found.join("ada")
    for lease in await hand.leases(8):
        await hand.work(lease)
    while leases := await hand.leases(8):
        for lease in leases:
            await hand.work(lease)

    async def done() -> bool:
        return bool((await found.show())["state"] == "done")

    await found.until(done)
    await gauges.once(found.deps)
    await rollups.once(found.deps)
    return hand


async def api_token(found: House, account: str) -> str:
    """A token with which an account asks."""
    return str((await found.token(account, kind="api", uses=1))["token"])


async def test_figures_are_served_to_whom_they_concern(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        hand = await worked(found)

        async def get(path: str, token: str | None = None, **headers: str) -> Any:
            return await found.answer("GET", BASE + path, None, token, headers)

        now = (await get("/now")).body
        assert (now["machines"], now["hosts"], now["by"]["machine"]) == (1, 1, {"volunteer": 1})
        assert now["seen"]["machines_seen"] == {"hour": 1, "day": 1, "month": 1}
        totals = (await get("/totals")).body["values"]
        assert (totals["events_settled"], totals["events_validated"]) == (400, 400)
        assert set(totals) == set(map(str, Measure))
        series = (await get("/series?measure=events_settled&span=hour")).body
        assert (sum(series["values"]), series["step_s"], len(series["values"])) == (400, 60, 60)
        gauge = (await get("/series?measure=machines_connected&span=hour")).body
        assert max(value for value in gauge["high"] if value is not None) == 1
        split = await get("/split?measure=events_settled&kind=production&span=all")
        assert list(split.body["values"].values()) == [400]
        [month] = (await get("/months?kind=production&key=1")).body["months"]
        assert month["values"]["events_settled"] == 400

        for ask in ("?format=csv", ""):
            wanted = {} if ask else {"Accept": "text/csv"}
            path = f"/series{ask or '?'}&measure=events_settled&span=hour"
            answer = await get(path, **wanted)
            assert answer.headers["Content-Type"].startswith("text/csv")
            rows = list(csv.reader(io.StringIO(answer.body.decode())))
            assert rows[0] == ["time", "events_settled", "low", "high"]
            assert sum(int(row[1]) for row in rows[1:]) == 400

        for wrong in ("measure=love", "measure=frames&span=eon", "measure=frames&kind=host"):
            assert (await get(f"/series?{wrong}")).code == "bad-parameter", wrong
        assert (await get("/series?measure=frames&format=xml")).code == "bad-parameter"
        assert (await get(f"/totals?key={'x' * 200}")).code == "bad-parameter"
        for path in ("/split?kind=country", "/series?kind=site&key=hlt"):
            assert (await get(f"{path}&measure=machines_seen")).code == "bad-parameter", path
        assert (await get("/series?measure=machines_seen")).status == 200

        own = f"/own/series?measure=events_validated&span=all&kind=host&key={hand.id}"
        assert (await get(own)).status == 401
        eve = await api_token(found, "eve")
        assert (await get(own, eve)).code == "forbidden"
        assert (await get("/own/split?measure=frames&kind=host", eve)).code == "forbidden"
        assert (await get("/own/totals?kind=account&key=1", eve)).code == "forbidden"
        mine = (await get(own, await api_token(found, "ada"))).body
        assert sum(mine["values"]) == 400
        assert sum((await get(own, found.admin)).body["values"]) == 400
        split = await get("/own/split?measure=frames&kind=host", found.admin)
        assert list(split.body["values"]) == [str(hand.id)]

        assert (await found.manage("POST", "/stats/check"))[1] == {"ok": True, "discrepancies": []}
        await commands(found)


async def commands(found: House) -> None:
    """The same by hand, and the check when something was altered."""
    environ = {"WINDFALL_SERVER": found.url, "WINDFALL_TOKEN_FILE": str(found.settings.admin_token)}

    async def said(*args: str) -> Any:
        return await asyncio.to_thread(run, "stats", *args, environ=environ)

    shown = await said("show", "--json")
    assert (shown.json()["machines"], shown.json()["events_settled"]) == (1, 400)
    series = await said("series", "events_settled", "--span", "year", "--json")
    assert sum(row["value"] for row in series.json()) == 400
    split = await said("split", "events_settled", "--kind", "production", "--span", "all", "--json")
    assert [row["value"] for row in split.json()] == [400]
    assert (await said("series", "love")).code != 0
    checked = await said("check")
    assert (checked.code, checked.out) == (0, "the figures are what the ledgers say\n")

    async def alter(tx: Tx) -> None:
        await tx.run("UPDATE figures SET tasks_leased = tasks_leased + 5 WHERE kind = 'pool'")

    await found.deps.store.write(alter)
    checked = await said("check")
    assert checked.code == 1
    assert "tasks_leased of pool" in checked.err


async def test_statistics_that_are_not_public_are_for_who_is_signed_in(tmp_path: Path) -> None:
    async with house(tmp_path, **{"statistics.public": "false"}) as found:
        for path in ("/now", "/totals", "/series?measure=frames"):
            assert (await found.answer("GET", BASE + path)).status == 401
            token = await api_token(found, "ada")
            assert (await found.answer("GET", BASE + path, None, token)).status == 200
        site = (await found.token("daq", site="hlt"))["id"]
        assert site
        status, view = await found.manage("PUT", "/sites/hlt/kind", {"kind": "trigger-farm"})
        assert (status, view["kind"]) == (200, "trigger-farm")
        assert (await found.manage("PUT", "/sites/hlt/kind", {"kind": "toaster"}))[0] == 400
        assert (await found.manage("PUT", "/sites/none/kind", {"kind": "cloud"}))[0] == 404
        made = await found.token("daq", site="hlt")
        await found.enrol(made["token"], "farm-1")

        async def here() -> Any:
            """What is told is a second old at most."""
            _, now = await found.manage("GET", "/stats/now")
            return now["by"] if now["machines"] else None

        by = await found.until(here)
        assert isinstance(by, dict)
        assert (by["machine"], by["site"]) == ({"trigger-farm": 1}, {"hlt": 1})


@pytest.mark.parametrize("public", ["true", "false"])
async def test_what_is_not_public_is_told_at_no_other_address(tmp_path: Path, public: str) -> None:
    async with (
        house(tmp_path, **{"statistics.public": public}) as found,
        ClientSession(timeout=ClientTimeout(total=60)) as session,
    ):
        await found.enrol((await found.token("daq", site="hlt"))["token"], "farm-1")

        async def status(path: str) -> int:
            """What is answered, whose body may have no end."""
            at = URL(found.url + path, encoded=True)
            async with session.get(at, allow_redirects=False) as answer:
                return answer.status

        # The numbers of the pool, by a name in which there is a slash.
        for path in ("/sites/%2Fstatistics", "/productions/%2F%2Fstatistics", "/sites/run%2Fhlt"):
            kept = public == "false" and path.startswith("/sites/")
            gone = [303, 401] if kept else [404, 404]  # a stream leads nobody to another page
            assert [await status(path), await status(f"{path}/events")] == gone, path
        shown = [200, 200] if public == "true" else [303, 401]
        assert [await status("/sites/hlt"), await status("/sites/hlt/events")] == shown
        assert (found.deps.exports.every_s > 0) is (public == "true")


class Reads:
    """Counts how often something is read, and how many do so at once."""

    def __init__(self) -> None:
        """Nobody did."""
        self.made = self.at_once = self.most = 0

    def of(self, plain: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """The same, counted."""

        async def read(*args: Any) -> Any:
            self.made, self.at_once = self.made + 1, self.at_once + 1
            self.most = max(self.most, self.at_once)
            try:
                return await plain(*args)
            finally:
                self.at_once -= 1

        return read


async def test_however_many_look_at_a_production_it_is_counted_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path) as found:
        await worked(found)
        reads = Reads()
        monkeypatch.setattr(views, "unit_states", reads.of(views.unit_states))
        monkeypatch.setattr(pages, "AGE_S", 0.0)  # each time anew, but for who waits
        paths = ["/productions/toy-run"] * 40
        answers = await asyncio.gather(*(found.answer("GET", path) for path in paths))
        assert {one.status for one in answers} == {200}
        assert reads.most == 1
        assert 1 <= reads.made < len(paths)


async def test_strangers_who_ask_for_figures_take_one_reader_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads()
    for module in (stats_api, statistics_pages):
        monkeypatch.setattr(module, "KEPT_S", 600.0)
    monkeypatch.setattr(stats, "split", reads.of(stats.split))
    monkeypatch.setattr(pictures, "exact", reads.of(pictures.exact))
    years = [f"{BASE}/split?measure={word}&kind=country&span=year" for word in Measure]
    async with house(tmp_path) as found:
        answers = await asyncio.gather(*(found.answer("GET", path) for path in years * 3))
        assert {one.status for one in answers} == {200}
        assert (reads.made, reads.most) == (len(years), 1), (
            "one after the other, and each for all who ask"
        )
        files = ["/statistics/sites.csv?range=year"] * 20
        answers = await asyncio.gather(*(found.answer("GET", path) for path in files))
        assert {one.status for one in answers} == {200}
        assert (reads.made, reads.most) == (len(years) + 1, 1)
