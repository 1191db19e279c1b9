"""Logs of tasks are read in the background, and what their patterns say is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.test_leases_over import later, unmarked
from tests.kit.house import Hand, House, house
from vmagent.wire import codec
from vmagent.wire import messages as m

SEGFAULT = "event 5\n#0 Tracker::fit\n *** Break *** segmentation violation\nbye\n"
NO_MEMORY = "terminate called\n  what():  std::bad_alloc\n"
NO_CVMFS = "ls: /cvmfs/na61.cern.ch: No such file or directory\n"


async def toy(found: House, limits: str = "", **changes: Any) -> None:
    text = found.definition(**{"events": 100, "unit": 100, "reference": 0, "quorum": 1, **changes})
    await found.produce(text.replace("[limits]\n", f"[limits]\n{limits}"))


async def fail(found: House, hand: Hand, log: str, reason: str = "crashed") -> m.Lease:
    """Lease a range and fail it with this log; wait until the log was read."""
    [lease] = await hand.leases()
    status, said = await hand.report(lease, "failed", reason=reason, log=log)
    assert status == 200, said
    await read(found, lease.task)
    await unmarked(found)
    return lease


async def read(found: House, task: int) -> None:
    async def there() -> bool:
        return bool(await found.rows("SELECT 1 FROM findings WHERE task = $1", task))

    await found.until(there)


async def failures(found: House, query: str = "") -> dict[str, Any]:
    return dict(await found.told(f"/productions/toy-run/failures{query}"))


async def pattern(found: House, name: str, regex: str, **facts: Any) -> None:
    status, said = await found.manage("POST", "/patterns", {"name": name, "regex": regex, **facts})
    assert status == 201, said


async def errors(found: House) -> int:
    return int((await found.rows("SELECT errors FROM units"))[0][0])


async def test_a_failed_log_is_read_and_its_line_shown_with_its_surroundings(found: House) -> None:
    await toy(found)
    ada = await found.join("ada")
    lease = await fail(found, ada, SEGFAULT)
    said = await failures(found)
    [group] = said["groups"]
    assert (group["kind"], group["pattern"], group["tasks"]) == ("payload", "segfault", 1)
    [one] = said["latest"]
    assert (one["task"], one["host_name"]) == (lease.task, "ada")
    assert one["line"] == " *** Break *** segmentation violation"
    assert one["around"].startswith("event 5\n#0 Tracker::fit\n")
    _, listed = await found.manage("GET", "/patterns/segfault")
    assert (listed["matches"], listed["hosts"], listed["productions"]) == (1, 1, 1)
    assert (await failures(found, "?kind=disk"))["latest"] == []


async def test_what_nobody_knows_is_kept_as_unknown_with_its_last_line(found: House) -> None:
    await toy(found)
    await fail(found, await found.join("ada"), "all is well\nthen it stopped\n\n")
    [group] = (await failures(found))["groups"]
    assert (group["kind"], group["pattern"]) == ("unknown", "")
    assert group["line"] == "then it stopped"


async def test_a_delivered_log_is_read_too_and_leaves_no_trace_if_it_is_clean(
    found: House,
) -> None:
    await toy(found, unit=50)
    ada = await found.join("ada")
    await pattern(found, "no-field-map", "default field map", kind="input", action="ignore")
    for log in ("a fine run\n", "using the default field map\n"):
        [lease] = await ada.leases()
        status, _ = await ada.send(lease, lease.first, lease.last)
        assert status == 200
        await ada.report(lease, "delivered", log=log)
        if "default" in log:
            await read(found, lease.task)
    [group] = (await failures(found))["groups"]
    assert (group["outcome"], group["pattern"], group["tasks"]) == ("delivered", "no-field-map", 1)
    assert await found.rows("SELECT 1 FROM tasks WHERE log IS NOT NULL AND log <> ''") == []


async def test_want_of_memory_raises_it_within_the_signed_bound(found: House) -> None:
    await toy(found, limits="memory_mb = 1000\nmemory_mb_most = 3000\n")
    ada = await found.join("ada")
    given = []
    for log in (NO_MEMORY, NO_MEMORY, NO_MEMORY):
        lease = await fail(found, ada, log)
        given.append(lease.memory_mb)
        later(found, 1300.0)
    assert given == [0, 2000, 3000]
    assert await errors(found) == 1  # only the last one, with all that may be had


async def test_more_memory_is_given_to_hosts_that_have_it(found: House) -> None:
    await toy(found, limits="memory_mb = 6000\nmemory_mb_most = 9000\n")
    ada, bob = await found.join("ada"), await found.join("bob")
    await fail(found, ada, "", "memory")
    later(found, 80.0)
    assert await ada.leases() == []  # its 8000 MB are less than the 9000 it takes
    reason = (await found.show())["reason"]
    assert "unit 0 died for want of memory and now takes 9000 MB" in reason
    assert "no host here has more than 8000" in reason
    message = m.AskRequest("x" * 20, 1, 9500, 8000, None, {}, 1)
    _, said = await bob.call("POST", "/api/v1/work", message)
    [text] = codec.build(said, m.AskReply).leases
    assert codec.decode(text, m.Lease).memory_mb == 9000


async def test_raised_memory_and_unread_logs_outlive_the_server(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await toy(found, limits="memory_mb = 1000\nmemory_mb_most = 3000\n")
        ada = await found.join("ada")
        lease = await fail(found, ada, NO_MEMORY)
        token = ada.token
        await found.deps.store.write(lambda tx: tx.run("DELETE FROM findings"))
    async with house(tmp_path) as found:
        await read(found, lease.task)
        later(found, 1300.0)
        [again] = await Hand(found, "ada", ada.id, token).leases()
        assert again.memory_mb >= 2000


async def test_a_host_is_blamed_and_its_unit_is_not(found: House) -> None:
    await toy(found, most_errors=2)
    ada = await found.join("ada")
    await fail(found, ada, NO_CVMFS)
    assert await errors(found) == 0
    assert (await ada.ask()).retry_after > 20
    assert (await found.show())["reason"] == ""


async def test_what_is_put_down_to_hosts_too_often_holds_the_unit(found: House) -> None:
    await toy(found)
    for name in ("ada", "bob", "cat", "dan"):
        await fail(found, await found.join(name), NO_CVMFS)
    reason = (await found.show())["reason"]
    assert "failures put down to hosts of 4 accounts (pattern cvmfs-missing)" in reason
    status, _ = await found.manage("POST", "/productions/toy-run/release")
    assert status == 200
    await fail(found, await found.join("eve"), NO_CVMFS)
    assert "held" not in (await found.show())["reason"]


async def test_a_kind_has_a_bound_of_its_own_and_the_reason_shows_the_line(found: House) -> None:
    await toy(found)
    await pattern(found, "no-geometry", "no geometry", kind="input", most=2, rank=1)
    for name in ("ada", "bob"):
        await fail(found, await found.join(name), "x\nno geometry for run 7\n")
    reason = (await found.show())["reason"]
    assert "2 failures of kind input, and 2 may be (pattern no-geometry)" in reason
    assert "no geometry for run 7" in reason


async def test_a_production_is_held_when_enough_accounts_have_seen_it(found: House) -> None:
    await toy(found)
    await pattern(found, "bad-key", "wrong global key", action="hold-production", most=2)
    await fail(found, await found.join("ada"), "wrong global key 2017\n")
    assert (await found.show())["state"] == "active"
    bob = await found.join("bob")
    await fail(found, bob, "wrong global key 2017\n")
    view = await found.show()
    assert view["state"] == "held"
    assert view["reason"].startswith("pattern bad-key seen on 2 accounts: wrong global key 2017")
    later(found, 80.0)
    assert (await bob.ask()).leases == []
    await found.manage("POST", "/productions/toy-run/release")
    assert (await found.show())["state"] == "active"


async def test_what_is_ignored_is_no_error(found: House) -> None:
    await toy(found)
    await pattern(found, "known", "known bug", action="ignore")
    await fail(found, await found.join("ada"), "known bug 7\n")
    assert await errors(found) == 0


async def test_a_flood_of_logs_is_bounded(found: House) -> None:
    scans = found.deps.scans
    await toy(found)
    ada = await found.join("ada")
    await fail(found, ada, "x" * 65_000)
    assert (scans.waiting, scans.lost, len(scans.ends)) == (0, 0, 0)
