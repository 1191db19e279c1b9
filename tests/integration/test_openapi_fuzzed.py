"""Every route of the OpenAPI document, asked with what it allows and what it forbids."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.kit.house import House
from tests.kit.ports import free_port
from tests.kit.real_server import ROOT, RealServer, far_house

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 15  # of each route
PAGE_EXAMPLES = 5
WORD = "wombat staple orchard"
WAITING = r"/(events|commands|live)(/|$)"  # these wait for something to happen


@dataclass(frozen=True)
class Pool:
    """A server with a production and a host, and the two tokens."""

    url: str
    admin: str
    host: str


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    folder = tmp_path_factory.mktemp("fuzzed")
    server = RealServer(folder, free_port())
    server.prepare()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(server.command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        found, host = asyncio.run(_filled(server))
        yield Pool(found.url, found.admin, host)
        assert process.poll() is None, "the server is still there"
    finally:
        process.terminate()
        process.communicate()
    said = (folder / "log").read_text()
    assert "request failed" not in said, said[-3000:]


async def _filled(server: RealServer) -> tuple[House, str]:
    async with aiohttp.ClientSession() as session:
        found = far_house(server, session)
        await found.produce(found.definition(events=200, reference=0))
        hand = await found.join("ada")
        await hand.leases()
        return found, hand.token


@dataclass(frozen=True)
class Browser:
    """A browser that was shown a page with a form."""

    cookies: dict[str, str]
    csrf: str


class Window:
    """A browser: it has seen the page to log in on, and logs in as often as a page wants it to."""

    def __init__(self, pool: Pool) -> None:
        """The administrator gets a password."""
        self.pool, self.session = pool, requests.Session()
        headers = {"Authorization": f"Bearer {pool.admin}"}
        address = f"{pool.url}/api/v1/accounts/admin/password"
        answer = requests.post(address, json={"password": WORD}, headers=headers, timeout=30)
        assert answer.status_code == 204

    def visitor(self) -> Browser:
        """As nobody in particular."""
        with requests.Session() as session:
            return self._with(session, "/login")

    def person(self) -> Browser:
        """As the administrator."""
        page = self.session.get(f"{self.pool.url}/profile", timeout=30, allow_redirects=False)
        if page.status_code != 200:
            self.session = requests.Session()
            form = {"name": "admin", "password": WORD, "csrf": self._with(self.session).csrf}
            self.session.post(f"{self.pool.url}/login", form, timeout=30)
        return self._with(self.session, "/profile")

    def _with(self, session: requests.Session, path: str = "/login") -> Browser:
        page = session.get(f"{self.pool.url}{path}", timeout=30)
        cookies = {str(name): str(value) for name, value in session.cookies.items()}
        return Browser(cookies, value_of(page.text))


def value_of(page: str) -> str:
    """The value that the forms of a page carry."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def security_of(operation: Any) -> set[str]:
    """By what it is known who calls; empty text: nobody has to be known."""
    stated = operation.definition.raw.get("security", [])
    return {name for each in stated for name in each or {"": []}}


def fuzz(
    operation: Any, token: str, visitor: Browser | None = None, examples: int = EXAMPLES
) -> str:
    """Ask one route again and again; what was wrong with an answer."""

    @seed(7)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        if visitor is not None and isinstance(case.body, dict):
            case.body["csrf"] = visitor.csrf
        more = {} if visitor is None else {"cookies": visitor.cookies, "allow_redirects": False}
        case.call_and_validate(headers=headers, checks=CHECKS, **more)

    try:
        ask()
    except FailureGroup as error:
        return f"{operation.label}: {[str(each)[:600] for each in error.exceptions]}"
    return ""


def pairs_as_lists(schema: Any) -> Any:
    """The document without `prefixItems`, which schemathesis 4.32 turns into what it then refuses.

    The pairs here are of two equal types, so their items say the same.
    """
    if isinstance(schema, list):
        return [pairs_as_lists(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: pairs_as_lists(value) for key, value in schema.items()}
    if "prefixItems" in made:
        made["items"] = made.pop("prefixItems")[0]
    return made


def operations_of(pool: Pool) -> list[Any]:
    """Every operation of the document."""
    document = requests.get(f"{pool.url}/openapi.json", timeout=30).json()
    found = schemathesis.openapi.from_dict(pairs_as_lists(document))
    found.config.update(base_url=pool.url)
    results = list(found.exclude(path_regex=WAITING).get_all_operations())
    operations = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(operations) == len(results)
    return operations


@pytest.mark.timeout(600)
def test_every_page_keeps_to_its_document(pool: Pool) -> None:
    window, faults = Window(pool), []
    pages = [each for each in operations_of(pool) if "session" in security_of(each)]
    assert len(pages) > 30
    for operation in pages:
        seen = window.visitor() if "" in security_of(operation) else window.person()
        faults.append(fuzz(operation, pool.admin, seen, PAGE_EXAMPLES))
    assert [fault for fault in faults if fault] == []


@pytest.mark.timeout(600)
def test_every_route_keeps_to_its_document(pool: Pool) -> None:
    """Those that revoke come last: they are asked for the very token that all is asked with."""
    faults = []
    routes = [each for each in operations_of(pool) if "session" not in security_of(each)]
    assert len(routes) > 30
    for operation in sorted(routes, key=lambda each: "revoke" in each.label):
        faults.append(
            fuzz(operation, pool.host if "host" in security_of(operation) else pool.admin)
        )
    assert [fault for fault in faults if fault] == []
