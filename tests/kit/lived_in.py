"""A pool with some life in it, made through the doors by real requests, for pages to show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from server.domain.alert import Level, Sign
from server.domain.giving import Power
from server.domain.rollup import DAY, Kind, floor
from server.services import powers
from server.services.upkeep import alerts, watch
from tests.kit import shelf_lived_in
from tests.kit.gifts import amount, gave, give
from tests.kit.house import Hand, House
from tests.kit.vm import Vm, owner
from vmagent.wire import messages as m

BAD = 137
LOG = f"reading geometry\n#0 Tracker::fit\nSegmentation fault at event {BAD}\n"


async def _crash(hand: Hand, lease: m.Lease) -> None:
    """Deliver what comes before the bad event, and die of it; or do all if it is not there."""
    if not lease.first <= BAD < lease.last:
        await hand.work(lease)
        return
    if lease.first < BAD:
        await hand.send(lease, lease.first, BAD)
    failure = m.EventFailure(BAD, BAD + 1, "crashed")
    await hand.report(lease, "failed", reason="crashed", failures=[failure], log=LOG)


async def _work(found: House) -> list[Hand]:
    """A production with an event that fails everywhere, and three hosts on it until it is done."""
    await found.produce(found.definition(events=400, unit=200, reference=0))
    hands = [await found.join(name) for name in ("ada", "bob", "cat")]

    async def done() -> bool:
        for hand in hands:
            for lease in await hand.leases():
                await _crash(hand, lease)
        return bool((await found.show())["state"] == "done")

    await found.until(done, 60)
    return hands


async def live(found: House) -> dict[str, str]:
    """Let things happen; the names by which the addresses of example pages speak of them."""
    hands = await _work(found)
    await found.produce(found.definition("mumu-91gev", events=100_000, unit=10_000, reference=0))
    await hands[0].leases()
    ban = {"reason": "its memory is broken", "seconds": 86_400}
    await _said(found, "POST", f"/hosts/{hands[2].id}/ban", ban)
    old = {"version": "0.8.1", "reason": "it may lose events on a full disk"}
    await _said(found, "POST", "/agents/ban", old)
    pattern: dict[str, Any] = {
        "name": "no-geometry", "regex": "cannot read geometry", "kind": "input",
        "action": "hold-production", "most": 3, "note": "The map of the detector is missing.",
    }  # fmt: skip
    await _said(found, "POST", "/patterns", pattern)
    await _farm(found)
    wish = {"mode": "offline", "how": "stop", "grace_s": 2, "reason": "beam"}
    await _said(found, "PUT", "/sites/cms-hlt/mode", wish)
    [[failed]] = await found.rows("SELECT min(id) FROM tasks WHERE state = 'failed'")
    names = {"production": "toy-run", "site": "cms-hlt", "host": str(hands[0].id),
             "banned": str(hands[2].id), "failed": str(failed)}  # fmt: skip
    names |= await _alerts(found)
    more = await shelf_lived_in.contexts(found), await _pairings(found)
    assert not more[0].keys() & more[1].keys()
    await _circles(found)
    gifts = await give(found, "volunteer", int(more[1]["machine"]), "cms-hlt")
    return {**names, **more[0], **more[1], **gifts}


async def _farm(found: House) -> None:
    """Machines of a site that gave something today; one knows what a core of it does."""
    today = floor(found.deps.clock(), DAY)
    for name, core in (("trigger-farm-033", 18.2), ("trigger-farm-034", 0.0)):
        made = await found.token("cms-daq", site="cms-hlt")
        _, said = await found.enrol(made["token"], name)
        card = found.deps.registry.hosts[said["host"]]
        await powers.heard(found.deps, card, Power(core, 0.0))
        await gave(found, Kind.HOST, str(card.id), today, amount(40_000, 90.5))


async def _circles(found: House) -> None:
    """A site that somebody runs, a group with members, and one that asks for more."""
    await _said(found, "PUT", "/sites/cms-hlt/admins/institute", None)
    ines = await owner(found, "institute", "institute")
    for name, title in (("na61", "NA61/SHINE, spring production"), ("alice", "ALICE")):
        await ines.ask("POST", "/groups", {"name": name, "title": title})
        for whom in ("volunteer", "admin"):
            await ines.ask("POST", f"/groups/{name}/invitations", {"account": whom})
    person = await owner(found, "volunteer")
    assert (await person.ask("POST", "/groups/na61/join")).status == 200


async def _alerts(found: House) -> dict[str, str]:
    """A disk that is not there, a site that was silent for a while, and a backup."""
    deps, now = found.deps, found.deps.clock()
    deps.upkeep.paths += (Path("/mnt/calibration"),)
    silent = Sign("site-silent", "desy", Level.BAD, "No machine of desy was heard of for 2 hours",
                  "Ask its admin: power, network, proxy.", "/sites/desy")  # fmt: skip
    await alerts.look(deps, [silent], now - 7200)
    await _said(found, "POST", "/backups", None)
    await watch.once(deps)
    rows = (await _said(found, "GET", "/alerts", None))["alerts"]
    rows += (await _said(found, "GET", "/alerts?over=1", None))["alerts"]
    numbers = {row["subject"]: str(row["id"]) for row in rows}
    return {"alert": numbers["/mnt/calibration"], "over": numbers["desy"]}


async def _pairings(found: House) -> dict[str, str]:
    """A volunteer with a machine, a token, and pairings in several states."""
    person = await owner(found, "volunteer")
    names = {}
    for name in ("paired", "cancelled", "waiting", "claimed", "crowded"):
        made = await person.begin(name="attic" if name == "paired" else "")
        names[name] = made["id"]
        machines = [Vm(found, f"vm-{k}") for k in range({"crowded": 2}.get(name, 1))]
        for vm in machines if name in ("paired", "claimed", "crowded") else ():
            await vm.present(made["pin"])
        if name == "paired":
            await person.confirm(made["id"], machines[0].words)
            hand = await machines[0].in_hand()
            names["machine"] = str(hand.id)
            await hand.leases()
            await person.ask("POST", f"/machines/{hand.id}/pause")
        if name == "cancelled":
            await person.ask("DELETE", f"/pairings/{made['id']}")
    await person.ask("POST", "/enrolments", {"note": "rack 7", "networks": "192.0.2.0/24"})
    return names


async def _said(found: House, method: str, path: str, body: Any) -> Any:
    status, said = await found.manage(method, path, body)
    assert status < 300, (path, said)
    return said
