"""Every page of the site in a real browser: in both themes, wide and narrow, by keyboard, bare.

SCREENSHOTS=FOLDER (or `tools/screenshots FOLDER`) draws each into a folder.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import product

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, BrowserContext, Page, Response, async_playwright

from tests.integration.test_doors import WORD, give_password
from tests.integration.test_pages_in_a_browser import PROGRAM, SWITCHES
from tests.kit.example_pages import EXAMPLES, Example
from tests.kit.house import House, house
from tests.kit.lived_in import live

WEIGHT = 100_000  # bytes of a page with its style and scripts
THEMES, WIDTHS = ("light", "dark"), (1280, 360)
GRAVE = ("serious", "critical")
# What axe-core looks for: everything once, and where another theme or width may change it, again.
RULES = {
    ("light", 1280): "{resultTypes: ['violations']}",
    ("dark", 360): "{resultTypes: ['violations'], runOnly: ['color-contrast', 'target-size']}",
}
SHOTS = os.environ.get("SCREENSHOTS", "")
SEEN = [example for examples in EXAMPLES.values() for example in examples]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        PROGRAM is None, reason="apt-get install chromium-headless-shell fonts-dejavu-core"
    ),
]

# What can be used by hand and is visible; of radio buttons, one of each group.
USABLE = """[...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
  .filter(e => e.checkVisibility({visibilityProperty: true}) && !e.disabled)
  .filter(e => e.type !== "radio" || e.checked || !document.querySelector(
      `input[name="${CSS.escape(e.name)}"]:checked`) && e === document.querySelector(
      `input[name="${CSS.escape(e.name)}"]`))"""
# Their HTML; from now on it is noted where one goes, and whether that is seen.
WATCHED = f"""(() => {{
  const usable = {USABLE}, html = e => e.outerHTML.slice(0, 120);
  window.visits = [];
  document.addEventListener("focusin", event => {{
    const e = event.target, s = getComputedStyle(e);
    const ring = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2;
    window.visits.push([usable.indexOf(e), ring, html(e)]);
  }});
  return usable.map(html);
}})()"""
SAID = """[...document.querySelectorAll("h1, h2, h3, label, legend, th, button:not([data-copy])")]
  .filter(e => e.checkVisibility()).map(e => e.textContent.trim())"""


@dataclass
class Walk:
    """A lived-in pool, a browser, and the windows of those who look, by role."""

    found: House
    browser: Browser
    names: dict[str, str]
    windows: dict[tuple[str, bool], BrowserContext] = field(default_factory=dict)

    async def window(self, who: str, scripts: bool = True) -> BrowserContext:
        """The browser of somebody with this role, signed in if it is one."""
        known = self.windows.get((who, scripts))
        if known is None:
            state = await (await self.window(who)).storage_state() if who and not scripts else None
            known = await self.browser.new_context(
                base_url=self.found.url, java_script_enabled=scripts, storage_state=state
            )
            if who and scripts:
                await log_in(known, self.found, who)
            self.windows[who, scripts] = known
        return known

    def keep_machines(self) -> None:
        """No machine goes away while a page is looked at, and looked at again."""
        now = self.found.deps.clock()
        for card in self.found.deps.registry.hosts.values():
            card.seen_at = now

    def address(self, example: Example) -> str:
        """Where it is."""
        return example.path.format(**self.names)


async def log_in(window: BrowserContext, found: House, role: str) -> None:
    """An account of this role, named like it, logs in by the form."""
    await found.manage("POST", "/accounts", {"name": role, "role": role})
    await give_password(found, role)
    page = await window.new_page()
    await page.goto("/login")
    await page.get_by_label("Name or e-mail address").fill(role)
    await page.get_by_label("Password").fill(WORD)
    await page.get_by_role("button", name="Log in").click()
    await page.get_by_text("Logged in as").wait_for()
    await page.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def walk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Walk]:
    """One server and one browser for all pages."""
    async with house(tmp_path_factory.mktemp("look")) as found, async_playwright() as play:
        found.deps.doors.passwords.hasher = PasswordHasher(1, 64, 1)  # the real one takes 64 MiB
        names = await live(found)
        browser = await play.chromium.launch(executable_path=PROGRAM, args=SWITCHES)
        yield Walk(found, browser, names)
        await browser.close()


@pytest.mark.parametrize("example", SEEN, ids=lambda example: f"{example.path} {example.who}")
async def test_a_page_is_fit_to_be_seen(walk: Walk, example: Example) -> None:
    page = await (await walk.window(example.who)).new_page()
    walk.keep_machines()
    answers: list[Response] = []
    complaints: list[str] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    answer = await page.goto(walk.address(example))
    assert answer is not None
    assert (answer.status, page.url) == (example.status, walk.found.url + walk.address(example))
    await holds_in_every_theme_and_width(page, example, walk)
    await can_be_used_by_keyboard(page)
    said = await page.evaluate(SAID)
    assert "<Macro" not in await page.inner_text("body")  # a name of the frame was taken
    assert [a.url for a in answers if not a.url.startswith(walk.found.url + "/")] == []
    assert await weight(answers) < WEIGHT
    assert [c for c in complaints if f"status of {example.status}" not in c] == []
    await page.close()
    await says_the_same_without_scripts(walk, example, said)


async def weight(answers: list[Response]) -> int:
    """The bytes of a page and what it is made of, without images and without its live stream."""
    plain = [a for a in answers if a.request.resource_type in ("document", "stylesheet", "script")]
    return sum([len(await answer.body()) for answer in plain])


async def holds_in_every_theme_and_width(page: Page, example: Example, walk: Walk) -> None:
    """Nothing sticks out, and axe-core finds nothing grave."""
    await page.evaluate(Axe().axe_script)
    for theme, width in product(THEMES, WIDTHS):
        await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 800})
        wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, (theme, width, await page.evaluate(OUTSIDE))
        if SHOTS:
            await draw(page, example, theme, width)
        if (theme, width) in RULES:
            found = await page.evaluate(f"axe.run(document, {RULES[theme, width]})")
            grave = [v for v in found["violations"] if v["impact"] in GRAVE]
            told = [(v["id"], n["html"], n["failureSummary"]) for v in grave for n in v["nodes"]]
            assert told == [], (theme, width)


OUTSIDE = """[...document.querySelectorAll("main *, header *, footer *")]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.outerHTML.slice(0, 100)).slice(0, 5)"""


async def draw(page: Page, example: Example, theme: str, width: int) -> None:
    """A picture of the page in the folder that was asked for."""
    plain = example.path.replace("{", "").replace("}", "").strip("/")
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in plain) or "home"
    who = f"-{example.who}" if example.who else ""
    await page.screenshot(path=f"{SHOTS}/{name}{who}-{theme}-{width}.png", full_page=True)


async def can_be_used_by_keyboard(page: Page) -> None:
    """Tab reaches all that can be used, and each time one sees where one is."""
    names = await page.evaluate(WATCHED)
    for _ in names:
        await page.keyboard.press("Tab")
    visits = await page.evaluate("window.visits")
    assert [html for _, ring, html in visits if not ring] == []
    reached = {number for number, _, _ in visits}
    assert [name for number, name in enumerate(names) if number not in reached] == []


async def says_the_same_without_scripts(walk: Walk, example: Example, said: list[str]) -> None:
    """What has a name with scripts has it without."""
    page = await (await walk.window(example.who, scripts=False)).new_page()
    await page.goto(walk.address(example))
    bare = await page.evaluate(SAID)
    assert [each for each in said if each not in bare] == []
    await page.close()
