"""The whole story with real parts: an account, a context, a machine that is paired, works, goes.

One server, one production and one browser; each story has a person of its own and a machine of its
own, which is a real agent on a real terminal.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.integration.test_doors import WORD
from tests.integration.test_pages_in_a_browser import PROGRAM, SWITCHES
from tests.integration.test_pair_terminal import programs
from tests.kit.agent_process import AgentProcess
from tests.kit.command_line import run
from tests.kit.terminal_driver import Person, code_of, words_of
from tools.demonstration.stage import ROOT, Stage

PATIENCE_S = 60.0  # the machine that tests run on may be busy
TICKS = ROOT / "tools" / "payloads" / "ticks"
WORKS = ("--slots", "1", "--flush-s", "0.5", "--poll-s", "1")
SHORT = {"accounts.signup": "open", "pairing.interval_s": "1"}
WINDFALL = (sys.executable, "-m", "server")
POOL_PASSWORD = "a-pool-password-1"


@dataclass(frozen=True)
class Desk:
    """A terminal of somebody with a token, on the machine that tests run on."""

    stage: Stage
    token: Path

    @property
    def environ(self) -> dict[str, str]:
        """What makes the commands his."""
        door = {"WINDFALL_SERVER": self.stage.url, "WINDFALL_TOKEN_FILE": str(self.token)}
        return {**door, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "linux"}

    def does(self, *words: str | Path, answers: str | None = None) -> str:
        """A command that has to work; what it says."""
        said = run(*words, environ=self.environ, answers=answers)
        assert said.code == 0, (words, said)
        return said.out

    def asks(self, *words: str | Path) -> Any:
        """A command's answer as JSON."""
        said = run(*words, "--json", environ=self.environ)
        assert said.code == 0, (words, said)
        return said.json()


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The desk of an administrator whose server has a production without an end."""
    stage = Stage(tmp_path_factory.mktemp("story"), options=SHORT)
    try:
        stage.prepare()
        stage.start_server()
        desk = Desk(stage, stage.data / "admin.token")
        produce(desk)
        yield desk
    finally:
        stage.close()


def produce(admin: Desk) -> None:
    """Sign and create a production of numbered lines, each unit of which is soon settled."""
    folder, stage = admin.stage.folder / "production", admin.stage
    shutil.copytree(TICKS, folder / "payload", ignore=shutil.ignore_patterns("__*", "*.toml"))
    text = (TICKS / "production.toml").read_text()
    for name, value in {"events": 200_000, "unit": 200, "quorum": 1}.items():
        text = re.sub(rf"(?m)^{name} = \d+$", f"{name} = {value}", text, count=1)
    (folder / "ticks.toml").write_text(text)
    bundle, key = folder / "ticks.tar.gz", stage.release_key
    admin.does("payload", "pack", folder / "payload", "-o", bundle)
    admin.does("payload", "sign", bundle, "--name", "ticks", "--version", "1", "--key", key)
    admin.does("payload", "add", bundle)
    signed = ("--payload", folder / "ticks.jws", "--key", key)
    admin.does("production", "create", folder / "ticks.toml", *signed, "--no-probe", "--yes")


@pytest.fixture
def machine(admin: Desk, tmp_path: Path) -> Iterator[AgentProcess]:
    """A machine without an owner, whose cloud-init only writes down how it was called."""
    made = AgentProcess(tmp_path / "state")
    yield made
    made.kill_all()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=PROGRAM, args=SWITCHES)
        yield made
        made.close()


@pytest.fixture
def page(admin: Desk, browser: Browser) -> Iterator[Page]:
    """A window of somebody whom the server does not know yet."""
    expect.set_options(timeout=PATIENCE_S * 1000)
    with browser.new_context(base_url=admin.stage.url) as window:
        window.set_default_timeout(PATIENCE_S * 1000)
        yield window.new_page()


in_browser = pytest.mark.skipif(PROGRAM is None, reason="apt-get install chromium-headless-shell")


def sign_up(page: Page, name: str) -> None:
    """Make an account."""
    page.goto("/")
    page.get_by_role("link", name="Log in").click()
    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("Account name").fill(name)
    page.get_by_label("Password").fill(WORD)
    page.get_by_role("button", name="Make the account").click()
    page.get_by_text("Logged in as").wait_for()


def create_context(page: Page) -> None:
    """A context from a template, its preview, and the page to pair a machine with it."""
    page.goto("/dashboard")
    page.get_by_role("link", name="Create context").first.click()
    page.get_by_role("link", name="Batch worker").click()
    page.get_by_label("Context name").fill("Night shift")
    page.get_by_label("Head", exact=True).fill("head.example.org")
    page.get_by_label("Pool password").fill(POOL_PASSWORD)
    preview = page.locator("#shown")
    expect(preview).to_contain_text("CONDOR_HOST = head.example.org")
    expect(preview).not_to_contain_text(POOL_PASSWORD)
    page.get_by_role("button", name="Save context").click()
    page.get_by_text("Night shift is saved.").wait_for()
    page.get_by_role("link", name="Pair an instance").last.click()


def confirm(page: Page, words: str) -> None:
    """Compare the words, and agree."""
    page.get_by_role("heading", name="I see a machine").wait_for()
    page.locator(".countdown strong").wait_for()
    assert " ".join(page.locator(".words li").all_inner_texts()) == words
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("heading", name="Paired").wait_for()
    page.get_by_role("link", name="See what it does").click()


def fact(page: Page, name: str) -> str:
    """What the page of a machine says now."""
    page.reload()
    row = page.locator("dl.facts > div").filter(has=page.get_by_text(name, exact=True))
    return row.locator("dd").inner_text()


def settled(page: Page) -> int:
    """How many events of the machine were agreed with."""
    return int(re.sub(r"\D", "", fact(page, "events agreed with")))


def pause_and_resume(page: Page, person: Person, machine: AgentProcess) -> None:
    """Freeze the machine, let it go on, and see more events of it."""
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("The machine is told to pause.").wait_for()
    person.becomes(lambda: machine.status()["state"] == "suspended")
    resume = page.get_by_role("button", name="Resume")
    person.becomes(lambda: page.reload() is not None and resume.is_visible())
    resume.click()
    page.get_by_text("The machine is told to go on.").wait_for()
    person.becomes(lambda: machine.status()["state"] == "working")
    before = settled(page)
    person.becomes(lambda: settled(page) > before)


def unmanage(page: Page) -> None:
    """Take the machine away."""
    page.get_by_text("Unmanage this machine").click()
    page.get_by_role("button", name="Unmanage").click()
    page.get_by_text("No machine is yours yet").wait_for()


@pytest.mark.browser
@in_browser
def test_a_machine_is_paired_in_a_browser_by_pin_and_works_until_it_is_taken_away(
    admin: Desk, page: Page, machine: AgentProcess, tmp_path: Path
) -> None:
    sign_up(page, "ann")
    create_context(page)
    page.get_by_label("Name").fill("attic")
    page.get_by_role("button", name="Show a PIN").click()
    pin = page.locator(".code").inner_text().rpartition(":")[2].strip()
    more = programs(tmp_path, "cloud-init")
    with machine.at_terminal("pair", "--server", admin.stage.url, *WORKS, more=more) as person:
        person.sees("PIN: ")
        person.types(f"{pin}\r")
        confirm(page, words_of(person.sees("confirm there")))
        person.sees("of ann")
        person.sees("with context Night shift, revision 1")
        person.sees("Set up this system with the context? (y/N) ")
        person.types("y\r")
        person.sees("applied, through cloud-init")
        page.get_by_role("heading", name="attic", exact=True).wait_for()
        person.becomes(lambda: settled(page) > 0)
        assert fact(page, "context") == "Night shift, revision 1"
        assert "applied by cloud-init" in fact(page, "what became of it")
        pause_and_resume(page, person, machine)
        unmanage(page)
        assert person.wait(PATIENCE_S) == 14
        assert "the owner has taken this machine away" in person.shown
    seed = (tmp_path / "root" / "var/lib/cloud/seed/nocloud/user-data").read_text()
    assert POOL_PASSWORD in seed
    assert not (machine.state / "identity.json").exists()


@pytest.mark.browser
@in_browser
def test_a_machine_that_shows_a_code_is_paired_in_a_browser_and_its_service_begins(
    admin: Desk, page: Page, machine: AgentProcess
) -> None:
    machine.start("--unpaired", "wait", *WORKS)
    sign_up(page, "bob")
    with machine.at_terminal("pair", "--server", admin.stage.url, "--code") as person:
        shown = person.sees("confirm there")
        assert shown.count("█") > 50, "the QR code"
        page.goto("/pair")
        page.get_by_role("link", name="The machine shows a code").click()
        page.get_by_label("Code").fill(code_of(shown))
        page.get_by_role("button", name="Find the machine").click()
        confirm(page, words_of(shown))
        person.sees("of bob")
        person.sees("The agent begins to work now.")
        assert person.wait() == 0
        page.goto("/machines")
        mine = page.locator("#live")
        expect(mine).to_contain_text(re.compile(r"working.* [1-9]\S* events done"))
        mine.get_by_role("link").click()
        pause_and_resume(page, person, machine)
        unmanage(page)
        person.becomes(lambda: machine.status()["state"] == "unpaired")
    assert not (machine.state / "identity.json").exists()
    assert "its owner has taken this machine away" in machine.log.read_text()


def test_the_same_on_two_terminals_without_a_browser(
    admin: Desk, machine: AgentProcess, tmp_path: Path
) -> None:
    token = tmp_path / "eve.token"
    admin.does("account", "create", "eve")
    admin.does("account", "token", "eve", "--kind", "api", "--output", token)
    eve = Desk(admin.stage, token)
    assert "worker" in eve.does("context", "templates")
    field = ("--field", "agent.hours=0-24")
    eve.does("context", "create", "Spare", "--role", "pool", *field)
    files = eve.does("context", "render", "Spare", "--target", "amiconfig")
    assert "0-24" in files
    wish = ("--context", "Spare", "--name", "shed")
    with machine.at_terminal("pair", "--server", admin.stage.url, *WORKS) as person:
        refused = eve.asks("pair", "start", *wish)
        person.sees("PIN: ")
        person.types(f"{refused['pin']}\r")
        person.sees("confirm there")
        eve.does("pair", "reject", refused["id"])
        person.sees("the pairing was refused")
        with Person([*WINDFALL, "pair", "start", *wish], eve.environ) as owner:
            owner.sees("PIN  ")
            person.sees("PIN: ")
            person.types(owner.sees("good for").removesuffix("good for").strip() + "\r")
            words = words_of(person.sees("confirm there"))
            owner.sees(words)
            owner.sees("exactly these three words?")
            owner.types("y\r")
            person.sees("of eve")
            person.sees("with context Spare, revision 1")
            owner.sees("paired: machine ")
            assert owner.wait() == 0
        (row,) = eve.asks("machine", "list")
        id = str(row["id"])
        assert (row["name"], row["context_name"]) == ("shed", "Spare")

        def told() -> Any:
            return eve.asks("machine", "show", id)

        person.becomes(lambda: told()["events_done"] > 0)
        eve.does("machine", "pause", id)
        person.becomes(lambda: machine.status()["state"] == "suspended")
        eve.does("machine", "limit", id, "--cores", "1", "--hours", "0-24")
        eve.does("machine", "resume", id)
        person.becomes(lambda: machine.status()["state"] == "working")
        person.becomes(lambda: machine.status().get("limits") == "1 cores, hours 0-24")
        eve.does("context", "edit", "Spare", "--field", "agent.memory_mb=900")
        eve.does("machine", "recontextualize", id)
        person.becomes(lambda: machine.status().get("context") == "Spare, revision 2")
        before = told()["events_done"]
        person.becomes(lambda: told()["events_done"] > before)
        eve.does("machine", "unmanage", id, answers="y\n")
        assert person.wait(PATIENCE_S) == 14
        assert "To pair it anew: run `windfall-agent pair`" in person.shown
    assert eve.asks("machine", "list") == []
