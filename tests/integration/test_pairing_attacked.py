"""Pairing as somebody attacks it: guesses, replays, second collectors, other accounts, GET."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server.domain.errors import PinsLocked, TooMany
from server.handlers.access import Public
from server.services import pairing, presenting
from server.services.presenting import Said
from tests.architecture.test_routes import ROUTES
from tests.kit.house import House
from tests.kit.vm import Owner, Vm, owner


@pytest.fixture
async def eve(found: House) -> Owner:
    return await owner(found, "eve")


def wrong(pin: str) -> str:
    """Another PIN."""
    return f"{(int(pin) + 1) % 10**6:06}"


def said(number: int) -> Said:
    """What an attacker's machine says."""
    return Said(f"nonce-{number:08}", f"{number:064x}", "", "h", "", "", "x86_64", 1, 1, "")


async def test_a_wrong_pin_is_answered_like_a_right_one(found: House, ada: Owner) -> None:
    made = await ada.begin()
    right, decoy = Vm(found), Vm(found)
    one, two = await right.present(made["pin"]), await decoy.present(wrong(made["pin"]))
    assert (one.status, set(one.body)) == (two.status, set(two.body))
    assert len(one.body["poll_token"]) == len(two.body["poll_token"])
    assert [one.body[k] for k in ("interval", "expires_in")] == [
        two.body[k] for k in ("interval", "expires_in")
    ]
    named = {"Content-Length", "Date"}
    assert [n for n in one.headers if n not in named] == [n for n in two.headers if n not in named]
    assert await right.status() == await decoy.status() == "pending"
    assert (await right.collect()).body == (await decoy.collect()).body
    before = found.deps.clock
    found.deps.clock = lambda: before() + 301
    assert await right.status() == await decoy.status() == "expired"


class Counting:
    """A transaction that counts the statements that are waited for."""

    def __init__(self, tx: Any, asked: list[str]) -> None:
        self._tx, self._asked = tx, asked

    def __getattr__(self, name: str) -> Any:
        if name in ("one", "all", "run"):
            self._asked.append(name)
        return getattr(self._tx, name)


async def test_a_wrong_pin_costs_the_server_the_work_of_a_right_one(
    found: House, ada: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements are counted: time on a loaded machine proves nothing."""
    made = await ada.begin()
    write = found.deps.store.write
    counts = []
    for pin in (made["pin"], wrong(made["pin"])):
        asked: list[str] = []
        monkeypatch.setattr(
            found.deps.store,
            "write",
            lambda op, asked=asked: write(lambda tx: op(Counting(tx, asked))),
        )
        assert (await Vm(found).present(pin)).status == 202
        monkeypatch.undo()
        counts.append(asked)
    assert len(counts[0]) > 4
    assert counts[0] == counts[1]


async def test_five_wrong_pins_of_an_address_are_enough_for_ten_minutes(
    found: House, ada: Owner
) -> None:
    made = await ada.begin()
    for _ in range(5):
        assert (await Vm(found).present(wrong(made["pin"]))).status == 202
    answer = await Vm(found).present(made["pin"])  # even the right one is not looked at
    assert (answer.status, answer.code) == (429, "too-many")
    assert 590 <= int(answer.headers["Retry-After"]) <= 600
    assert (await ada.look(made["id"]))["machines"] == []
    assert (await ada.look(made["id"]))["failed_attempts"] == 5
    before = found.deps.clock
    found.deps.clock = lambda: before() + 601
    again = await ada.begin()
    assert (await Vm(found).present(again["pin"])).status == 202


async def test_thirty_wrong_pins_of_a_network_are_enough(found: House) -> None:
    for number in range(30):
        address = f"2001:db8:7:{number:x}::1"
        await presenting.present(found.deps, "000000", said(number), address)
    with pytest.raises(TooMany):
        await presenting.present(found.deps, "000000", said(31), "2001:db8:7:ffff::1")
    await presenting.present(found.deps, "000000", said(32), "2001:db8:8::1")


async def test_a_hundred_and_one_wrong_pins_a_minute_leave_codes_alone(
    found: House, ada: Owner
) -> None:
    made = await ada.begin()
    guess = wrong(made["pin"])
    for number in range(101):
        await presenting.present(found.deps, guess, said(number), f"10.{number}.0.1")
    with pytest.raises(PinsLocked):
        await presenting.present(found.deps, guess, said(200), "10.200.0.1")
    assert (await ada.look(made["id"]))["state"] == "locked"
    answer = await ada.ask("POST", "/pairings", {})
    assert (answer.status, answer.code) == (429, "pins-locked")
    vm = Vm(found)
    assert (await vm.show_code()).status == 202
    typed = await ada.ask("POST", "/pairings/code", {"code": vm.code})
    assert (await ada.confirm(typed.body["id"], vm.words)).status == 200
    assert (await vm.collect()).status == 200
    before = found.deps.clock
    found.deps.clock = lambda: before() + 601
    assert (await ada.ask("POST", "/pairings", {})).status == 201


async def test_which_guess_was_right_is_not_seen_by_the_bound_either(
    found: House, ada: Owner
) -> None:
    made = await ada.begin()
    for _ in range(2):
        await Vm(found).present(made["pin"])
    for _ in range(3):
        await Vm(found).present(wrong(made["pin"]))
    assert (await Vm(found).present(made["pin"])).status == 429


async def test_confirmed_machines_of_one_address_do_not_count(found: House, ada: Owner) -> None:
    for number in range(8):
        await ada.pair(Vm(found, f"vm-{number}"))
    assert len((await ada.ask("GET", "/machines")).body["machines"]) == 8


async def test_several_machines_with_one_pin_are_shown_and_the_owner_picks_by_words(
    found: House, ada: Owner
) -> None:
    made = await ada.begin()
    mine, others = Vm(found, "mine"), [Vm(found, f"eve-{n}") for n in range(3)]
    await others[0].present(made["pin"])
    await mine.present(made["pin"])
    for vm in others[1:]:
        assert (await vm.present(made["pin"])).status == 202
    seen = (await ada.look(made["id"]))["machines"]
    assert [one["hostname"] for one in seen] == ["eve-0", "mine", "eve-1"]
    assert len({one["words"] for one in seen}) == 3
    assert (await ada.look(made["id"]))["machine"] is None
    for vm in (mine, *others):
        assert (await vm.collect()).code == "pairing-pending"
    assert (await ada.confirm(made["id"], mine.words)).status == 200
    found.deps.desk.polls.clear()
    assert [await vm.status() for vm in (mine, *others)] == [
        "ready", "rejected", "rejected", "pending",
    ]  # fmt: skip
    for vm in others:
        assert (await vm.collect()).status in (409, 410)
    assert (await mine.collect()).status == 200


async def test_a_second_collector_is_refused_and_the_owner_told(found: House, ada: Owner) -> None:
    vm = Vm(found)
    made = await ada.agree(vm)
    thief = await vm.collect(known=b"x" * 32)  # has the poll token, not what was committed to
    assert (thief.status, thief.code) == (403, "not-yours")
    assert (await ada.look(made["id"]))["alarms"] == 1
    assert (await vm.collect()).status == 200
    again = await vm.collect(request="another-one-01")
    assert (again.status, again.code) == (409, "pairing-collected")
    seen = await ada.look(made["id"])
    assert (seen["alarms"], seen["state"]) == (2, "delivered")
    assert len((await ada.ask("GET", "/machines")).body["machines"]) == 1


async def test_a_replayed_request_brings_no_second_machine(found: House, ada: Owner) -> None:
    made = await ada.begin()
    vm = Vm(found)
    raw = vm.said(made["pin"])
    first = await found.answer("POST", "/api/v1/pair", raw)
    replayed = await found.answer("POST", "/api/v1/pair", raw)
    assert replayed.body == first.body
    assert len((await ada.look(made["id"]))["machines"]) == 1
    # Whoever replays it has the poll token, and still not what opens the commitment.
    vm.poll, vm.words = first.body["poll_token"], first.body["words"]
    await ada.confirm(made["id"], vm.words)
    assert (await vm.collect(known=bytes(32))).status == 403


async def test_who_has_no_poll_token_learns_and_gets_nothing(found: House, ada: Owner) -> None:
    vm = Vm(found)
    await ada.agree(vm)
    for token, code in ((None, "token-missing"), ("wfp_x", "token-unknown"),
                        (ada.token, "token-unknown")):  # fmt: skip
        answer = await found.answer("GET", "/api/v1/pair/status", token=token)
        assert (answer.status, answer.code) == (401, code)
    vm.poll = "wfp_" + "x" * 43
    assert (await vm.collect()).code == "token-unknown"


async def test_another_account_sees_and_touches_no_pairing(
    found: House, ada: Owner, eve: Owner
) -> None:
    made = await ada.begin()
    vm = Vm(found)
    await vm.present(made["pin"])
    [machine] = (await ada.look(made["id"]))["machines"]
    confirm = {"machine": machine["id"]}
    before = await ada.look(made["id"])
    for method, path, body in (
        ("GET", "", None), ("GET", "?wait=1", None), ("POST", "/confirm", confirm),
        ("POST", "/reject", None), ("DELETE", "", None),
    ):  # fmt: skip
        answer = await eve.ask(method, f"/pairings/{made['id']}{path}", body)
        assert (answer.status, answer.code) == (404, "pairing-unknown"), path
    assert (await eve.ask("GET", "/pairings")).body["pairings"] == []
    await eve.ask("POST", "/pairings", {"instead": made["id"]})
    after = await ada.look(made["id"])
    assert {**after, "expires_in": 0} == {**before, "expires_in": 0}


async def test_another_account_sees_and_touches_no_machine(
    found: House, ada: Owner, eve: Owner
) -> None:
    hand = await ada.pair(Vm(found))
    for method, path, body in (
        ("GET", "", None), ("POST", "/pause", None), ("POST", "/resume", None),
        ("PUT", "/limits", {"cores": 1}), ("PUT", "/name", {"name": "mine"}),
        ("POST", "/recontextualize", {"context_id": "f" * 32}), ("POST", "/unmanage", None),
    ):  # fmt: skip
        answer = await eve.ask(method, f"/machines/{hand.id}{path}", body)
        assert (answer.status, answer.code) == (404, "machine-unknown"), path
    assert (await eve.ask("GET", "/machines?all=1")).body["machines"] == []
    [row] = (await ada.ask("GET", "/machines")).body["machines"]
    assert (row["name"], row["limits"]["cores"]) == ("vm-1", 0)


async def test_a_code_typed_by_one_account_is_nobody_elses(
    found: House, ada: Owner, eve: Owner
) -> None:
    vm = Vm(found)
    await vm.show_code()
    assert (await ada.ask("POST", "/pairings/code", {"code": vm.code})).status == 201
    answer = await eve.ask("POST", "/pairings/code", {"code": vm.code})
    assert (answer.status, answer.code) == (404, "code-unknown")


async def test_codes_are_guessed_five_times_and_no_more(found: House, eve: Owner) -> None:
    vm = Vm(found)
    await vm.show_code()
    for _ in range(5):
        answer = await eve.ask("POST", "/pairings/code", {"code": "BBBB-BBBB"})
        assert answer.code == "code-unknown"
    answer = await eve.ask("POST", "/pairings/code", {"code": vm.code})
    assert (answer.status, answer.code) == (429, "too-many")


async def test_a_uuid_that_another_account_claims_too_is_another_machine_and_both_are_flagged(
    found: House, ada: Owner, eve: Owner
) -> None:
    original = Vm(found)
    mine = await ada.pair(original)
    theirs = await eve.pair(Vm(found, "clone", uuid=original.uuid))
    assert theirs.id != mine.id
    assert (await mine.call("GET", "/api/v1/commands?wait=0"))[0] == 200
    for person, hand in ((ada, mine), (eve, theirs)):
        [row] = (await person.ask("GET", "/machines")).body["machines"]
        assert (row["id"], row["twin"]) == (hand.id, True)


async def test_one_account_that_pairs_a_machine_anew_is_not_flagged(
    found: House, ada: Owner
) -> None:
    vm = Vm(found)
    await ada.pair(vm)
    await ada.pair(Vm(found, uuid=vm.uuid))
    rows = (await ada.ask("GET", "/machines")).body["machines"]
    assert [row["twin"] for row in rows] == [False, False]


async def test_nothing_about_a_pairing_is_changed_by_get(found: House, ada: Owner) -> None:
    made = await ada.begin()
    vm = Vm(found)
    await vm.present(made["pin"])
    before = await found.rows("SELECT * FROM pairings")
    for path in ("", "/confirm", "/reject", "?wait=0&machine=x&confirm=1"):
        await ada.ask("GET", f"/pairings/{made['id']}{path}")
    await found.answer("GET", f"/pair/code?code={vm.code}&confirm=1")
    assert await found.rows("SELECT * FROM pairings") == before
    changing = [r for r in ROUTES if "pair" in r.path and r.method != "GET"]
    assert changing
    assert all(r.path.endswith(("/pair", "/device", "/collect")) for r in changing
               if isinstance(r.access, Public))  # fmt: skip


async def test_a_pairing_runs_out_and_its_machine_with_it(found: House, ada: Owner) -> None:
    made = await ada.begin()
    vm = Vm(found)
    await vm.present(made["pin"])
    before = found.deps.clock
    found.deps.clock = lambda: before() + 301
    assert (await ada.look(made["id"]))["state"] == "expired"
    answer = await ada.confirm(made["id"], vm.words)
    assert answer.status in (409, 410)
    assert await vm.status() == "expired"
    late = Vm(found)
    await late.present(made["pin"])
    assert (await ada.look(made["id"]))["machines"][1:] == []


async def test_what_was_confirmed_and_not_collected_runs_out_too(found: House, ada: Owner) -> None:
    vm = Vm(found)
    await ada.agree(vm)
    before = found.deps.clock
    found.deps.clock = lambda: before() + 301
    answer = await vm.collect()
    assert (answer.status, answer.code) == (410, "pairing-over")


async def test_neither_pins_nor_codes_nor_poll_tokens_lie_in_the_database(
    found: House, ada: Owner
) -> None:
    made = await ada.begin()
    vm, other = Vm(found), Vm(found)
    await vm.present(made["pin"])
    await other.show_code()
    rows = repr(await found.rows("SELECT * FROM pairings"))
    rows += repr(await found.rows("SELECT * FROM claims"))
    for secret in (made["pin"], vm.poll, other.code, other.code.replace("-", "")):
        assert f"'{secret}'" not in rows
    assert vm.poll.removeprefix("wfp_") not in rows


async def test_what_a_machine_says_of_itself_cannot_write_on_a_terminal(
    found: House, ada: Owner
) -> None:
    made = await ada.begin()
    vm = Vm(found, "\x1b[2J\u202evil")
    assert (await vm.present(made["pin"])).status == 202
    [seen] = (await ada.look(made["id"]))["machines"]
    assert seen["hostname"].isprintable()
    assert json.dumps(seen)


async def test_no_crowd_fills_the_disk_with_codes(
    found: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presenting, "CODES_ALL", 20)
    for number in range(20):
        await presenting.show_code(found.deps, said(number), f"10.{number}.0.1")
    with pytest.raises(TooMany):
        await presenting.show_code(found.deps, said(99), "10.99.0.1")


async def test_pins_are_not_asked_for_without_end(
    found: House, ada: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing, "BEGUN_MOST", 5)
    last = ""
    for _ in range(5):
        last = (await ada.begin(instead=last))["id"]
    answer = await ada.ask("POST", "/pairings", {"instead": last})
    assert (answer.status, answer.code) == (429, "too-many")


async def test_what_came_to_nothing_is_forgotten_after_a_month(found: House, ada: Owner) -> None:
    made = await ada.begin()
    await Vm(found).present(made["pin"])
    await Vm(found).present(wrong(made["pin"]))
    hand = await ada.pair(Vm(found))
    before = found.deps.clock
    found.deps.clock = lambda: before() + 31 * 86_400
    await pairing.forget(found.deps)
    assert [row[0] for row in await found.rows("SELECT host FROM pairings")] == [hand.id]
    assert len(await found.rows("SELECT id FROM claims")) == 1


async def test_an_account_that_was_disabled_gets_no_machine(found: House, ada: Owner) -> None:
    vm = Vm(found)
    await ada.agree(vm)
    await found.deps.store.write(
        lambda tx: tx.run("UPDATE accounts SET state = 'disabled' WHERE name = 'ada'")
    )
    answer = await vm.collect()
    assert (answer.status, answer.code) == (403, "account-disabled")
    assert await found.rows("SELECT id FROM hosts") == []
