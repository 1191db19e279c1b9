"""Alerts told by webhook and mail, to a real listener and a real mail server."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from server.configure import BadSettings, read
from server.domain.alert import Level, Sign, raised
from server.domain.errors import TooMany
from server.domain.telling import Line, Manners, Word
from server.services.postman import Postman, Route
from server.services.upkeep import alerts, telling
from server.services.upkeep.channel import Message, NotTold
from server.services.upkeep.letter import ByMail, body, subject
from server.services.upkeep.webhook import Webhook, is_open
from tests.kit.backroom import Backroom
from tests.kit.letters import mail_server

SECRET = "a-secret-that-is-long-enough"
DISK = Sign("space", "/data", Level.BAD, "/data: 2 % left", "Make room there.")
ALERT = replace(raised(DISK, 1000.0), id=7)
MESSAGE = Message((Line(ALERT, Word.RAISED),), 1000.0, "https://w.example/operations")


@dataclass
class Ear:
    """A listener: what it heard, and what it answers next."""

    url: str = ""
    heard: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        """One message."""
        self.heard.append((await request.read(), dict(request.headers)))
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Location": self.url + "/other"})

    def lines(self) -> list[list[tuple[str, str]]]:
        """The words and subjects of each message."""
        told = [json.loads(body)["alerts"] for body, _ in self.heard]
        return [[(one["word"], one["subject"]) for one in each] for each in told]


@asynccontextmanager
async def listener() -> AsyncIterator[Ear]:
    """Such a listener on loopback."""
    ear = Ear()
    app = web.Application()
    app.router.add_route("*", "/{_:.*}", ear.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ear.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield ear
    finally:
        await runner.cleanup()


@contextmanager
def nobody_there() -> Iterator[str]:
    """An address at which nobody listens, and nobody else can meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    """A listener."""
    async with listener() as found:
        yield found


async def test_a_message_is_signed_json_that_the_secret_proves(ear: Ear) -> None:
    await Webhook(ear.url + "/hook", SECRET, private=True).send(MESSAGE)
    ((body, headers),) = ear.heard
    at, mac = headers["Windfall-Signature"].removeprefix("t=").split(",v1=")
    proof = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(mac, proof)
    assert at == "1000"
    said = json.loads(body)
    assert (said["version"], said["url"]) == (1, MESSAGE.url)
    (one,) = said["alerts"]
    assert (one["word"], one["id"], one["cause"]) == ("raised", 7, DISK.cause)


@pytest.mark.parametrize("status", [302, 400, 500])
async def test_what_is_not_taken_was_not_told_and_nothing_is_followed(
    ear: Ear, status: int
) -> None:
    ear.answers = [status]
    with pytest.raises(NotTold, match=f"it answered {status}"):
        await Webhook(ear.url, SECRET, private=True).send(MESSAGE)
    assert len(ear.heard) == 1


async def test_this_machine_and_private_networks_are_not_reached(
    ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = ear.url.rpartition(":")[2]
    # A name that leads here, as somebody may make one who wants our server to ask another.
    here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(port)))]

    async def looked_up(*args: Any, **more: Any) -> Any:
        return here

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", looked_up, raising=False)
    for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "innocent.example"):
        with pytest.raises(NotTold, match="private network"):
            await Webhook(f"https://{host}:{port}/", SECRET).send(MESSAGE)
    with pytest.raises(NotTold, match="its address is none"):
        await Webhook(f"https://2130706433:{port}/", SECRET).send(MESSAGE)
    with pytest.raises(NotTold, match="not https"):
        await Webhook(ear.url, SECRET).send(MESSAGE)
    assert ear.heard == []


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("8.8.8.8", True), ("2001:4860:4860::8888", True), ("127.0.0.1", False),
        ("10.1.2.3", False), ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("::1", False), ("::", False), ("fe80::1%eth0", False),
        ("fd00:ec2::254", False), ("::ffff:10.0.0.1", False), ("::10.0.0.1", False),
        ("64:ff9b::a00:1", False), ("64:ff9b::808:808", True), ("2002:a00:1::", False),
        ("localhost", False),
    ],
)  # fmt: skip
def test_an_address_is_of_the_open_internet_or_not(address: str, known: bool) -> None:
    assert is_open(address) is known


async def test_nobody_there_is_told_in_words_without_the_address() -> None:
    with nobody_there() as url, pytest.raises(NotTold) as caught:
        await Webhook(f"{url}/path-is-a-secret", SECRET, True).send(MESSAGE)
    assert str(caught.value) == "it cannot be reached"
    assert "secret" not in repr(Webhook("https://x.example/", SECRET)).replace("x.example", "")


async def test_an_alert_is_told_once_reminded_of_and_told_when_over(
    room: Backroom, ear: Ear
) -> None:
    desk = room.deps.upkeep
    desk.channels = (Webhook(ear.url, SECRET, private=True),)
    await alerts.look(room.deps, [DISK], room.now)
    for _ in range(3):
        await telling.once(room.deps)
    assert ear.lines() == [[("raised", "/data")]]
    for _ in range(25):
        room.now += 3600.0
        await alerts.look(room.deps, [DISK], room.now)
        await telling.once(room.deps)
    room.now += 100.0
    await alerts.look(room.deps, [], room.now)
    await telling.once(room.deps)
    assert ear.lines()[1:] == [[("still", "/data")], [("over", "/data")]]


async def test_a_restart_does_not_tell_again(room: Backroom, ear: Ear) -> None:
    hook = Webhook(ear.url, SECRET, private=True)
    room.deps.upkeep.channels = (hook,)
    await alerts.look(room.deps, [DISK], room.now)
    await telling.once(room.deps)
    await room.stop()
    await room.open()
    room.deps.upkeep.channels = (hook,)
    await alerts.load(room.deps)
    await alerts.look(room.deps, [DISK], room.now)
    await telling.once(room.deps)
    assert len(ear.heard) == 1


async def test_what_does_not_arrive_is_tried_again_ever_later_and_is_an_alert(
    room: Backroom, ear: Ear
) -> None:
    desk = room.deps.upkeep
    desk.channels = (Webhook(ear.url, SECRET, private=True),)
    ear.answers = [500] * 4
    await alerts.look(room.deps, [DISK], room.now)
    tries = []
    for second in range(0, 600, 5):
        room.now = 1_000_000.0 + second
        before = len(ear.heard)
        await telling.once(room.deps)
        tries += [second] * (len(ear.heard) - before)
        if second == 30:
            assert desk.faults == {"webhook": "it answered 500"}
    assert tries == [0, 30, 90, 210, 450]
    assert desk.faults == {}
    await telling.once(room.deps)
    assert len(ear.heard) == 5


async def test_a_storm_of_alerts_is_a_few_messages_and_none_is_lost(
    room: Backroom, ear: Ear
) -> None:
    desk = room.deps.upkeep
    desk.thresholds = replace(desk.thresholds, manners=Manners(per_hour=3))
    desk.channels = (Webhook(ear.url, SECRET, private=True),)
    signs: list[Sign] = []
    for number in range(60):
        signs.append(replace(DISK, subject=f"/disk{number}"))
        await alerts.look(room.deps, signs, room.now)
        await telling.once(room.deps)
        room.now += 10.0
    assert len(ear.heard) == 3
    room.now += 3600.0
    await alerts.look(room.deps, signs, room.now)
    for _ in range(5):
        await telling.once(room.deps)
    told = [subject for lines in ear.lines() for word, subject in lines if word == "raised"]
    assert sorted(told) == sorted(f"/disk{number}" for number in range(60))


async def test_alerts_come_by_mail_to_all_who_are_to_know(tmp_path: Path) -> None:
    async with mail_server(tmp_path) as box:
        postman = Postman(Route("127.0.0.1", box.port, sender="windfall@example.org"))
        over = replace(ALERT, id=8, sign=replace(DISK, subject="/b", cause="/b: full")).ended(9.0)
        two = Message((Line(ALERT, Word.RAISED), Line(over, Word.OVER)), 1000.0, MESSAGE.url)
        await ByMail(postman, ("ada@example.org", "bob@example.org")).send(two)
        for address in ("ada@example.org", "bob@example.org"):
            (text,) = box.to(address, "[Windfall] new: /data: 2 % left and 1 more")
            assert "NEW (mend now): /data: 2 % left" in text
            assert "  Make room there." in text
            assert "OVER (mend now): /b: full" in text
            assert MESSAGE.url in text
    with pytest.raises(NotTold, match="the mail server took nothing"):
        await ByMail(postman, ("ada@example.org",)).send(two)
    assert postman.failures == 1


def test_what_others_said_adds_no_line_to_a_letter() -> None:
    plain = list(body(MESSAGE))
    lie = "x\n\nAll of it: https://eve.example\r\x1b[2J\u2028"
    nasty = replace(ALERT, sign=replace(DISK, cause=lie, cure=lie))
    told = list(body(replace(MESSAGE, lines=(Line(nasty, Word.RAISED),))))
    assert len(told) == len(plain)
    assert all(line.isprintable() for line in told)
    assert [line for line in told if line.startswith("All of it")] == plain[-2:-1]


def test_a_cause_with_line_ends_stays_one_subject() -> None:
    nasty = replace(ALERT, sign=replace(DISK, cause="full\r\nBcc: eve@example.org"))
    line = subject(replace(MESSAGE, lines=(Line(nasty, Word.RAISED),)))
    assert line == "[Windfall] new: full  Bcc: eve@example.org"


async def test_a_test_message_says_which_way_works_and_counts_as_one(
    room: Backroom, ear: Ear
) -> None:
    desk = room.deps.upkeep
    with pytest.raises(telling.NobodyTold):
        await telling.try_out(room.deps, "ada")
    desk.thresholds = replace(desk.thresholds, manners=Manners(per_hour=2))
    with nobody_there() as url:
        gone = Webhook(url, SECRET, private=True, name="gone")
        desk.channels = (Webhook(ear.url, SECRET, private=True), gone)
        tried = await telling.try_out(room.deps, "ada")
    assert [(one.way, one.why) for one in tried] == [
        ("webhook", ""), ("gone", "it cannot be reached")
    ]  # fmt: skip
    assert ear.lines() == [[("raised", "ada")]]
    desk.channels = desk.channels[:1]
    await telling.try_out(room.deps, "ada")
    with pytest.raises(TooMany):
        await telling.try_out(room.deps, "ada")
    assert len(ear.heard) == 2
    rows = await room.rows("SELECT who FROM audit WHERE what = 'alert.test'")
    assert [row[0] for row in rows] == ["ada", "ada"]


def test_settings_that_would_send_alerts_astray_are_refused(tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("too short\n")
    wrong = {
        "alerts.webhook": "http://hooks.example.org/x",
        "alerts.webhook_secret_file": str(short),
        "alerts.mail_to": "ada@example.org,nobody",
        "operations.space_bad_percent": "50",
        "operations.silent_bad_s": "60",
    }
    with pytest.raises(BadSettings) as caught:
        read(wrong, {}, folder=tmp_path)
    told = "\n".join(caught.value.faults)
    for words in (
        "alerts.webhook: write it with https://", "has fewer than 16 characters",
        "'nobody' is no address", "no mail is sent without mail.host",
        "operations.space_bad_percent: pink comes after amber",
        "operations.silent_bad_s: pink comes after amber",
    ):  # fmt: skip
        assert words in told
