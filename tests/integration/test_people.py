"""People over real HTTP: invited, signed up, locked out, let in again; letters are really sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyotp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.services import sessions
from tests.integration.test_doors import WORD, doors, give_password
from tests.kit.house import House
from tests.kit.letters import Mailbox, mail_server
from tests.kit.surfer import Surfer, surfer

NEW = "another orchard entirely"


@asynccontextmanager
async def with_mail(folder: Path, **options: str) -> AsyncIterator[tuple[House, Surfer, Mailbox]]:
    """A server that sends mail, and a browser."""
    async with mail_server(folder) as box:
        mail = {
            "mail.host": "127.0.0.1",
            "mail.port": f"{box.port}",
            "mail.security": "none",
            "mail.sender": "windfall@example.org",
        }
        async with doors(folder, **mail, **options) as (found, browser):
            yield found, browser, box


async def api(
    found: House, method: str, path: str, body: Any = None, token: str = ""
) -> tuple[int, Any]:
    """A request of the administrator, or with another token."""
    raw = None if body is None else json.dumps(body).encode()
    return await found.call(method, f"/api/v1{path}", raw, token or found.admin)


def path_of(link: str) -> str:
    """The path of a link."""
    return urlsplit(link).path


async def follow(browser: Surfer, link: str) -> Any:
    """Follow a link to its page."""
    answer = await browser.get(path_of(link))
    assert answer.onto == "/link"
    return await browser.get("/link")


async def volunteer(found: House, name: str, **options: str) -> str:
    """An account with a password; an API token of it."""
    made = await found.token(name, kind="api", **options)
    await give_password(found, name)
    return str(made["token"])


async def test_who_is_invited_makes_an_account_by_the_link_and_only_once(tmp_path: Path) -> None:
    async with with_mail(tmp_path) as (found, browser, box):
        wish = {"email": "Ada@Example.org", "role": "institute"}
        status, made = await api(found, "POST", "/invitations", wish)
        assert (status, made["mailed"]) == (201, True)
        link = await box.link("Ada@Example.org", "invitation")
        assert link == made["url"]
        assert "wfl_" not in (await follow(browser, link)).text, "the secret is in no page"
        fields = {"name": "ada", "email": "ada@example.org", "full_name": "Ada L", "password": WORD}
        answer = await browser.post("/link", fields)
        assert (answer.status, answer.onto) == (303, "/profile")
        page = await browser.get("/profile")
        assert "Checked." in page.text, "the link came by that address"
        assert "institute" in page.text
        async with surfer(found.url) as second:
            assert (await follow(second, link)).status == 410
            assert (await second.log_in("ada@example.org", WORD)).status == 303


async def test_nobody_signs_up_where_accounts_are_by_invitation(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser):
        assert "by invitation" in (await browser.get("/signup")).text
        await browser.get("/login")
        answer = await browser.post("/signup", {"name": "eve", "password": WORD})
        assert answer.status == 403
        assert "eve" not in str(await api(found, "GET", "/accounts"))


async def test_where_it_is_open_anybody_signs_up_as_a_volunteer(tmp_path: Path) -> None:
    async with doors(tmp_path, **{"accounts.signup": "open"}) as (found, browser):
        fields = {"name": "eve", "password": WORD, "role": "admin"}
        assert (await browser.send("/signup", "/signup", fields)).status == 303
        assert (await browser.get("/admin/accounts")).status == 403
        _, accounts = await api(found, "GET", "/accounts")
        assert [a["role"] for a in accounts["accounts"] if a["name"] == "eve"] == ["volunteer"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a b"}, "letters"),
        ({"name": "../x"}, "letters"),
        ({"name": "admin"}, "another account"),
        ({"password": "short"}, "at least 10"),
        ({"password": "password123"}, "first that anybody would try"),
        ({"password": "aaaaaaaaaaaa"}, "first that anybody would try"),
        ({"name": "evelyn-carter", "password": "evelyn-carter"}, "first that anybody"),
        ({"email": "eve@example.org\nBcc: all@example.org"}, "an address as in"),
        ({"email": "eve@example.org, all@example.org"}, "an address as in"),
        ({"full_name": "x" * 101}, "at most 100"),
    ],
)
async def test_what_cannot_be_an_account_is_told_with_its_cure(
    tmp_path: Path, fields: dict[str, str], said: str
) -> None:
    async with doors(tmp_path, **{"accounts.signup": "open"}) as (_, browser):
        answer = await browser.send(
            "/signup", "/signup", {"name": "eve", "password": WORD, **fields}
        )
        assert answer.status in (400, 409)
        assert said in answer.text
        assert WORD not in answer.text


async def test_a_password_is_reset_by_mail_once_and_everybody_is_logged_out(tmp_path: Path) -> None:
    async with with_mail(tmp_path) as (found, browser, box), surfer(found.url) as thief:
        await known(found, box)
        await thief.log_in("ada", WORD)
        answer = await browser.send("/forgot", "/forgot", {"name": "ada@example.org"})
        assert answer.onto == "/login"
        link = await box.link("ada@example.org", "new password")
        assert link.startswith(f"{found.url}/link/")
        assert "New password" in (await follow(browser, link)).text
        assert (await browser.post("/link", {"password": NEW})).onto == "/login"
        assert "Logged in as" not in (await thief.get("/")).text
        assert (await browser.log_in("ada", WORD)).status == 403
        assert (await browser.log_in("ada", NEW)).status == 303
        await follow(browser, link)
        assert (await browser.post("/link", {"password": "a third one entirely"})).status == 410


async def known(found: House, box: Mailbox) -> str:
    """Ada, whose address is checked; an API token of hers."""
    token = await volunteer(found, "ada")
    wish = {"full_name": "Ada L", "email": "ada@example.org"}
    status, kept = await api(found, "PUT", "/me", wish, token)
    assert (status, kept) == (200, {"mailed": True})
    async with surfer(found.url) as browser:
        link = await box.link("ada@example.org", "Your address")
        assert "ada@example.org" in (await follow(browser, link)).text
        assert (await browser.post("/link")).status == 303
    return token


async def test_the_page_for_forgotten_passwords_tells_nobody_who_has_an_account(
    tmp_path: Path,
) -> None:
    async with with_mail(tmp_path) as (found, browser, box):
        await known(found, box)
        told = []
        for name in ("ada@example.org", "nobody@example.org", "ada", "nobody", "admin"):
            answer = await browser.send("/forgot", "/forgot", {"name": name})
            told.append(
                (answer.status, answer.onto, (await browser.get("/login")).text.count("way"))
            )
        assert len(set(told)) == 1
        await found.deps.doors.postman.settle()
        assert [letter["To"] for letter in box.letters if "new password" in str(letter)] == [
            "ada@example.org"
        ] * 2


async def test_an_address_that_was_not_checked_opens_nothing(tmp_path: Path) -> None:
    async with with_mail(tmp_path) as (found, browser, box):
        token = await volunteer(found, "eve")
        await api(found, "PUT", "/me", {"email": "victim@example.org"}, token)
        assert (await browser.log_in("victim@example.org", WORD)).status == 403
        await browser.send("/forgot", "/forgot", {"name": "victim@example.org"})
        await found.deps.doors.postman.settle()
        assert all("new password" not in text for text in box.to("victim@example.org"))


async def test_letters_lead_to_the_site_whatever_host_the_request_named(tmp_path: Path) -> None:
    async with with_mail(tmp_path) as (found, browser, box):
        await known(found, box)
        await browser.get("/forgot")
        for headers in ({"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}):
            await browser.post("/forgot", {"name": "ada"}, headers)
        await found.deps.doors.postman.settle()
        letters = box.to("ada@example.org")
        assert len(letters) > 1
        assert all("evil" not in letter for letter in letters)


async def test_letters_are_not_sent_without_end(tmp_path: Path) -> None:
    async with with_mail(tmp_path) as (found, browser, box):
        await known(found, box)
        statuses = [
            (await browser.send("/forgot", "/forgot", {"name": "ada"})).status for _ in range(7)
        ]
        assert statuses == [303] * 5 + [429] * 2


async def test_an_administrator_lets_somebody_in_again_by_a_link(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser), surfer(found.url) as other:
        await volunteer(found, "ada")
        await browser.log_in("admin", WORD)
        await browser.get("/admin/accounts/ada")
        page = await browser.post("/admin/accounts/ada", {"deed": "reset"})
        link = page.text.partition('id="totp')[0].partition(f"{found.url}/link/")[2].split("<")[0]
        assert link
        assert link not in (await browser.get("/admin/accounts/ada")).text
        await follow(other, f"{found.url}/link/{link.strip()}")
        assert (await other.post("/link", {"password": NEW})).onto == "/login"
        assert (await other.log_in("ada", NEW)).status == 303


async def test_a_disabled_account_is_out_at_once(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser):
        token = await volunteer(found, "ada")
        await browser.log_in("ada", WORD)
        assert (await browser.get("/profile")).status == 200
        assert (await api(found, "POST", "/accounts/ada/disable"))[0] == 204
        assert (await browser.get("/profile")).onto.startswith("/login")
        status, problem = await api(found, "GET", "/me", token=token)
        assert (status, problem["code"]) == (403, "account-disabled")
        assert "disabled" in (await browser.log_in("ada", WORD)).text
        assert (await api(found, "POST", "/accounts/ada/enable"))[0] == 204
        assert (await browser.get("/profile")).onto.startswith("/login"), "old sessions stay over"
        assert (await api(found, "GET", "/me", token=token))[0] == 200
        status, problem = await api(found, "POST", "/accounts/admin/disable")
        assert (status, problem["code"]) == (400, "bad-input")


async def test_a_changed_role_counts_from_the_next_request(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser):
        await volunteer(found, "ada")
        await browser.log_in("ada", WORD)
        assert (await browser.get("/admin/audit")).status == 403
        await api(found, "POST", "/accounts/ada/role", {"role": "admin"})
        assert (await browser.get("/admin/audit")).status == 200


async def test_one_ends_the_sessions_of_others_only_as_an_administrator(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser), surfer(found.url) as other:
        token = await volunteer(found, "eve")
        await browser.log_in("admin", WORD)
        _, listed = await api(found, "GET", "/me/sessions")
        (number,) = [each["id"] for each in listed["sessions"]]
        status, problem = await api(found, "POST", f"/me/sessions/{number}/end", token=token)
        assert (status, problem["code"]) == (404, "session-unknown")
        await other.log_in("eve", WORD)
        await other.get("/profile")
        answer = await other.post("/profile/sessions", {"session": str(number)})
        assert answer.status == 404
        assert "Logged in as" in (await browser.get("/")).text
        assert (await api(found, "POST", "/accounts/admin/sessions/end", token=token))[0] == 403
        await browser.get("/profile")
        assert (await browser.post("/profile/sessions", {"session": "others"})).status == 303
        assert (await api(found, "POST", f"/me/sessions/{number}/end"))[0] == 204
        assert "Logged in as" not in (await browser.get("/")).text


async def test_a_new_password_needs_the_old_one_and_logs_others_out(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser), surfer(found.url) as thief:
        await browser.log_in("admin", WORD)
        await thief.log_in("admin", WORD)
        await thief.get("/profile")
        answer = await thief.post("/profile/password", {"old": "a guess", "new": NEW})
        assert answer.status == 403
        await browser.get("/profile")
        answer = await browser.post("/profile/password", {"old": WORD, "new": NEW})
        assert answer.status == 303
        assert "Logged in as" in (await browser.get("/")).text
        assert "Logged in as" not in (await thief.get("/")).text


async def with_codes(found: House, browser: Surfer) -> tuple[pyotp.TOTP, list[str]]:
    """The administrator sets codes up on his page; the app and the recovery codes."""
    await browser.log_in("admin", WORD)
    await browser.get("/profile")
    await browser.post("/profile/codes", {"deed": "begin", "password": WORD})
    page = await browser.get("/profile")
    assert "<svg" in page.text
    secret = page.text.partition('id="totp-secret"')[2].partition(">")[2].split("<")[0].strip()
    app = pyotp.TOTP(secret)
    now = found.deps.clock()
    page = await browser.post("/profile/codes", {"deed": "confirm", "code": app.at(now)})
    text = page.text.partition('id="recovery"')[2].partition(">")[2].split("<")[0]
    await browser.get("/")
    await browser.post("/logout")
    return app, text.split()


async def test_who_has_codes_is_asked_for_one_after_the_password(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser):
        app, recovery = await with_codes(found, browser)
        assert len(set(recovery)) == 10
        answer = await browser.log_in("admin", WORD, "/patterns")
        assert answer.onto.startswith("/login/code")
        assert (await browser.get("/profile")).onto.startswith("/login"), "half is not in"
        await browser.get(answer.onto)
        assert (await browser.post("/login/code", {"code": "000000"})).status == 403
        used = app.at(found.deps.clock() - 30)
        assert (await browser.post("/login/code", {"code": used})).status == 403, "as old as set up"
        code = app.at(found.deps.clock() + 30)
        answer = await browser.post("/login/code", {"code": code, "next": "/patterns"})
        assert answer.onto == "/patterns"
        assert "Logged in as" in (await browser.get("/")).text
        await browser.post("/logout")
        await browser.get((await browser.log_in("admin", WORD)).onto)
        assert (await browser.post("/login/code", {"code": code})).status == 403, "used before"
        assert (await browser.post("/login/code", {"code": recovery[0].upper()})).status == 303
        await browser.get("/")
        await browser.post("/logout")
        await browser.get((await browser.log_in("admin", WORD)).onto)
        assert (await browser.post("/login/code", {"code": recovery[0]})).status == 403


async def test_codes_cannot_be_guessed_and_not_without_the_password(tmp_path: Path) -> None:
    async with doors(tmp_path, **{"accounts.tries_per_account": "4"}) as (found, browser):
        app, _ = await with_codes(found, browser)
        await browser.get("/login")
        code = app.at(found.deps.clock() + 30)
        answer = await browser.post("/login/code", {"code": code})
        assert answer.onto == "/login", "no password came before"
        await browser.get((await browser.log_in("admin", WORD)).onto)
        tries = [
            (await browser.post("/login/code", {"code": f"00000{n}"})).status for n in range(6)
        ]
        assert tries == [403] * 4 + [429] * 2
        assert (await browser.post("/login/code", {"code": code})).status == 429


async def test_secrets_of_codes_are_in_the_database_only_encrypted(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser):
        app, recovery = await with_codes(found, browser)
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            for text in (app.secret, recovery[0], recovery[0].replace("-", "")):
                assert text.encode() not in raw, path


async def test_an_administrator_switches_the_codes_of_a_lost_telephone_off(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser):
        await with_codes(found, browser)
        assert (await api(found, "POST", "/accounts/admin/totp/off"))[0] == 204
        assert (await browser.log_in("admin", WORD)).onto == "/"


async def test_ssh_keys_are_kept_without_what_could_run_a_command(tmp_path: Path) -> None:
    public = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    async with doors(tmp_path) as (found, browser):
        token = await volunteer(found, "ada")
        status, made = await api(found, "POST", "/me/ssh-keys", {"key": f"{line} a$(id)`b`"}, token)
        assert (status, made["line"]) == (201, f"{line} aidb")
        for bad in (f'command="id" {line}', "ssh-ed25519 AAAA", f"{line}\n{line}", "ssh-dss AAAA",
                    "-----BEGIN OPENSSH PRIVATE KEY-----\nx"):  # fmt: skip
            status, problem = await api(found, "POST", "/me/ssh-keys", {"key": bad}, token)
            assert (status, problem["code"]) == (400, "bad-input"), bad
        assert (await api(found, "POST", "/me/ssh-keys", {"key": line}, token))[0] == 409
        gone = await api(found, "POST", f"/me/ssh-keys/{made['id']}/remove")
        assert gone[0] == 404, "it is not the administrator's"
        await browser.log_in("ada", WORD)
        await browser.get("/profile")
        assert (await browser.post("/profile/keys", {"remove": str(made["id"])})).status == 303


async def test_the_log_says_who_did_what_and_holds_no_secret(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser):
        await volunteer(found, "ada")
        await browser.log_in("ada", "a wrong password")
        await browser.log_in("a wrong password in the name", WORD)
        await browser.log_in("ada", WORD)
        await api(found, "POST", "/accounts/ada/role", {"role": "operator"})
        _, made = await api(found, "POST", "/invitations", {"note": "for bob"})
        await api(found, "POST", "/accounts/ada/disable")
        _, log = await api(found, "GET", "/audit")
        deeds = [(each["who"], each["what"], each["subject"]) for each in log["entries"]]
        for deed in (("ada", "session.refused", "ada"), ("ada", "session.open", "ada"),
                     ("admin", "account.role", "ada"), ("admin", "account.disable", "ada"),
                     ("admin", "account.create", "ada")):  # fmt: skip
            assert deed in deeds
        for secret in (WORD, "wrong password", made["url"].rpartition("/")[2]):
            assert secret not in str(log)
        _, some = await api(found, "GET", "/audit?subject=ada&what=account.&most=2")
        assert len(some["entries"]) == 2
        _, more = await api(
            found, "GET", f"/audit?subject=ada&what=account.&before={some['before']}"
        )
        assert more["entries"][0]["id"] < some["entries"][-1]["id"]
        await browser.log_in("admin", WORD)
        page = await browser.get("/admin/audit?who=admin")
        assert "account.disable" in page.text
        assert "session.refused" not in page.text


async def test_nobody_invites_somebody_of_a_higher_role_than_his_own(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, _):
        manager = await volunteer(found, "mia", role="manager")
        status, problem = await api(found, "POST", "/invitations", {"role": "admin"}, manager)
        assert (status, problem["code"]) == (403, "forbidden")
        assert (await api(found, "POST", "/invitations", {"role": "manager"}, manager))[0] == 201
        _, listed = await api(found, "GET", "/invitations", token=manager)
        number = listed["invitations"][0]["id"]
        assert (await api(found, "POST", f"/invitations/{number}/revoke", token=manager))[0] == 204
        assert (await api(found, "POST", f"/invitations/{number}/revoke", token=manager))[0] == 404


async def test_addresses_are_forgotten_when_they_are_of_no_use_any_more(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser):
        await browser.log_in("admin", WORD)
        await browser.log_in("admin", "a wrong password")
        present = found.deps.clock

        async def kept() -> tuple[int, bool]:
            await sessions.sweep(found.deps)
            rows = await found.deps.store.read(
                lambda tx: tx.all("SELECT address FROM audit WHERE address <> ''")
            )
            left = await found.deps.store.read(lambda tx: tx.all("SELECT id FROM sessions"))
            return len(left), bool(rows)

        assert await kept() == (1, True)
        found.deps.clock = lambda: present() + 29 * 86_400
        assert await kept() == (1, True)
        found.deps.clock = lambda: present() + 31 * 86_400
        assert await kept() == (0, False)


async def test_a_session_ends_when_it_was_not_used_for_long_and_in_any_case_at_last(
    tmp_path: Path,
) -> None:
    options = {"accounts.idle_days": "10", "accounts.session_days": "25"}
    async with doors(tmp_path, **options) as (found, browser), surfer(found.url) as idle:
        await browser.log_in("admin", WORD)
        await idle.log_in("admin", WORD)
        present = found.deps.clock
        for days in (9, 18, 24):
            found.deps.clock = lambda days=days: present() + days * 86_400
            assert "Logged in as" in (await browser.get("/")).text, days
        assert "Logged in as" not in (await idle.get("/")).text
        found.deps.clock = lambda: present() + 26 * 86_400
        assert "Logged in as" not in (await browser.get("/")).text
