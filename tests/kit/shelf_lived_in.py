"""Contexts with a past, for pages to show: of a volunteer, an institute, and an operator."""

from __future__ import annotations

from typing import Any

from tests.kit.house import House
from tests.kit.shelves import WORKER, Somebody, somebody

SCRIPT = "mkdir -p /var/spool/analysis\n"


async def contexts(found: House) -> dict[str, str]:
    """Make them; the names by which addresses speak of them."""
    anna = await somebody(found, "volunteer")
    ines = await somebody(found, "institute", "institute")
    olga = await somebody(found, "operator", "operator")
    admin = await somebody(found, "admin", "admin")
    await _defaults(admin)
    worker = await _worker(anna)
    sealed = await anna.made("Old head", document={}, role="head")
    gone = await anna.made("Tried once")
    await anna.call("DELETE", f"/{gone['context']['id']}")
    desktop = await _public(ines, olga)
    await _waiting(ines)
    await anna.call("POST", "/api/v1/clusters?note=summer+school")
    return {"context": worker, "head": str(sealed["context"]["id"]), "public": desktop[0],
            "unread": desktop[1]}  # fmt: skip


async def _defaults(admin: Somebody) -> None:
    document = {"general": {"timezone": "UTC"},
                "repository": {"proxies": ["http://squid.example.org:3128"]}}  # fmt: skip
    body = {"started_from": 0, "document": document}
    status, said = await admin.call("PUT", "/api/v1/context-defaults/experiment", body)
    assert status == 200, said


async def _worker(anna: Somebody) -> str:
    """A context with a secret, two revisions and a script."""
    made = await anna.made("Batch worker", description="Works for the spring production.",
                           tags=["batch", "spring"], role="worker")  # fmt: skip
    document: Any = {**WORKER, "contextualization": {"after": SCRIPT}}
    document["condor"] = {"master": "head.example.org", "secret": "a-long-pool-password"}
    await anna.edited(made, document=document, note="a folder for the analysis", role="worker")
    return str(made["context"]["id"])


async def _public(ines: Somebody, olga: Somebody) -> tuple[str, str]:
    """A context that everybody may use, and one that waits to be read."""
    ids = []
    for name, role in (("Desktop of the summer school", "desktop"), ("Site squid", "squid")):
        made = await ines.made(name, document={}, role=role, tags=["school", role])
        ids.append(str(made["context"]["id"]))
        status, said = await ines.call("POST", f"/{ids[-1]}/publish")
        assert status == 200, said
    verdict = {"revision": 1, "verdict": "list"}
    assert (await olga.call("POST", f"/{ids[0]}/review", verdict))[0] == 204
    return ids[0], ids[1]


async def _waiting(ines: Somebody) -> None:
    made = await ines.made("Tools", document={"contextualization": {"after": "tools --start\n"}})
    await ines.call("POST", f"/{made['context']['id']}/publish")
