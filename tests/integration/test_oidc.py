"""Signing in with another provider: a real one on loopback, and one that lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from server import providers
from server.db import accounts, audit
from server.db.audit import Wanted
from server.domain.oidc import Identity, Provider, names_for, role_of
from server.domain.people import NAME
from server.keyring import KeyTrouble
from server.services import identities, oidc, people
from tests.integration.test_doors import WORD, doors, give_password
from tests.integration.test_people import with_codes
from tests.kit.providers import NOW, Liar, liar, real_provider, write_file
from tests.kit.surfer import Surfer, surfer

ADA = {"sub": "ada-1", "email": "ada@example.org", "email_verified": True,
       "preferred_username": "ada", "name": "Ada of the Lab", "groups": ["pool-crew"]}  # fmt: skip
BOB = {"sub": "bob-1", "email": "admin@example.org", "email_verified": True}
BACK = "http://127.0.0.1:1/login/with/lab/back"


@pytest.fixture(scope="module")
def lab() -> Iterator[str]:
    with real_provider(ADA, BOB) as issuer:
        yield issuer


async def come_back(browser: Surfer, place: str, sub: str) -> str:
    """Say yes at the provider; the path that it sends the browser back to."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(place, data={"sub": sub}, allow_redirects=False) as reply,
    ):
        onto = reply.headers["Location"]
    assert onto.startswith(browser.url)
    return onto.removeprefix(browser.url)


async def sign_in(browser: Surfer, sub: str, onto: str = "/patterns") -> Any:
    """All the way there and back."""
    leaving = await browser.get(f"/login/with/lab?next={onto}")
    assert leaving.status == 303
    return await browser.get(await come_back(browser, leaving.onto, sub))


async def test_who_comes_for_the_first_time_gets_an_account_and_the_same_one_again(
    tmp_path: Path, lab: str
) -> None:
    file = write_file(tmp_path, lab, roles={"pool-crew": "operator"})
    async with doors(tmp_path / "data", **{"accounts.providers": str(file)}) as (found, browser):
        assert 'href="/login/with/lab?next=/"' in (await browser.get("/login")).text
        back = await sign_in(browser, "ada-1")
        assert (back.status, back.onto) == (303, "/patterns")
        assert "<strong>ada</strong>" in (await browser.get("/")).text
        made = await people.account_of(found.deps, "ada")
        assert (made.role, made.full_name) == ("operator", "Ada of the Lab")
        async with surfer(found.url) as other:
            await sign_in(other, "ada-1")
            assert "<strong>ada</strong>" in (await other.get("/")).text
        names = [row.name for row in await found.deps.store.read(accounts.everyone)]
        assert sorted(names) == ["ada", "admin"]


async def test_an_answer_is_good_once_and_for_the_browser_that_asked(
    tmp_path: Path, lab: str
) -> None:
    file = write_file(tmp_path, lab)
    async with doors(tmp_path / "data", **{"accounts.providers": str(file)}) as (found, browser):
        leaving = await browser.get("/login/with/lab")
        path = await come_back(browser, leaving.onto, "ada-1")
        async with surfer(found.url) as other:  # somebody is lured to another's answer
            assert (await other.get(path)).status == 403
            assert not other.cookie("session")
        assert (await browser.get(path)).status == 303
        await browser.get("/")
        assert (await browser.post("/logout")).status == 303
        assert (await browser.get(path)).status == 403
        assert "Logged in as" not in (await browser.get("/")).text


async def test_who_has_an_account_links_it_by_saying_so_and_unlinks_it(
    tmp_path: Path, lab: str
) -> None:
    file = write_file(tmp_path, lab, accounts="known")
    async with doors(tmp_path / "data", **{"accounts.providers": str(file)}) as (found, browser):
        assert (await sign_in(browser, "bob-1")).status == 403
        await browser.log_in("admin", WORD)
        assert 'href="/profile/link/lab"' in (await browser.get("/profile")).text
        leaving = await browser.get("/profile/link/lab")
        page = await browser.get(await come_back(browser, leaving.onto, "bob-1"))
        assert "admin@example.org" in page.text
        assert await identities.of_account(found.deps, 1) == []  # nothing by a GET
        sealed = page.text.split('name="sealed" value="')[1].split('"')[0]
        assert (await browser.post("/profile/link/lab", {"sealed": "00"})).status == 403
        assert (await browser.post("/profile/link/lab", {"sealed": sealed})).status == 303
        assert [one.subject for one in await identities.of_account(found.deps, 1)] == ["bob-1"]
        async with surfer(found.url) as other:
            await sign_in(other, "bob-1")
            assert "<strong>admin</strong>" in (await other.get("/")).text
        profile = (await browser.get("/profile")).text
        assert 'action="/profile/unlink/lab"' in profile
        assert 'href="/profile/link/lab"' not in profile
        assert (await browser.post("/profile/unlink/lab")).status == 303
        assert await identities.of_account(found.deps, 1) == []
        said = await found.deps.store.read(lambda tx: audit.entries(tx, Wanted()))
        assert {"account.link", "account.unlink"} <= {entry.what for entry in said}


async def test_what_one_proved_does_not_link_anothers_account(tmp_path: Path, lab: str) -> None:
    file = write_file(tmp_path, lab, accounts="known")
    async with doors(tmp_path / "data", **{"accounts.providers": str(file)}) as (found, browser):
        sealed = identities.sealed(found.deps, 77, Identity(lab, "bob-1", "lab"))
        await browser.log_in("admin", WORD)
        await browser.get("/appearance")
        assert (await browser.post("/profile/link/lab", {"sealed": sealed})).status == 403
        assert await identities.of_account(found.deps, 1) == []


@pytest.mark.parametrize(("trusts", "expected"), [(True, "admin"), (False, "admin-2")])
async def test_an_address_opens_an_account_only_if_the_settings_believe_the_provider(
    tmp_path: Path, lab: str, trusts: bool, expected: str
) -> None:
    file = write_file(tmp_path, lab, link_by_email=trusts)
    async with doors(tmp_path / "data", **{"accounts.providers": str(file)}) as (found, browser):
        await found.deps.store.write(lambda tx: accounts.set_email(tx, 1, "admin@example.org", 1.0))
        await sign_in(browser, "bob-1")
        assert f"<strong>{expected}</strong>" in (await browser.get("/")).text


async def test_a_disabled_account_is_not_opened(tmp_path: Path, lab: str) -> None:
    file = write_file(tmp_path, lab)
    async with doors(tmp_path / "data", **{"accounts.providers": str(file)}) as (found, browser):
        await sign_in(browser, "ada-1")
        made = await people.account_of(found.deps, "ada")
        await found.deps.store.write(lambda tx: accounts.set_state(tx, made.id, "disabled"))
        async with surfer(found.url) as other:
            assert (await sign_in(other, "ada-1")).status == 403
            assert not other.cookie("session")


@pytest.mark.parametrize("asks_itself", [False, True])
async def test_the_codes_of_an_account_are_asked_for_unless_the_provider_does_so_itself(
    tmp_path: Path, lab: str, asks_itself: bool
) -> None:
    file = write_file(tmp_path, lab, link_by_email=True, second_factor=asks_itself)
    async with doors(tmp_path / "data", **{"accounts.providers": str(file)}) as (found, browser):
        admin = await people.account_of(found.deps, "admin")
        now = found.deps.clock()
        await found.deps.store.write(
            lambda tx: accounts.set_email(tx, admin.id, "admin@example.org", now)
        )
        app, _ = await with_codes(found, browser)
        back = await sign_in(browser, "bob-1")
        if asks_itself:
            assert back.onto == "/patterns"
            assert "<strong>admin</strong>" in (await browser.get("/")).text
            return
        assert back.onto == "/login/code?next=/patterns"
        assert "Logged in as" not in (await browser.get("/")).text
        await browser.get(back.onto)
        code = app.at(found.deps.clock() + 30)
        answer = await browser.post("/login/code", {"code": code, "next": "/patterns"})
        assert answer.onto == "/patterns"
        assert "oidc lab, code" in (await browser.get("/profile")).text


async def test_the_only_way_in_is_not_taken_away(tmp_path: Path, lab: str) -> None:
    file = write_file(tmp_path, lab)
    async with doors(tmp_path / "data", **{"accounts.providers": str(file)}) as (found, browser):
        await sign_in(browser, "ada-1")
        await browser.get("/appearance")
        assert (await browser.post("/profile/unlink/lab")).status == 409
        await give_password(found, "ada")
        await browser.log_in("ada", WORD)
        await browser.get("/appearance")
        assert (await browser.post("/profile/unlink/lab")).status == 303


LIES: dict[str, Callable[[Liar], None]] = {
    "unsigned": lambda one: setattr(one, "sign", "none"),
    "signed with the secret of the client": lambda one: setattr(one, "sign", "HS256"),
    "signed by a stranger": lambda one: setattr(one, "sign", "stranger"),
    "of another issuer": lambda one: spoil(one, iss="https://other.example"),
    "for another site": lambda one: spoil(one, aud="other"),
    "for two sites, authorized for the other": lambda one: spoil(
        one, aud=["windfall", "other"], azp="other"
    ),
    "for two sites, authorized for nobody": lambda one: spoil(one, aud=["windfall", "other"]),
    "over": lambda one: spoil(one, exp=NOW - 3600),
    "without an end": lambda one: spoil(one, exp=None),
    "of the future": lambda one: spoil(one, iat=NOW + 86_400),
    "of another sign-in": lambda one: spoil(one, nonce="another"),
    "without a nonce": lambda one: spoil(one, nonce=None),
    "of nobody": lambda one: spoil(one, sub=None),
    "of a number": lambda one: spoil(one, sub=7),
    "of a name of two lines": lambda one: spoil(one, sub="two\nlines"),
    "of two people": lambda one: spoil(one, email=None),  # userinfo has no sub, or another
}


def spoil(one: Liar, **changes: Any) -> None:
    """Claims with these changes; None leaves a claim out."""
    one.spoil = lambda claims: {
        key: value for key, value in {**claims, **changes}.items() if value is not None
    }


def provider_of(one: Liar) -> Provider:
    return Provider("lab", "The Lab", one.issuer, "windfall", "a secret between the two")


async def arrive(one: Liar, more: dict[str, str] | None = None) -> Identity:
    """There and back with a browser that does what it is told."""
    desk, provider = oidc.Desk(), provider_of(one)
    trip = oidc.Trip("s" * 43, "in", "/")
    place = await oidc.leave(desk, provider, trip, BACK, NOW)
    query = dict(part.split("=", 1) for part in one.authorize(place).split("&"))
    return await oidc.arrive(desk, provider, trip, BACK, {**query, **(more or {})}, NOW)


async def test_an_honest_provider_is_believed() -> None:
    async with liar() as one:
        who = await arrive(one)
    assert (who.subject, who.email, who.email_verified) == ("liar-1", "ada@example.org", True)


@pytest.mark.parametrize("lie", LIES)
async def test_an_id_token_that_does_not_hold_is_refused(lie: str) -> None:
    async with liar() as one:
        LIES[lie](one)
        with pytest.raises(oidc.ProviderRefused):
            await arrive(one)


async def test_a_provider_whose_answers_are_too_deep_to_read_is_away() -> None:
    async with liar() as one:
        one.depth = 100_000
        with pytest.raises(oidc.ProviderAway):
            await arrive(one)


async def test_a_stranger_has_a_provider_asked_so_often_and_no_more(
    tmp_path: Path, lab: str
) -> None:
    options = {
        "accounts.providers": str(write_file(tmp_path, lab)), "accounts.tries_per_address": "3"
    }  # fmt: skip
    async with doors(tmp_path / "data", **options) as (_, browser):
        for _ in range(4):  # what goes well is not counted
            assert (await sign_in(browser, "ada-1")).status == 303
        statuses = []
        for _ in range(4):
            leaving = await browser.get("/login/with/lab")
            state = parse_qs(urlsplit(leaving.onto).query).get("state", [""])[0]
            answer = await browser.get(f"/login/with/lab/back?code=made-up&state={state}")
            statuses.append(answer.status)
        assert statuses == [403, 403, 403, 429]
        assert (await browser.get("/login/with/lab")).status == 429


def test_a_name_is_found_though_all_nice_ones_are_taken_and_none_that_runs_the_site() -> None:
    mine, other = (list(names_for(Identity("i", sub, "p", "物理"))) for sub in ("1", "2"))
    assert mine[0] == "person"
    assert not {*mine[-2:]} & {*other}
    found = list(names_for(Identity("i", "s", "p", "Admin")))
    assert found[0] == "Admin-2"
    assert all(NAME.fullmatch(name) for name in [*mine, *found])


async def test_a_code_that_another_provider_sent_is_refused() -> None:
    async with liar() as one:
        with pytest.raises(oidc.ProviderRefused, match="another provider"):
            await arrive(one, {"iss": "https://other.example"})
        one.more["authorization_response_iss_parameter_supported"] = True
        with pytest.raises(oidc.ProviderRefused, match="another provider"):
            await arrive(one)
        assert (await arrive(one, {"iss": one.issuer})).subject == "liar-1"


async def test_a_stolen_code_is_worth_nothing_without_the_browsers_word() -> None:
    async with liar() as one:
        desk, provider = oidc.Desk(), provider_of(one)
        victim, thief = oidc.Trip("v" * 43, "in", "/"), oidc.Trip("t" * 43, "in", "/")
        stolen = one.authorize(await oidc.leave(desk, provider, victim, BACK, NOW))
        code = stolen.split("&")[0].removeprefix("code=")
        answer = {"code": code, "state": thief.state(provider)}
        with pytest.raises(oidc.ProviderRefused, match="invalid_grant"):
            await oidc.arrive(desk, provider, thief, BACK, answer, NOW)


async def test_a_provider_that_calls_itself_another_or_lies_in_the_open_is_not_used() -> None:
    async with liar() as one:
        one.calls_itself = "https://other.example"
        with pytest.raises(oidc.ProviderAway, match="calls itself"):
            await arrive(one)
        one.calls_itself, one.more = "", {"token_endpoint": "ftp://example.org/token"}
        with pytest.raises(oidc.ProviderAway, match="token_endpoint"):
            await arrive(one)
    with pytest.raises(oidc.ProviderAway):  # nobody is there any more
        await arrive(one)


async def test_where_to_go_on_to_and_what_for_are_held_by_the_state() -> None:
    provider = Provider("lab", "The Lab", "https://lab.example", "windfall")
    trip = oidc.Trip("s" * 43, "in", "/patterns")
    state = trip.state(provider)
    assert oidc.Trip.back("s" * 43, state) == trip
    for other in (state.replace("in.", "link-1."), oidc.Trip("s" * 43, "in", "/x").state(provider)):
        forged = other.rpartition(".")[0] + "." + state.rpartition(".")[2]
        answer = {"code": "c", "state": forged}
        back = oidc.Trip.back("s" * 43, forged)
        with pytest.raises(oidc.ProviderRefused, match="did not ask"):
            await oidc.arrive(oidc.Desk(), provider, back, BACK, answer, NOW)


def test_groups_decide_roles_only_where_they_are_mapped() -> None:
    mapped = Provider("a", "A", "i", "c", roles={"x": "operator", "y": "admin"})
    assert role_of(mapped, ["x", "y", "z"]) == "admin"
    assert role_of(mapped, ["z"]) == "volunteer"
    assert role_of(Provider("a", "A", "i", "c"), ["x"]) is None


@pytest.mark.parametrize(
    ("who", "first"),
    [
        (Identity("i", "s", "p", "ada.l"), "ada-l"),
        (Identity("i", "s", "p", "", "zoé@example.org"), "zoe"),
        (Identity("i", "s", "p", "<b>"), "b"),
        (Identity("i", "s", "p", "物理"), "person"),
        (Identity("i", "s", "p", "x" * 500), "x" * 56),
    ],
)
def test_new_accounts_get_names_that_may_be_names(who: Identity, first: str) -> None:
    found = names_for(who)
    assert [next(found), next(found)] == [first, f"{first}-2"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[lab", "TOML"),
        ("[Lab]\nissuer='https://x.y'\nclient_id='c'", "lower-case"),
        ("[lab]\nissuer='http://x.y'\nclient_id='c'", "https://HOST"),
        ("[lab]\nissuer='https://x.y'", "client_id"),
        ("[lab]\nissuer='https://x.y'\nclient_id='c'\nroles={a='king'}", "king"),
        ("[lab]\nissuer='https://x.y'\nclient_id='c'\nscopes=['email']", "openid"),
        ("[lab]\nissuer='https://x.y'\nclient_id='c'\nclient_secret='x'", "client_secret"),
        ("[lab]\nissuer='https://x.y'\nclient_id='c'\nclient_secret_file='open'", "chmod 600"),
    ],
)
def test_a_file_of_providers_with_a_fault_is_refused_by_name(
    tmp_path: Path, text: str, word: str
) -> None:
    (tmp_path / "open").write_text("secret")
    (tmp_path / "open").chmod(0o644)
    path = tmp_path / "providers.toml"
    path.write_text(text)
    with pytest.raises(KeyTrouble, match=word):
        providers.read(path)


def test_addresses_of_providers_are_those_of_their_file(tmp_path: Path) -> None:
    found = providers.read(write_file(tmp_path, "https://login.example.org/realm"))["lab"]
    assert urlsplit(found.issuer).path == "/realm"
    assert found.client_secret == "a secret between the two"
    assert "secret between" not in repr(found)
