"""Operations on a real server: what goes wrong is seen, told, taken on, and over."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from server.blobs.base import BlobFailed
from server.domain.alert import OVER_AFTER_S
from server.handlers.upkeep_pages import UpkeepPages
from server.services.upkeep import alerts, backups, telling, watch
from server.services.upkeep.rounds import LATE_LEAST_S
from server.services.upkeep.webhook import Webhook
from tests.integration.test_doors import WORD, give_password
from tests.kit.command_line import run
from tests.kit.house import House, house
from tests.kit.surfer import surfer

# The machine that tests run on may be as full and as slow as it likes.
ROOMY = {
    "operations.space_warn_percent": "0", "operations.space_bad_percent": "0",
    "operations.slow_s": "60",
}  # fmt: skip


@asynccontextmanager
async def still(folder: Path, **options: str) -> AsyncIterator[House]:
    """A server whose clock can be moved, and on which nothing looks but when it is told to."""
    async with house(folder, **ROOMY, **options) as found:
        for task in asyncio.all_tasks():
            if task.get_name().startswith("windfall-"):
                task.cancel()
        await asyncio.sleep(0)
        yield found


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[House]:
    """Such a server."""
    async with still(tmp_path) as found:
        yield found


async def look(pool: House) -> dict[str, Any]:
    """Look at everything; operations as an operator sees them."""
    await watch.once(pool.deps)
    return await operations(pool)


async def operations(pool: House) -> dict[str, Any]:
    """Operations as they are."""
    return dict(await pool.told("/operations"))


def box(found: dict[str, Any], name: str) -> tuple[str, str]:
    """How a box looks, and what it says."""
    (one,) = (one for one in (*found["parts"], *found["sites"]) if one["name"] == name)
    return one["look"], one["words"]


def later(pool: House, seconds: float) -> None:
    """Time goes on at once."""
    before = pool.deps.clock
    pool.deps.clock = lambda: before() + seconds
    pool.deps.upkeep.rounds.known.clear()  # they go by the real one


async def test_a_healthy_pool_says_all_well_by_itself(tmp_path: Path) -> None:
    async with house(tmp_path, **ROOMY) as pool:

        async def well() -> Any:
            found = await operations(pool)
            return found if found["said"] == "All well." else None

        found = await pool.until(well)
        assert (found["look"], found["alerts"]) == ("good", [])
        for name in ("Server duties", "Database", "Blobs"):
            assert box(found, name) == ("good", "checked in just now")
        assert box(found, "Mail") == ("off", "not set up")
        duties = {one["name"] for one in found["duties"]}
        assert duties >= {"judge", "merge", "reap", "watch", "tell", "backup"}


async def test_a_silent_site_turns_amber_then_pink_and_is_well_again(pool: House) -> None:
    await pool.enrol((await pool.token("desy", site="desy-hh"))["token"], "wn1")
    assert box(await look(pool), "desy-hh") == ("good", "checked in just now")
    later(pool, 400.0)
    found = await look(pool)
    assert box(found, "desy-hh") == ("warn", "checked in 6 minutes ago")
    assert found["said"].startswith("No machine of desy-hh was heard of for 6 minutes.")
    later(pool, 3600.0)
    look_, words = box(found := await look(pool), "desy-hh")
    assert look_ == "bad"
    assert words.startswith("not connected since ")
    (alert,) = found["alerts"]
    assert (alert["kind"], alert["level"], alert["count"]) == ("site-silent", "bad", 1)
    for card in pool.deps.registry.hosts.values():
        card.seen_at = pool.deps.clock()
    later(pool, OVER_AFTER_S)
    found = await look(pool)
    assert (found["said"], found["alerts"]) == ("All well.", [])
    (over,) = (await pool.manage("GET", "/alerts?over=1"))[1]["alerts"]
    assert over["id"] == alert["id"]
    _, story = await pool.manage("GET", f"/alerts/{alert['id']}")
    assert [step["target"] for step in story["steps"]] == ["over", "open"]


async def test_a_site_that_was_switched_off_is_not_missed(pool: House) -> None:
    await pool.enrol((await pool.token("desy", site="desy-hh"))["token"], "wn1")
    await pool.manage("PUT", "/sites/desy-hh/mode", {"mode": "offline"})
    later(pool, 9999.0)
    found = await look(pool)
    assert found["said"] == "All well."
    assert box(found, "desy-hh")[0] == "off"


async def test_blobs_that_do_not_answer_are_an_alert_that_outlives_a_restart(
    tmp_path: Path,
) -> None:
    async def fails(key: str) -> None:
        raise BlobFailed("no route to storage", retry=True)

    async with still(tmp_path) as pool:
        pool.deps.blobs.stat = fails
        found = await look(pool)
        assert box(found, "Blobs") == ("bad", "does not answer: no route to storage")
        (first,) = found["alerts"]
    async with still(tmp_path) as pool:
        (again,) = (await operations(pool))["alerts"]
        assert (again["id"], again["first_at"]) == (first["id"], first["first_at"])


async def test_a_duty_that_fails_and_one_that_hangs_are_named(pool: House) -> None:
    rounds = pool.deps.upkeep.rounds
    failing = rounds.add("tidy", 600.0)
    with pytest.raises(ValueError, match="a table"), rounds.round(failing):
        raise ValueError("a table is gone")
    hanging = rounds.add("polish", 1.0)
    hanging.started_at -= LATE_LEAST_S + 120
    found = await look(pool)
    assert {one["cause"] for one in found["alerts"]} == {
        "tidy failed once: a table is gone", "polish is late by 2 minutes"
    }  # fmt: skip
    assert box(found, "Server duties") == ("bad", "2 of 2 in trouble: polish, tidy")


async def test_an_alert_is_taken_on_and_muted_by_api_and_command_line(
    pool: House, tmp_path: Path
) -> None:
    pool.deps.upkeep.paths = (tmp_path / "gone",)
    (alert,) = (await look(pool))["alerts"]
    token = tmp_path / "token"
    token.write_text(pool.admin)
    token.chmod(0o600)
    server = ("--server", pool.url, "--token-file", token)

    async def windfall(*args: str) -> Any:
        return await asyncio.to_thread(run, *args, *server)

    said = await windfall("alert", "list")
    assert "gone cannot be looked at" in said.out
    assert (await windfall("operations", "--check")).code == 1
    assert (await windfall("alert", "ack", str(alert["id"]))).out.endswith("by admin\n")
    assert (await windfall("operations", "--check")).code == 0
    assert "mute for 2h" in (await windfall("alert", "mute", str(alert["id"]), "--for", "2h")).out
    assert (await windfall("alert", "mute", str(alert["id"]), "--for", "soon")).code == 2
    assert (await windfall("alert", "ack", "999")).code == 6
    assert (await windfall("alert", "test")).code == 4, "nobody is to be told here"
    shown = (await windfall("alert", "show", str(alert["id"]), "--json")).json()
    assert (shown["alert"]["acked_by"], shown["alert"]["muted_by"]) == ("admin", "admin")
    assert [step["target"] for step in shown["steps"]] == ["acknowledged", "open"]
    told = (await windfall("alert", "show", str(alert["id"]))).out
    assert len(re.findall(r"^\d{4}-\d\d-\d\d .* UTC +\S+ +(?:open|acknowledged) ", told, re.M)) == 2
    assert "e+09" not in told + said.out
    long = await windfall("alert", "mute", str(alert["id"]), "--for", "401d")
    assert (long.code, long.err) == (2, "Error: --for 401d: 400d at most\n")
    _, audit = await pool.manage("GET", "/audit?what=alert.")
    assert [one["what"] for one in audit["entries"]] == ["alert.mute", "alert.ack"]


async def test_an_operator_does_the_same_on_the_page_and_an_administrator_backs_up(
    pool: House, tmp_path: Path
) -> None:
    pool.deps.doors.passwords.hasher = PasswordHasher(1, 64, 1)
    pool.deps.upkeep.paths = (tmp_path / "gone",)
    (alert,) = (await look(pool))["alerts"]
    page = f"/operations/alerts/{alert['id']}"
    await pool.manage("POST", "/accounts", {"name": "olga", "role": "operator"})
    async with surfer(pool.url) as olga:
        assert (await olga.get("/operations")).onto.startswith("/login")
        await give_password(pool, "olga")
        await olga.log_in("olga", WORD)
        shown = await olga.get("/operations")
        assert f'form="ack" name="alert" value="{alert["id"]}"' in shown.text
        assert "Back up the database now" not in shown.text
        assert (await olga.post("/operations/ack", {"alert": str(alert["id"])})).status == 303
        assert "taken on by olga" in (await olga.get("/operations")).text
        assert (await olga.post(f"{page}/mute", {"seconds": "3600"})).onto == page
        assert "mute until" in (await olga.get(page)).text
        assert (await olga.post(f"{page}/mute", {"seconds": "99999999"})).status == 400
        assert (await olga.post("/operations/ack", {"alert": "x"})).status == 400
        assert (await olga.post("/operations/backup")).status == 403
        pool.deps.upkeep.paths = ()
        later(pool, OVER_AFTER_S)
        await look(pool)
        answer = await olga.post("/operations/ack", {"alert": str(alert["id"])})
        assert answer.status == 303
        assert "is over already" in (await olga.get("/operations")).text
        assert "gone cannot be looked at" in (await olga.get("/operations/alerts")).text
    async with surfer(pool.url) as admin:
        await give_password(pool, "admin")
        await admin.log_in("admin", WORD)
        assert (await admin.send("/operations/backup", "/operations", {})).status == 303
        assert "whole, looked over" in (await admin.get("/operations")).text


async def test_what_all_who_look_get_holds_nothing_of_one_person(pool: House) -> None:
    pages = UpkeepPages(pool.deps)
    assert "csrf" not in await pages._rendered(), "what is one person's is not in what all get"


async def test_people_below_operators_see_nothing_of_it(pool: House) -> None:
    made = await pool.token("vera", kind="api", role="institute")
    for path in ("/operations", "/alerts", "/alerts/1", "/backups"):
        status, _ = await pool.call("GET", f"/api/v1{path}", None, made["token"])
        assert status == 403, path
    status, _ = await pool.call("POST", "/api/v1/backups", None, made["token"])
    assert status == 403


async def test_the_pool_is_told_of_though_the_database_takes_nothing(pool: House) -> None:
    sent: list[Any] = []

    class Ear(Webhook):
        async def send(self, message: Any) -> None:
            sent.append([(line.word, line.alert.sign.subject) for line in message.lines])

    pool.deps.upkeep.channels = (Ear("https://x.example"),)
    write = pool.deps.store.write

    async def full(op: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    pool.deps.store.write = full
    await watch.once(pool.deps)
    await telling_once(pool)
    assert sent == [[("raised", "database")]]
    pool.deps.store.write = write
    pool.deps.upkeep.probes.clear()
    found = await look(pool)
    (alert,) = found["alerts"]
    assert alert["id"] > 0
    await telling_once(pool)
    assert len(sent) == 1, "it was told of already, under a number that was not kept"


async def telling_once(pool: House) -> None:
    """Tell who is to be told; the database may refuse to keep that."""
    try:
        await telling.once(pool.deps)
    except sqlite3.OperationalError:
        return


async def test_backups_are_made_on_schedule_looked_over_and_thinned(pool: House) -> None:
    desk = pool.deps.upkeep
    assert desk.vault is not None
    folder = desk.vault.folder
    desk.schedule = type(desk.schedule)(3600.0, 2, desk.schedule.place)
    await backups.once(pool.deps)
    assert not folder.exists(), "a new server has other things to do"
    for _ in range(4):
        later(pool, 3600.0)
        await backups.once(pool.deps)
        await backups.once(pool.deps)
    (folder / ".windfall-20200101T000000.db.1.partial").write_bytes(b"left by a server killed")
    later(pool, 3600.0)
    await backups.once(pool.deps)
    rows = (await pool.manage("GET", "/backups"))[1]["backups"]
    states = [one["state"] for one in rows]
    assert states == ["whole", "whole", "deleted", "deleted", "deleted"]
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == sorted(one["name"] for one in rows[:2])
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    with sqlite3.connect(folder / kept[-1]) as copy:
        assert copy.execute("SELECT count(*) FROM accounts").fetchone()[0] == 1
    copy.close()


async def test_a_backup_that_fails_is_told_and_missed(pool: House) -> None:
    desk = pool.deps.upkeep
    assert desk.vault is not None
    desk.vault.folder.parent.mkdir(exist_ok=True)
    desk.vault.folder.write_text("a file where the folder should be")
    status, said = await pool.manage("POST", "/backups")
    assert (status, said["code"]) == (503, "backup-failed")
    assert (await operations(pool))["backups"]["latest"][0]["state"] == "failed"
    (alert,) = (await look(pool))["alerts"]
    assert alert["cause"].startswith("The last backup failed: ")
    assert "backup.elsewhere" in alert["cure"]
    later(pool, 3 * 86_400.0)
    causes = [one["cause"] for one in (await look(pool))["alerts"]]
    assert "No backup is known" in causes
    desk.schedule = replace(desk.schedule, elsewhere=True)
    later(pool, OVER_AFTER_S)
    assert (await look(pool))["said"] == "All well."


async def test_a_backup_goes_to_other_storage_and_is_read_back(pool: House, tmp_path: Path) -> None:
    from server.blobs.local import LocalBlobs
    from server.services.upkeep.desk import Vault

    desk = pool.deps.upkeep
    assert desk.vault is not None
    far = LocalBlobs(tmp_path / "far")
    desk.vault = Vault(desk.vault.database, desk.vault.folder, far)
    status, made = await pool.manage("POST", "/backups")
    assert status == 201, made
    assert (tmp_path / "far" / made["name"]).stat().st_size == made["size"]
    assert list(desk.vault.folder.iterdir()) == []

    class Rotten(LocalBlobs):
        async def stream(self, key: str, *args: Any, **more: Any) -> AsyncIterator[bytes]:
            async for piece in super().stream(key, *args, **more):
                yield piece[:-1] + b"x"

    desk.vault = Vault(desk.vault.database, desk.vault.folder, Rotten(tmp_path / "far"))
    status, said = await pool.manage("POST", "/backups")
    assert (status, said["code"]) == (503, "backup-failed")
    assert len(list((tmp_path / "far").iterdir())) == 1, "what was not read is no backup"


async def test_alerts_over_long_ago_are_forgotten(pool: House, tmp_path: Path) -> None:
    pool.deps.upkeep.paths = (tmp_path / "gone",)
    await look(pool)
    pool.deps.upkeep.paths = ()
    later(pool, 100.0)
    await look(pool)
    assert len(await alerts.listed(pool.deps, True, 0, 9)) == 1
    later(pool, 401 * 86_400.0)
    await watch.forget(pool.deps)
    assert await alerts.listed(pool.deps, True, 0, 9) == []
