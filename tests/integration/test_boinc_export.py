"""The export for BOINC's statistics sites: its form, who stands in it, and what is not told."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from server.domain import boinc_stats
from server.domain.rollup import DAY, Kind, floor
from server.services import boincstats
from tests.integration.test_doors import WORD, doors, give_password
from tests.kit.command_line import run
from tests.kit.gifts import amount, gave
from tests.kit.house import House, finish
from tests.kit.surfer import Surfer

# What BOINC's db_dump.cpp writes, in its order: the kind of each element, and whether it may lack.
REAL, WHOLE, TEXT, MD5 = r"-?\d+\.\d{6}", r"\d+", r"[^\x00-\x1f]*", r"[0-9a-f]{32}"
CREDIT = (("total_credit", REAL, True), ("expavg_credit", REAL, True), ("expavg_time", REAL, True))
USER = (("id", WHOLE, True), ("name", TEXT, True), ("create_time", WHOLE, True), *CREDIT,
        ("cpid", MD5, True), ("country", TEXT, False), ("url", TEXT, False),
        ("teamid", WHOLE, False), ("has_profile", "", False))  # fmt: skip
HOST = (("id", WHOLE, True), ("userid", WHOLE, False), *CREDIT, ("p_vendor", TEXT, True),
        ("p_model", TEXT, True), ("os_name", TEXT, True), ("os_version", TEXT, True),
        ("misc", TEXT, False), ("create_time", WHOLE, True), ("rpc_time", WHOLE, True),
        ("timezone", r"-?\d+", True), ("ncpus", WHOLE, True), ("p_fpops", REAL, True),
        ("p_iops", REAL, True), ("p_membw", REAL, True), ("m_nbytes", REAL, True),
        ("m_cache", REAL, True), ("m_swap", REAL, True), ("d_total", REAL, True),
        ("d_free", REAL, True), ("n_bwup", REAL, True), ("n_bwdown", REAL, True),
        ("avg_turnaround", REAL, True), ("credit_per_cpu_sec", REAL, True),
        ("host_cpid", MD5, True))  # fmt: skip
TEAM = (("id", WHOLE, True), ("type", WHOLE, True), ("name", TEXT, True), ("userid", WHOLE, True),
        *CREDIT, ("founder_name", TEXT, False), ("create_time", WHOLE, True), ("url", TEXT, False),
        ("name_html", TEXT, False), ("description", TEXT, False),
        ("country", TEXT, True))  # fmt: skip
TABLES = (("update_time", WHOLE, True), ("nusers_total", WHOLE, False),
          ("nteams_total", WHOLE, False), ("nhosts_total", WHOLE, False),
          ("total_credit", REAL, False), ("applications", r"\s*", True),
          ("badges", r"\s*", True))  # fmt: skip
FILES = {
    "user.gz": ("users", "user", USER), "host.gz": ("hosts", "host", HOST),
    "team.gz": ("teams", "team", TEAM),
    "user_deleted.gz": ("users_deleted", "user", (("id", WHOLE, True), ("cpid", MD5, True))),
    "host_deleted.gz": ("hosts_deleted", "host", (("id", WHOLE, True), ("host_cpid", MD5, True))),
}  # fmt: skip


def fits(element: Element, form: tuple[tuple[str, str, bool], ...]) -> None:
    """An element has these children in this order, each as its kind says."""
    tags, known = [each.tag for each in element], [name for name, _, _ in form]
    assert tags == [name for name in known if name in tags], "only these, in this order, once"
    assert {name for name, _, must in form if must} <= set(tags)
    patterns = {name: pattern for name, pattern, _ in form}
    for each in element:
        assert re.fullmatch(patterns[each.tag], each.text or ""), (each.tag, each.text)


@dataclass
class Pool:
    """Two accounts with credit from real events, and one of them in a browser."""

    found: House
    browser: Surfer
    tokens: dict[str, str]
    hosts: dict[str, int]

    async def read(self, name: str) -> list[Element]:
        """The entries of a file, which is checked."""
        await boincstats.write(self.found.deps)
        answer = await self.found.answer("GET", f"/stats/{name}")
        assert answer.status == 200
        root = ElementTree.fromstring(gzip.decompress(answer.body))
        tag, entry, form = FILES[name]
        assert root.tag == tag
        for each in root:
            assert each.tag == entry
            fits(each, form)
        return list(root)

    async def say(self, name: str, **word: object) -> dict[str, object]:
        """Somebody agrees, or not."""
        status, said = await self.found.call(
            "PUT", "/api/v1/me/export", json_bytes(word), self.tokens[name]
        )
        assert status == 200, said
        return dict(said)


def json_bytes(value: object) -> bytes:
    """A message."""
    return json.dumps(value).encode()


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    """Ada and Bob computed a production; Ada's address was checked."""
    async with doors(tmp_path) as (found, browser):
        await found.produce(found.definition(events=100, unit=50, reference=0))
        hands = [await found.join(name) for name in ("ada", "bob")]
        await finish(found, hands)
        today = floor(found.deps.clock(), DAY)
        tokens = {}
        for hand in hands:
            await gave(found, Kind.HOST, str(hand.id), today - DAY, amount(100, 1.0))
            tokens[hand.name] = (await found.token(hand.name, kind="api"))["token"]
        await found.deps.store.write(
            lambda tx: tx.run(
                "UPDATE accounts SET email = 'Ada@Example.org', email_checked_at = 1"
                " WHERE name = 'ada'"
            )
        )
        await give_password(found, "ada")
        yield Pool(found, browser, tokens, {hand.name: hand.id for hand in hands})


async def test_nobody_stands_in_the_files_who_did_not_agree(pool: Pool) -> None:
    assert await pool.read("user.gz") == []
    assert await pool.read("host.gz") == []
    assert await pool.read("user_deleted.gz") == []
    answer = await pool.found.answer("GET", "/stats/tables.xml")
    root = ElementTree.fromstring(answer.body)
    fits(root, TABLES)
    assert (root.findtext("nusers_total"), root.findtext("nhosts_total")) == ("2", "2")
    assert root.findtext("applications/application/name") == "toy"
    assert float(root.findtext("total_credit") or 0) > 0


async def test_who_agreed_stands_in_them_with_his_computers_and_without_his_address(
    pool: Pool,
) -> None:
    said = await pool.say("ada", agreed=True)
    [user] = await pool.read("user.gz")
    assert (user.findtext("name"), user.findtext("cpid")) == ("ada", said["published_id"])
    assert float(user.findtext("total_credit") or 0) > 0
    assert float(user.findtext("expavg_credit") or 0) > 0
    [host] = await pool.read("host.gz")
    assert host.findtext("id") == str(pool.hosts["ada"])
    assert host.findtext("userid") == user.findtext("id")
    assert (host.findtext("ncpus"), host.findtext("p_model")) == ("4", "x86_64")
    assert float(host.findtext("total_credit") or 0) == float(user.findtext("total_credit") or 0)
    files = [(await pool.found.answer("GET", f"/stats/{name}")).body for name in FILES]
    everything = b"".join(gzip.decompress(file) for file in files).lower()
    assert b"example.org" not in everything
    assert b"bob" not in everything
    private = await pool.found.rows("SELECT cross_id FROM stats_consents")
    assert private[0][0].encode() not in everything


async def test_a_team_tells_nothing_of_its_people_who_did_not_agree(pool: Pool) -> None:
    """Alone in a team, its credit is his own."""
    found = pool.found
    for name in ("ada", "bob"):
        body = json_bytes({"name": f"Team of {name}"})
        status, _ = await found.call("POST", "/api/v1/teams", body, pool.tokens[name])
        assert status == 201
    assert await pool.read("team.gz") == []
    await pool.say("ada", agreed=True)
    [team] = await pool.read("team.gz")
    [user] = await pool.read("user.gz")
    told = {each.tag: each.text for each in team}
    assert (told["name"], told["userid"]) == ("Team of ada", user.findtext("id"))
    assert told["total_credit"] == user.findtext("total_credit")
    status, _ = await found.call("POST", "/api/v1/teams/leave", b"", pool.tokens["ada"])
    assert status == 204
    _, all_teams = await found.call("GET", "/api/v1/teams", None, pool.tokens["bob"])
    [bobs] = all_teams["teams"]
    await found.call("POST", f"/api/v1/teams/{bobs['id']}/join", b"", pool.tokens["ada"])
    [team] = await pool.read("team.gz")
    told = {each.tag: each.text for each in team}
    assert (told["name"], told["userid"]) == ("Team of bob", "0"), "its founder did not agree"
    assert told["total_credit"] == user.findtext("total_credit"), "what bob gave is not in it"


async def test_who_takes_it_back_is_named_to_be_deleted(pool: Pool) -> None:
    before = await pool.say("ada", agreed=True)
    [host] = await pool.read("host.gz")
    assert (await pool.say("ada", agreed=False))["published_id"] == ""
    assert await pool.read("user.gz") == []
    assert await pool.read("host.gz") == []
    [gone] = await pool.read("user_deleted.gz")
    assert gone.findtext("cpid") == before["published_id"]
    [machine] = await pool.read("host_deleted.gz")
    assert machine.findtext("host_cpid") == host.findtext("host_cpid")
    assert (await pool.say("ada", agreed=True))["published_id"] == before["published_id"]
    assert await pool.read("user_deleted.gz") == []


async def test_an_id_of_another_project_makes_one_the_same_person_there(pool: Pool) -> None:
    one = await pool.say("bob", agreed=True, cross_id="ab" * 16)
    assert one["published_id"] == boinc_stats.public_id("ab" * 16, "")
    again = await pool.say("bob", agreed=True, cross_id="cd" * 16)
    assert again["published_id"] != one["published_id"]
    assert await pool.say("bob", agreed=True) == again
    status, refused = await pool.found.call(
        "PUT", "/api/v1/me/export", json_bytes({"agreed": True, "cross_id": "me"}),
        pool.tokens["bob"],
    )  # fmt: skip
    assert (status, "32 digits" in refused["detail"]) == (400, True)


async def test_consent_is_given_and_taken_back_on_the_profile_and_the_command_line(
    pool: Pool, tmp_path: Path
) -> None:
    await pool.browser.log_in("ada", WORD)
    assert "You agreed" not in (await pool.browser.get("/profile")).text
    answer = await pool.browser.send("/profile/export", "/profile", {"agreed": "on"})
    assert answer.status == 303
    assert "You agreed" in (await pool.browser.get("/profile")).text
    await pool.browser.send("/profile/export", "/profile", {})
    assert "You agreed" not in (await pool.browser.get("/profile")).text
    (tmp_path / "token").write_text(pool.tokens["ada"])
    door = ("--server", pool.found.url, "--token-file", tmp_path / "token", "--json")
    for args, agreed in (((), False), (("--agree",), True), (("--withdraw",), False)):
        said = await asyncio.to_thread(run, "me", "export", *args, *door)
        assert said.json()["agreed"] is agreed


async def test_the_duty_writes_once_a_day_and_not_at_all_if_told_so(pool: Pool) -> None:
    deps = pool.found.deps
    await boincstats.write(deps)
    assert await boincstats.once(deps) is False
    later = dataclasses.replace(deps.exports, every_s=1e-9)
    deps.exports = later
    assert await boincstats.once(deps) is True
    assert (await pool.found.answer("GET", "/stats/user.gz")).status == 200
    deps.exports = dataclasses.replace(later, every_s=0.0)
    assert (await pool.found.answer("GET", "/stats/user.gz")).status == 404, "none are sent either"
    assert await boincstats.once(deps) is False
    assert (await pool.found.answer("GET", "/stats/../server.key")).status == 404
    assert (await pool.found.answer("GET", "/stats/other.xml")).status == 404
