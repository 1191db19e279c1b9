"""Who runs a site, over real HTTP: at home there, and by no route at another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.handlers import openapi
from server.handlers.access import Role
from tests.architecture.test_routes import ROUTES
from tests.integration.test_cli_served import Terminal
from tests.kit.house import House, house
from tests.kit.shelves import HASH, Somebody, somebody
from tests.kit.vm import Owner, Vm

API = "/api/v1"
SECRET = {"users": {"users": [{"name": "worker", "group": "users", "password": HASH}]}}
OFF = {"mode": "offline", "how": "stop"}
OPERATORS = {"PUT /sites/{name}/admins/{account}", "DELETE /sites/{name}/admins/{account}"}


@dataclass(frozen=True)
class Lands:
    """Two sites, each with a host of an account ``farmer`` and a token; anna runs cern alone."""

    house: House
    anna: Somebody
    olga: Somebody
    hosts: dict[str, int]
    tokens: dict[str, int]

    async def tell(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """A call of the administrator."""
        return await self.house.manage(method, path, body)

    def calls(self, site: str) -> list[tuple[str, str, Any]]:
        """Every call that has to do with a site, as one who runs it would make it."""
        host, token = self.hosts[site], self.tokens[site]
        limits = {"cores": 1, "memory_mb": 0, "hours": "", "network": True}
        return [
            ("GET", f"/sites/{site}", None),
            ("PUT", f"/sites/{site}/mode", OFF),
            ("PUT", f"/sites/{site}/mode", {**OFF, "hosts": [host]}),
            ("PUT", f"/sites/{site}/mode", {"mode": "online"}),
            ("PUT", f"/sites/{site}/kind", {"kind": "cluster"}),
            ("GET", f"/sites/{site}/admins", None),
            ("GET", f"/sites/{site}/giving", None),
            ("GET", f"/sites/{site}/enrolments", None),
            ("POST", f"/sites/{site}/enrolments/{token}/revoke", None),
            ("GET", f"/machines?site={site}", None),
            ("GET", f"/machines/{host}", None),
            ("POST", f"/machines/{host}/pause", None),
            ("POST", f"/machines/{host}/resume", None),
            ("PUT", f"/machines/{host}/limits", limits),
            ("PUT", f"/machines/{host}/name", {"name": "node"}),
            ("POST", "/enrolments", {"site": site}),
            ("POST", "/pairings", {"site": site}),
            ("GET", f"/context-defaults/site/{site}", None),
            ("PUT", f"/context-defaults/site/{site}", {"started_from": 0, "document": SECRET}),
            ("POST", "/contexts", {"name": f"at {site}", "document": {}, "site": site}),
            ("POST", f"/machines/{host}/unmanage", None),
        ]


@pytest.fixture
async def lands(tmp_path: Path) -> AsyncIterator[Lands]:
    """A server with them."""
    async with house(tmp_path) as found:
        hosts, tokens = {}, {}
        for site in ("cern", "desy"):
            made = await found.token("farmer", site=site, uses=5)
            tokens[site] = made["id"]
            status, joined = await found.enrol(made["token"], f"node-{site}")
            assert status == 201
            hosts[site] = joined["host"]
        anna = await somebody(found, "anna")
        olga = await somebody(found, "olga", "operator")
        status, said = await olga.call("PUT", f"{API}/sites/cern/admins/anna")
        assert status == 204, said
        yield Lands(found, anna, olga, hosts, tokens)


def test_every_route_of_a_site_is_tried_here() -> None:
    made = Lands(None, None, None, {"x": 7}, {"x": 8}).calls("x")  # type: ignore[arg-type]
    tried = {(method, path.partition("?")[0]) for method, path, _ in made}
    wanted = set()
    for route in ROUTES:
        path = openapi.template(route.path).removeprefix(API)
        if not isinstance(route.access, Role) or not path.startswith(("/sites/", "/machines/{")):
            continue
        if f"{route.method} {path}" in OPERATORS or path.endswith("/recontextualize"):
            continue  # tried by themselves
        for word, value in (("{name}", "x"), ("{machine}", "7"), ("{token}", "8")):
            path = path.replace(word, value)
        wanted.add((route.method, path))
    assert len(wanted) > 10
    assert wanted - tried == set()


async def test_who_runs_a_site_does_everything_there_and_by_no_route_at_another(
    lands: Lands,
) -> None:
    for method, path, body in lands.calls("desy"):
        status, said = await lands.anna.call(method, API + path, body)
        assert status in (400, 403, 404), (method, path, said)
    _, site = await lands.tell("GET", "/sites/desy")
    assert (site["mode"], site["kind"]) == ("online", "")
    assert "desy" not in str(await lands.anna.call("GET", f"{API}/sites"))
    mixed = {**OFF, "hosts": [lands.hosts["cern"], lands.hosts["desy"]]}
    assert (await lands.anna.call("PUT", f"{API}/sites/cern/mode", mixed))[0] == 400
    strange = f"{API}/sites/cern/enrolments/{lands.tokens['desy']}/revoke"
    assert (await lands.anna.call("POST", strange))[0] == 404
    for path in ("/mode", "/accounts/farmer/mode"):
        assert (await lands.anna.call("PUT", API + path, OFF))[0] == 403
    assert (await lands.anna.call("GET", f"{API}/machines?all=1"))[1] == {"machines": []}
    # The same calls at home, so that it is not for their bodies that they were refused.
    for method, path, body in lands.calls("cern"):
        status, said = await lands.anna.call(method, API + path, body)
        assert status < 300, (method, path, said)


async def test_who_runs_a_site_names_nobody_and_what_he_may_not_run_may_as_well_not_be(
    lands: Lands,
) -> None:
    await somebody(lands.house, "eve", "institute")
    for method, path in (("PUT", "cern/admins/eve"), ("DELETE", "cern/admins/anna"),
                         ("PUT", "desy/admins/anna")):  # fmt: skip
        status, said = await lands.anna.call(method, f"{API}/sites/{path}")
        assert (status, said["code"]) == (403, "forbidden"), path
    for name in ("desy", "never"):
        status, said = await lands.anna.call("GET", f"{API}/sites/{name}")
        assert (status, said["code"]) == (403, "not-your-site")
    assert (await lands.olga.call("GET", f"{API}/sites/never"))[0] == 404
    assert (await lands.olga.call("PUT", f"{API}/sites/cern/admins/never"))[0] == 404


@pytest.mark.parametrize("how", ["dropped", "demoted"])
async def test_who_runs_a_site_no_longer_is_out_at_once(lands: Lands, how: str) -> None:
    saved = {"started_from": 0, "document": SECRET}
    path = f"{API}/context-defaults/site/cern"
    assert (await lands.anna.call("PUT", path, saved))[0] == 200
    made = await lands.anna.made("At cern", site="cern", document={"cernvm": {"version": "4"}})
    id = made["context"]["id"]
    wish = {"target": "cloud-config", "secrets": True}
    assert HASH in str(await lands.anna.call("POST", f"/{id}/render", wish))
    share = {"visibility": "site", "names": ["cern"]}
    assert (await lands.anna.call("PUT", f"/{id}/sharing", share))[0] == 200
    status, token = await lands.anna.call("POST", f"{API}/enrolments", {"site": "cern"})
    assert status == 201
    if how == "dropped":
        assert (await lands.olga.call("DELETE", f"{API}/sites/cern/admins/anna"))[0] == 204
    else:
        assert (await lands.tell("POST", "/accounts/anna/role", {"role": "volunteer"}))[0] == 204
        assert (await lands.tell("POST", "/accounts/anna/role", {"role": "institute"}))[0] == 204
    for method, path, body in lands.calls("cern"):
        status, said = await lands.anna.call(method, API + path, body)
        assert status in (400, 403, 404), (method, path, said)
    assert (await lands.house.enrol(token["token"], "late"))[1]["code"] == "token-revoked"
    # His own context says nothing of what the site keeps to itself, nor is it the site's any more.
    for path, body in (
        (f"/{id}/render", wish),
        ("/preview", {"document": {}, "site": "cern", **wish}),
        ("/preview", {"document": {"cernvm": {"version": "4"}}, "of": id, **wish}),
    ):
        status, said = await lands.anna.call("POST", path, body)
        assert (status, HASH in str(said)) == (200, False), (path, said)
    _, kept = await lands.anna.call("GET", f"/{id}")
    assert kept["context"]["visibility"] == "private"


async def test_a_machine_is_not_put_into_a_site_that_its_owner_has_lost_meanwhile(
    lands: Lands,
) -> None:
    anna, vm = Owner(lands.house, "anna", lands.anna.token), Vm(lands.house)
    made = await anna.begin(site="cern")
    await vm.present(made["pin"])
    await anna.confirm(made["id"], vm.words)
    assert (await lands.olga.call("DELETE", f"{API}/sites/cern/admins/anna"))[0] == 204
    for _ in range(2):
        answer = await vm.collect()
        assert (answer.status, answer.code) == (410, "pairing-over")
    assert (await anna.ask("GET", "/machines")).body["machines"] == []


async def test_who_runs_a_site_gives_its_machines_what_he_and_their_owner_may_use(
    lands: Lands,
) -> None:
    """Nobody hands out another's private contexts, nor his own to whom they are not shared with."""
    farmer = await somebody(lands.house, "farmer")
    host = lands.hosts["cern"]
    path = f"{API}/machines/{host}/recontextualize"
    private, shared = await farmer.made("Private"), await farmer.made("Shared")
    body = {"visibility": "site", "names": ["cern"]}
    id = shared["context"]["id"]
    assert (await farmer.call("PUT", f"/{id}/sharing", body))[0] == 200
    hers = (await lands.anna.made("Hers"))["context"]["id"]
    for context in (private["context"]["id"], hers):
        assert (await lands.anna.call("POST", path, {"context_id": context}))[0] == 404
    assert (await lands.anna.call("POST", path, {"context_id": id}))[0] == 200
    await farmer.edited(shared)
    status, said = await lands.anna.call("POST", path, {})
    assert (status, said["revision"]) == (200, 2), "its own, in its newest revision"


async def test_a_volunteer_who_is_named_is_of_the_institute_and_the_log_tells_all(
    lands: Lands,
) -> None:
    assert (await lands.anna.call("GET", f"{API}/me"))[1]["role"] == "institute"
    assert (await lands.anna.call("PUT", f"{API}/sites/cern/mode", OFF))[0] == 200
    assert (await lands.olga.call("DELETE", f"{API}/sites/cern/admins/anna"))[0] == 204
    _, log = await lands.tell("GET", "/audit?what=site.")
    told = [(each["who"], each["what"], each["subject"]) for each in log["entries"]]
    assert told == [("olga", "site.admin-drop", "cern"), ("anna", "site.switch", "cern"),
                    ("olga", "site.admin-add", "cern")]  # fmt: skip


async def test_sites_are_given_to_people_from_the_command_line(
    lands: Lands, tmp_path: Path
) -> None:
    terminal = Terminal(lands.house, tmp_path)
    await terminal.run("site", "admin", "add", "desy", "anna")
    rows = await terminal.run("site", "admin", "list", "desy")
    assert [row["name"] for row in rows] == ["anna"]
    await terminal.run("site", "admin", "remove", "desy", "anna")
    [row] = await terminal.run("site", "tokens", "desy")
    assert (row["account"], row["state"]) == ("farmer", "open")
    await terminal.run("site", "revoke", "desy", str(row["id"]))
    [machine] = await terminal.run("machine", "list", "--site", "desy")
    assert machine["name"] == "node-desy"
