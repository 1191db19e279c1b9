"""Productions signed and created from the command line: what is sent, shown, asked and refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server import keyring
from server.domain import definition
from tests.kit.command_line import Said, run
from tests.kit.fake_admin import Answer, FakeAdmin, Seen, fake_admin, made, problem
from vmagent.wire import jws, statements

TEXT = """[production]
name = "toy-run"
events = 1000
unit = 200
seed = 7
format = "lines"
[payload]
name = "toy"
version = "1"
command = ["sh", "toy.sh"]
mode = "pipe"
reference = 4
"""
# It ends before it has made one event.
PROGRAM = "exit 3\n"
PLAN = {"units": 5, "events": 1000, "copies": 2000, "bytes": None, "core_hours": None}


class Bench:
    """A person with a release key, a signed payload, a definition, and a server to speak to."""

    def __init__(self, fake: FakeAdmin, place: Path) -> None:
        self.fake, self.place = fake, place
        self.key = place / "release.key"
        self.public = keyring.public_of(keyring.new_private(self.key))
        self.file = place / "run.toml"
        self.file.write_text(TEXT)
        (place / "token").write_text("wfa_" + "t" * 43)
        (place / "toy").mkdir()
        (place / "toy" / "toy.sh").write_text(PROGRAM)
        self.bundle = place / "toy-1.tar.gz"
        self.payload = place / "toy-1.jws"
        assert run("payload", "pack", place / "toy", "-o", self.bundle).code == 0
        assert run("payload", "sign", self.bundle, "--key", self.key).code == 0
        fake.answer("POST /productions", self.answer)

    def answer(self, seen: Seen) -> Answer:
        """A plan, or a production, as it was asked for."""
        if seen.json()["plan_only"]:
            return made(PLAN)
        return made({"id": 3, "name": "toy-run", "state": "active"}, 201)

    def create(self, *args: str | Path, answers: str | None = None) -> Said:
        """Run ``production create``."""
        place = ("--server", self.fake.url, "--token-file", self.place / "token")
        return run("production", "create", self.file, *args, *place, answers=answers)

    def asked(self) -> list[bool]:
        """Of each request, whether it asked for a plan only."""
        return [bool(s.json()["plan_only"]) for s in self.fake.seen if s.method == "POST"]

    def value(self, text: str) -> dict[str, object]:
        """What a manifest says, its signature checked."""
        return jws.verify(statements.MANIFEST, text, {jws.key_id(self.public): self.public})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with fake_admin() as fake:
        yield Bench(fake, tmp_path)


def test_the_plan_is_shown_before_anything_is_created(bench: Bench) -> None:
    said = bench.create("--payload", bench.payload, "--key", bench.key, "--no-probe", answers="y\n")
    assert said.code == 0
    assert bench.asked() == [True, False]
    assert "at least 2 different accounts" in said.out
    assert "--no-probe was given" in said.err
    assert said.out.index("2 000") < said.out.index("Create it?") < said.out.index("production 3")


def test_answered_with_no_nothing_is_created(bench: Bench) -> None:
    said = bench.create("--payload", bench.payload, "--key", bench.key, "--no-probe", answers="n\n")
    assert said.code == 130
    assert bench.asked() == [True]


def test_plan_only_creates_nothing(bench: Bench) -> None:
    options = ("--payload", bench.payload, "--key", bench.key, "--no-probe", "--plan-only")
    assert bench.create(*options, "--json").json() == {"plan": {**PLAN, "accounts": 2}}
    assert bench.asked() == [True]


def test_what_is_signed_is_the_manifest_of_the_definition(bench: Bench) -> None:
    out = bench.place / "manifest.jws"
    signing = ("--payload", bench.payload, "--key", bench.key, "-o", out)
    made = run("production", "sign", bench.file, *signing)
    assert made.code == 0
    assert f"--manifest {out} --bundle {bench.bundle}" in made.out
    said = bench.create("--manifest", out, "--json")
    assert said.code == 0
    assert said.json()["production"]["id"] == 3
    sent = bench.fake.seen[-1].json()
    value = bench.value(sent["manifest"])
    assert sent["manifest"] == out.read_text().strip()
    assert sent["definition"] == TEXT
    assert definition.parse(TEXT).disagreements(value) == []
    payload = jws.peek(bench.payload.read_text().strip())[1]
    assert value["payload"] == payload["digest"]


def test_without_a_signature_nothing_is_sent(bench: Bench) -> None:
    said = bench.create()
    assert said.code == 7
    assert "windfall production sign" in said.err
    assert bench.fake.seen == []


def test_a_signature_is_brought_or_made_but_not_both(bench: Bench) -> None:
    said = bench.create("--manifest", bench.payload, "--payload", bench.payload)
    assert said.code == 2
    other = bench.create("--manifest", bench.payload)
    assert other.code == 3
    assert "a statement of windfall.payload" in other.err


def test_a_manifest_is_not_written_over_the_payloads_statement(bench: Bench) -> None:
    before = bench.payload.read_text()
    signing = ("--payload", bench.payload, "--key", bench.key, "-o", bench.payload)
    assert run("production", "sign", bench.file, *signing).code == 2
    assert bench.payload.read_text() == before


def test_every_fault_of_a_definition_is_told_with_its_line(bench: Bench) -> None:
    bench.file.write_text(TEXT.replace("seed = 7", 'seed = "x"').replace("unit", "units"))
    said = bench.create("--payload", bench.payload, "--key", bench.key)
    assert said.code == 3
    assert "line 4" in said.err
    assert "line 5" in said.err
    assert bench.fake.seen == []


def test_what_the_server_finds_at_fault_is_told(bench: Bench) -> None:
    fault = "payload 12ab: not on this server; add it first: windfall payload add"
    bench.fake.answer("POST /productions", problem(400, "bad-input", fault, fault))
    said = bench.create("--payload", bench.payload, "--key", bench.key, "--no-probe", "--yes")
    assert said.code == 4
    assert said.err.count(fault) == 1


def test_a_payload_that_does_not_run_here_stops_the_creation(bench: Bench) -> None:
    said = bench.create("--payload", bench.payload, "--key", bench.key, "--yes")
    assert said.code == 1
    assert "--no-probe" in said.err
    assert bench.asked() == [True]


def test_a_bundle_that_is_not_the_signed_one_is_not_run(bench: Bench) -> None:
    bench.bundle.write_bytes(b"something else")
    said = bench.create("--payload", bench.payload, "--key", bench.key, "--yes")
    assert said.code == 3
    assert "windfall payload sign" in said.err
    assert bench.asked() == [True]


@pytest.mark.parametrize(
    ("accounts", "warned"), [(["anna", "anna"], True), (["anna", "bert"], False), ([], True)]
)
def test_too_few_accounts_with_hosts_are_warned_of(
    bench: Bench, accounts: list[str], warned: bool
) -> None:
    rows = [{"account": account, "state": "away"} for account in accounts]
    gone = {"account": "carl", "state": "revoked"}
    bench.fake.answer("GET /hosts", made({"hosts": [*rows, gone]}))
    said = bench.create("--payload", bench.payload, "--key", bench.key, "--no-probe", "--yes")
    assert said.code == 0
    assert ("this production needs 2" in said.err) == warned


def test_one_copy_of_each_event_needs_no_second_account(bench: Bench) -> None:
    bench.file.write_text(TEXT + "[policy]\nquorum = 1\n")
    said = bench.create("--payload", bench.payload, "--key", bench.key, "--no-probe", "--yes")
    assert "Warning" not in said.err
    assert [seen.method for seen in bench.fake.seen] == ["POST", "POST"]


def test_a_probe_that_was_not_made_is_told_with_its_why(bench: Bench) -> None:
    manifest = bench.place / "run.jws"
    signing = ("--payload", bench.payload, "--key", bench.key)
    assert run("production", "sign", bench.file, *signing).code == 0
    assert "no bundle was named" in bench.create("--manifest", manifest, "--yes").err
    bench.bundle.rename(bench.place / "elsewhere.tar.gz")
    assert "does not lie beside" in bench.create(*signing, "--yes").err
    bench.file.write_text(TEXT.replace("reference = 4", "reference = 0"))
    assert "reference = 0" in bench.create(*signing, "--yes").err


@pytest.mark.parametrize(
    ("hours", "told"),
    [(0.0034, "12 seconds"), (0.5, "30 minutes"), (30.0, "30 hours"), (54_000.0, "2 250 days")],
)
def test_what_a_production_costs_is_told_in_words(bench: Bench, hours: float, told: str) -> None:
    bench.fake.answer("POST /productions", made({**PLAN, "core_hours": hours}))
    options = ("--payload", bench.payload, "--key", bench.key, "--no-probe", "--plan-only")
    assert f"{told} of one core" in bench.create(*options).out
