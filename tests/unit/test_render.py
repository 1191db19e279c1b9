"""Pages from made-up facts: complete, small, well-formed, and nothing in them is believed."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from server.domain.errors import NotFound
from server.domain.rollup import Kind
from server.handlers import pages, statistics_pages
from server.handlers.host_pages import Wanted
from server.handlers.plot_pages import Figure
from server.services.hostview import HostView
from server.services.look import FrontView, MoveView, OutputView
from server.services.sites import SiteView
from tests.kit import views
from tests.kit.views import HOSTILE, MadeUpLook
from web.render import ASSETS, asset, page

VOID = {"meta", "link", "img", "br", "rect", "path", "input"}
STATES = ("active", "paused", "held", "merging", "done", "aborted")


class Reader(HTMLParser):
    """Reads a page, and keeps what it is made of."""

    def __init__(self) -> None:
        """Nothing has been read."""
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """A tag closes, and it has to be the last one that opened."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        self.text += data


def read(html: str) -> Reader:
    """A page, taken apart; every tag that opens closes."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


async def whole(look: MadeUpLook, topic: str) -> str:
    """The page of a topic, as nobody in particular sees it."""
    template, facts = await pages.gather(look, topic)
    return page(template, **{"map": "", "physics": [], "runs": False, **facts})


async def home(look: MadeUpLook) -> str:
    """The first page."""
    return await whole(look, "")


def statistics(*sites: SiteView) -> str:
    """The first page of the statistics, with bars of what there is now, and these sites."""
    now = views.numbers()
    bars = [statistics_pages._bars("By site", Kind.SITE, now.by[Kind.SITE])]
    return page(
        "statistics", now=now, rate=1.5, heading="Statistics", group="", groups=[], ranges=[],
        range="day", figures=[], so_far=[], bars=bars, map="", sites=list(sites),
    )  # fmt: skip


def machines(*hosts: HostView) -> str:
    """The page of all machines, with these."""
    return page(
        "hosts", now=views.NOW, total=len(hosts), present=1, wanted=Wanted("", "", "", 1),
        states=[], found=len(hosts), first=1, shown=hosts, before=None, after=None, working=1,
        standing=0, sorts=(), actions=(), admin=False,
    )  # fmt: skip


LAST = views.site("farm").last_switch or pytest.fail("a site was switched")


def all_hostile() -> MadeUpLook:
    """A look in which every text is an attack."""
    production = views.production(
        HOSTILE, reason=HOSTILE, payload=HOSTILE, description=HOSTILE, rejected=1,
        rejected_hosts=[(HOSTILE, 1)], output=OutputView(1, HOSTILE, HOSTILE),
    )  # fmt: skip
    move = MoveView(1.0, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    last = replace(LAST, by=HOSTILE, reason=HOSTILE, how=HOSTILE, scope=HOSTILE, waiting=[HOSTILE])
    site = views.site(HOSTILE, reason=HOSTILE, how=HOSTILE, last_switch=last)
    return MadeUpLook(replace(views.front(), productions=[production]), [site], [move])


async def test_the_first_page_shows_every_production() -> None:
    look = MadeUpLook()
    reader = read(await home(look))
    for production in look.view.productions:
        assert production.name in reader.text
        assert ("a", "href", f"/productions/{production.name}") in reader.attributes
    assert "21\u202f442\u202f019" in reader.text


def test_the_page_of_machines_says_when_each_checked_in() -> None:
    text = read(machines(views.host(1, "pc-14", last_seen=views.NOW - 130))).text
    assert "pc-14" in text
    assert "checked in 2\u00a0minutes ago" in text


async def test_the_page_of_a_production_names_no_machine_whose_copies_were_rejected() -> None:
    look = MadeUpLook()
    look.view.productions[0] = replace(
        look.view.productions[0], rejected=5, rejected_hosts=[("overclocked", 2), ("heated", 3)]
    )
    reader = read(await whole(look, "minbias-13tev-tune26"))
    assert "2\u00a0machines sent 5\u00a0events" in reader.text
    assert "overclocked:" not in reader.text
    assert "heated" not in reader.text
    assert "started by carla" in reader.text


@pytest.mark.parametrize("topic", ["", "zprime-scan-3tev"])
async def test_the_output_is_told_by_size_and_digest_but_only_managers_fetch_it(topic: str) -> None:
    look = MadeUpLook()
    reader = read(await whole(look, topic))
    assert "utput, 48.3\u00a0MB" in reader.text
    assert ("3f" * 32 in reader.text) == bool(topic)
    assert not [v for _, name, v in reader.attributes if name == "href" and "output" in (v or "")]


@pytest.mark.parametrize("topic", ["", HOSTILE, pages.SITE + HOSTILE, "statistics", "machines"])
async def test_hostile_names_are_shown_and_never_obeyed(topic: str) -> None:
    host = views.host(1, HOSTILE, account=HOSTILE, arch=HOSTILE, state=HOSTILE)
    html = (
        statistics(views.site(HOSTILE, reason=HOSTILE)) if topic == "statistics"
        else machines(host) if topic == "machines" else await whole(all_hostile(), topic)
    )  # fmt: skip
    reader = read(html)
    assert HOSTILE in reader.text
    sources = [value for tag, name, value in reader.attributes if (tag, name) == ("script", "src")]
    assert len(sources) == reader.tags.count("script"), "no script stands in the page"
    assert set(sources) <= {asset(f"{name}.js") for name in ("page", "live", "plots")}
    assert not [tag for tag, name, _ in reader.attributes if name.startswith("on")]
    images = [value for tag, name, value in reader.attributes if (tag, name) == ("img", "src")]
    assert images == [asset("mark.svg")]


async def test_the_page_of_a_site_tells_who_runs_it_who_has_left_how_fast_and_who_not() -> None:
    text = read(await whole(MadeUpLook(), pages.RUN + "cms-hlt")).text
    others = read(await whole(MadeUpLook(), pages.SITE + "cms-hlt")).text
    assert ("trigger-farm-777" in others, "run-control" in others, "961" in others) == (
        *(False, False, True),
    )
    for said in (
        "0.71 s",
        "1.12 s",
        "\N{EN DASH}",
        "trigger-farm-777",
        "961",
        "run-control",
        "leaving",
    ):
        assert said in text
    assert "cms-hlt" in read(statistics(views.site("cms-hlt"))).text


@pytest.mark.parametrize(
    ("how", "stage", "word"),
    [
        ("stop", "announced", "leaving: announced"),
        ("drain", "draining", "leaving"),
        ("stop", "drained", "empty"),
        ("suspend", "drained", "suspended"),
        ("suspend", "overdue", "suspending: overdue"),
        ("stop", "overdue", "overdue"),
    ],
)
async def test_every_stage_of_a_switch_has_its_words(how: str, stage: str, word: str) -> None:
    site = views.site("farm", how=how, stage=stage)
    for html in (statistics(site), await whole(MadeUpLook(farms=[site]), pages.SITE + "farm")):
        assert f">{word}</span>" in html


@pytest.mark.parametrize("state", STATES)
async def test_every_state_of_a_production_can_be_shown(state: str) -> None:
    over = state in ("done", "aborted")
    production = views.production(
        "p", state=state, finished_at=views.NOW if over else None, eta_s=None, strip=[], units=0
    )
    look = MadeUpLook(replace(views.front(), productions=[production]), history=[])
    for topic in ("", "p"):
        assert f"state-{state}" in await whole(look, topic)


async def test_an_empty_pool_says_so() -> None:
    text = read(await home(MadeUpLook(FrontView(0, 0, 0, 0.0, [], {})))).text
    assert "No production yet" in text
    assert "No machine is paired yet" in read(machines()).text


async def test_pages_stay_below_100_kb_however_large_the_pool_is() -> None:
    productions = [views.production(f"production-number-{n:040}") for n in range(400)]
    history = views.moves() * 200
    look = MadeUpLook(replace(views.front(), productions=productions), history=history)
    assert len((await home(look)).encode()) < 100_000
    topic = productions[0].name
    assert len((await whole(look, topic)).encode()) < 100_000


async def test_nothing_on_a_page_comes_from_elsewhere_or_stands_inline() -> None:
    for topic in ("", "zprime-scan-3tev"):
        reader = read(await whole(MadeUpLook(), topic))
        assert "style" not in reader.tags
        for _, name, value in reader.attributes:
            assert name != "style"
            assert not (name in ("src", "href") and ("//" in value or ":" in value))


async def test_a_plot_of_physics_leads_to_its_production() -> None:
    template, facts = await pages.gather(MadeUpLook(), "")
    drawing = '<svg role="img" aria-label="mass"></svg>'
    physics = [(views.production("mumu-91gev"), Figure("mass", "Mass", drawing, [], ""))]
    reader = read(page(template, **{**facts, "map": "", "physics": physics}))
    assert ("svg", "aria-label", "mass") in reader.attributes
    assert reader.attributes.count(("a", "href", "/productions/mumu-91gev")) == 2


def test_a_fact_that_is_missing_is_an_error_and_not_a_blank() -> None:
    with pytest.raises(Exception, match="'detail' is undefined"):
        page("fault", title="x")


async def test_an_unknown_production_is_refused_before_anything_is_drawn() -> None:
    with pytest.raises(NotFound):
        await whole(MadeUpLook(), "nobody")


def test_static_files_are_small_and_carry_their_tag() -> None:
    assert sum(len(each.body) for each in ASSETS.values()) < 40_000
    assert asset("style.css") == f"/static/style.css?v={ASSETS['style.css'].tag}"
    assert {each.media for each in ASSETS.values()} == {
        "text/css", "text/javascript", "image/svg+xml",
    }  # fmt: skip
