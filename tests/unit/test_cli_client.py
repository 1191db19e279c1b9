"""The commands against a server that answers well, badly, or not at all."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.cli.output import shown
from server.settings import Settings
from tests.kit.command_line import Said, run
from tests.kit.fake_admin import Answer, FakeAdmin, Seen, fake_admin, made, problem

TOKEN = "wfa_" + "t" * 43
CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
REPR = f"sha-256=:{base64.b64encode(bytes.fromhex(DIGEST)).decode()}:"


SHARES = {"hs06_share": 0.0, "hepscore23_share": 0.0}


class Desk:
    """A person with a token, in front of a server."""

    def __init__(self, fake: FakeAdmin, place: Path) -> None:
        self.fake, self.place = fake, place
        self.token = place / "token"
        self.token.write_text(TOKEN + "\n")

    def run(self, *args: str | Path, answers: str | None = None) -> Said:
        """Run a command; the token shows up nowhere in what it says."""
        place = ("--server", self.fake.url, "--token-file", self.token)
        said = run(*args, *place, answers=answers)
        assert TOKEN not in said.out + said.err
        return said


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with fake_admin() as fake:
        yield Desk(fake, tmp_path)


def test_a_token_travels_in_its_header_and_nowhere_else(desk: Desk) -> None:
    desk.fake.answer("GET /status", made({"hosts_total": 3}))
    assert desk.run("status", "--json").json() == {"hosts_total": 3}
    (seen,) = desk.fake.seen
    assert seen.headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in seen.path


def test_the_public_document_is_asked_for_without_a_token(desk: Desk) -> None:
    desk.fake.answer("GET /openapi.json", made({"openapi": "3.1.0"}))
    assert desk.run("openapi").json() == {"openapi": "3.1.0"}
    assert desk.fake.seen[0].headers["Authorization"] is None


def test_lists_are_tables_for_people_and_documents_for_programs(desk: Desk) -> None:
    row = {"id": 7, "name": "n1", "account": "anna", "cores": 4, "last_seen": 1_795_177_917.0}
    desk.fake.answer("GET /hosts", made({"hosts": [row]}))
    table = desk.run("host", "list")
    assert "last seen" in table.out
    assert "2026-11-20 12:31:57 UTC" in table.out
    assert desk.run("host", "list", "--json").json() == [row]
    desk.fake.answer("GET /hosts", made({"hosts": []}))
    assert desk.run("host", "list").out == "No hosts yet.\n"
    assert desk.run("host", "list", "--json").json() == []


def test_times_hours_and_large_numbers_are_told_as_people_read_them(desk: Desk) -> None:
    given = {"events": 1_103_000, "cpu_h": 1151.6219, "credit": 2_757_500.5}
    row = {"name": "cms-hlt", "since": 1_787_519_000.0, "hosts": 57}
    desk.fake.answer("GET /sites", made({"sites": [row]}))
    assert " 2026-08-23 21:03:20 UTC " in desk.run("site", "list").out
    found = {"month": "2026-09", "months": [{"month": "2026-09", "given": SHARES | given}],
             "accounts": []}  # fmt: skip
    desk.fake.answer("GET /sites/cms-hlt/giving", made(found))
    assert desk.run("site", "giving", "cms-hlt").out.splitlines()[2].split("   ") == [
        "2026-09", "1 103 000", "1 151.6", "2 757 500",
    ]  # fmt: skip
    assert [shown("cpu_h", hours) for hours in (0.0, 0.016, 2.0)] == ["0.0", "0.016", "2.0"]


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        (problem(404, "production-unknown", "There is no production 9; list them."), 6, "list"),
        (problem(409, "illegal-move", "A done production cannot pause."), 4, "cannot pause"),
        (problem(401, "token-revoked", "This token was revoked."), 4, "revoked"),
        (problem(400, "unsigned", "It is signed by a stranger."), 7, "stranger"),
        (problem(503, "unavailable", "Not now.", retry_after="7"), 4, "try again in 7 s"),
        (Answer(b"<html>Bad gateway", 502), 5, "gateway answers 502"),
        (Answer(b"<html>Hello", 403), 4, "is this a Windfall server"),
        (Answer(b"<html>Hello", 200), 4, "is there a Windfall server"),
        (Answer(b"", 302, {"Location": "https://elsewhere.example.org"}), 4, "answered 302"),
    ],
)
def test_each_refusal_ends_with_its_code(desk: Desk, answer: Answer, code: int, told: str) -> None:
    desk.fake.answer("POST /productions/9/pause", answer)
    said = desk.run("production", "pause", "9")
    assert said.code == code
    assert told in said.err
    assert said.out == ""


def test_a_field_out_of_its_bounds_is_said_without_the_words_of_json(desk: Desk) -> None:
    detail = "BenchmarkRequest: Expected `float` >= 0.0 - at `$.value`"
    desk.fake.answer("PUT /hosts/7/benchmark", problem(400, "bad-message", detail))
    said = desk.run("host", "benchmark", "7", "--hs06", "-5")
    assert (said.code, said.err) == (4, "Error: value: expected a number >= 0.0\n")


def test_what_is_no_finite_number_is_not_sent(desk: Desk) -> None:
    said = desk.run("host", "benchmark", "7", "--hs06", "nan")
    assert (said.code, "give a plain one" in said.err, desk.fake.seen) == (2, True, [])


def test_figures_are_asked_for_with_what_they_are_of(desk: Desk) -> None:
    for line, told in (
        ("series events_settled --kind host", "say which with --key"),
        ("series events_settled --key 5", "say of what kind"),
        ("split tasks_failed", "Missing option '--kind'"),
    ):
        said = desk.run("stats", *line.split())
        assert (said.code, told in said.err) == (2, True), line
    assert desk.fake.seen == []


def test_counters_are_told_in_units_that_people_read(desk: Desk) -> None:
    values = {"events_settled": 8_514_000, "cpu_ms": 32_095_880_908, "wall_ms": 7_200_000,
              "credit_micros": 21_285_000_000_000}  # fmt: skip
    desk.fake.answer("GET /stats/now", made({"machines": 3}))
    desk.fake.answer("GET /stats/totals?kind=pool&key=", made({"values": values}))
    told = desk.run("stats", "show").out
    assert [line.split("  ")[-1].strip() for line in told.splitlines()[1:]] == [
        "8 514 000", "8 915.5", "2.0", "21 285 000",
    ]  # fmt: skip
    assert desk.run("stats", "show", "--json").json() == {"machines": 3, **values}


def test_a_refusal_is_one_document_for_programs(desk: Desk) -> None:
    faults = ("line 2: a is not known; take it out", "line 3: b is missing; add it")
    desk.fake.answer(
        "POST /productions/9/pause", problem(400, "bad-input", "; ".join(faults), *faults)
    )
    said = desk.run("production", "pause", "9", "--json")
    assert said.code == 4
    error = said.json()["error"]
    assert (error["exit"], error["status"], error["problem"]) == (4, 400, "bad-input")
    assert error["faults"] == list(faults)
    assert said.err == ""


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with fake_admin() as fake:
        gone = fake.url
    said = run("status", "--server", gone, "--token-file", tmp_path / "token")
    assert said.code == 5
    assert "nothing answers there" in said.err


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://windfall.example.org", "use https://"),
        ("windfall.example.org", "begins with https://"),
        ("ftp://windfall.example.org", "begins with https://"),
    ],
)
def test_a_token_is_not_sent_in_the_open(tmp_path: Path, url: str, told: str) -> None:
    (tmp_path / "token").write_text(TOKEN)
    said = run("status", "--server", url, "--token-file", tmp_path / "token")
    assert said.code == 2
    assert told in said.err


def test_the_local_token_goes_to_the_local_server_alone(desk: Desk) -> None:
    data = desk.place / "data"
    data.mkdir()
    (data / "admin.token").write_text(TOKEN)
    port = desk.fake.url.rpartition(":")[2]
    desk.fake.answer("GET /status", made({}))
    local = run("status", "--data", data, "--set", f"server.port={port}")
    assert local.code == 0
    other = run("status", "--data", data, "--server", "https://windfall.example.org")
    assert other.code == 2
    assert "--token-file" in other.err
    assert len(desk.fake.seen) == 1


@pytest.mark.parametrize("content", ["", "two words\n", "é"])
def test_a_file_without_a_token_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    url = Settings().url
    said = run("status", "--server", url, "--token-file", tmp_path / "token")
    assert said.code == 3
    assert f"{tmp_path}/token" in said.err
    missing = run("status", "--data", tmp_path / "none")
    assert missing.code == 3
    assert "admin.token" in missing.err


def test_a_name_with_odd_letters_stays_one_part_of_the_address(desk: Desk) -> None:
    desk.run("production", "show", "../a b?c")
    assert desk.fake.seen[0].path == "/api/v1/productions/..%2Fa%20b%3Fc"


def test_what_is_no_number_of_a_machine_is_said_with_what_lists_them(desk: Desk) -> None:
    for words in (("machine", "show"), ("host", "trust")):
        said = desk.run(*words, "attic")
        assert said.code == 2
        assert f"'attic' is no number of a {words[0]}; `windfall {words[0]} list`" in said.err
    assert desk.fake.seen == []


def test_a_question_answered_with_no_does_nothing(desk: Desk) -> None:
    said = desk.run("host", "revoke", "3", answers="n\n")
    assert said.code == 130
    assert "answered with no" in said.err
    alone = desk.run("host", "revoke", "3", answers="")
    assert alone.code == 130
    assert "--yes" in alone.err
    assert "interrupted" not in said.err + alone.err
    assert desk.fake.seen == []
    desk.fake.answer("POST /hosts/3/revoke", Answer(b"", 204))
    assert desk.run("host", "revoke", "3", answers="y\n").code == 0
    assert desk.run("host", "revoke", "3", "--json").json() == {"host": "3", "revoked": True}


def test_a_token_is_shown_once_or_written_for_its_owner_alone(desk: Desk) -> None:
    text = "wf1." + "x" * 43 + "." + "0" * 16
    desk.fake.answer("POST /accounts/anna/tokens", made({"id": 4, "token": text}, 201))
    shown = desk.run("account", "token", "anna", "--days", "2", "--uses", "5", "--note", "lab")
    assert shown.out == text + "\n"
    assert desk.fake.seen[0].json() == {
        "kind": "enrol",
        "uses": 5,
        "expires_s": 172_800.0,
        "note": "lab",
    }
    out = desk.place / "anna.token"
    quiet = desk.run("account", "token", "anna", "-o", out, "--json")
    assert text not in quiet.out + quiet.err
    assert out.read_text() == text + "\n"
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_token_goes_over_no_file_and_a_refused_one_leaves_none(desk: Desk) -> None:
    out = desk.place / "anna.token"
    out.write_text("precious")
    said = desk.run("account", "token", "anna", "-o", out)
    assert (said.code, out.read_text()) == (3, "precious")
    assert desk.fake.seen == []
    out.unlink()
    assert desk.run("account", "token", "nobody", "-o", out).code == 6
    assert not out.exists()


def test_a_server_of_plain_http_behind_an_https_address_is_told(desk: Desk) -> None:
    url = desk.fake.url.replace("http:", "https:")
    said = run("status", "--server", url, "--token-file", desk.token)
    assert said.code == 5
    assert "plain HTTP" in said.err
    assert f"try {desk.fake.url}" in said.err


def _output(seen: Seen) -> Answer:
    """The output as the server sends it, whole or from where it is asked."""
    headers = {"ETag": f'"{DIGEST}"', "Repr-Digest": REPR}
    asked = seen.headers["Range"]
    if asked is None or seen.headers["If-Range"] != f'"{DIGEST}"':
        return Answer(CONTENT, 200, headers)
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    if start >= len(CONTENT):
        return problem(416, "out-of-range", "There is nothing there.")
    span = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
    return Answer(CONTENT[start:], 206, {**headers, "Content-Range": span})


def _cut(at: int) -> Answer:
    headers = {"ETag": f'"{DIGEST}"', "Repr-Digest": REPR}
    return Answer(CONTENT, 200, headers, cut=at)


def test_a_broken_fetch_goes_on_where_it_stopped(desk: Desk) -> None:
    out = desk.place / "out.zst"
    desk.fake.answer("GET /productions/1/output", _cut(700_000))
    broken = desk.run("production", "output", "1", "-o", out)
    assert broken.code == 5
    assert not out.exists()
    part = desk.place / "out.zst.part"
    had = part.stat().st_size
    assert 0 < had < len(CONTENT)
    desk.fake.answer("GET /productions/1/output", _output)
    said = desk.run("production", "output", "1", "-o", out)
    assert said.code == 0
    assert desk.fake.seen[-1].headers["Range"] == f"bytes={had}-"
    assert out.read_bytes() == CONTENT
    assert DIGEST in said.out
    assert sorted(path.name for path in desk.place.iterdir()) == ["out.zst", "token"]


def test_a_part_of_other_bytes_is_not_gone_on_with(desk: Desk) -> None:
    out = desk.place / "out.zst"
    (desk.place / "out.zst.part").write_bytes(b"of yesterday")
    (desk.place / "out.zst.part.etag").write_text('"yesterday"')
    desk.fake.answer("GET /productions/1/output", _output)
    assert desk.run("production", "output", "1", "-o", out).code == 0
    assert out.read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_fetched_anew(desk: Desk) -> None:
    out = desk.place / "out.zst"
    (desk.place / "out.zst.part").write_bytes(CONTENT)
    (desk.place / "out.zst.part.etag").write_text(f'"{DIGEST}"')
    desk.fake.answer("GET /productions/1/output", _output)
    assert desk.run("production", "output", "1", "-o", out, "--json").json() == {
        "file": str(out),
        "size": len(CONTENT),
        "digest": DIGEST,
    }
    assert len(desk.fake.seen) == 2


def test_bytes_with_another_digest_are_thrown_away(desk: Desk) -> None:
    out = desk.place / "out.zst"
    headers = {"ETag": '"x"', "Repr-Digest": REPR}
    desk.fake.answer("GET /productions/1/output", Answer(CONTENT[:-1] + b"!", 200, headers))
    said = desk.run("production", "output", "1", "-o", out)
    assert said.code == 1
    assert "thrown away" in said.err
    assert [path.name for path in desk.place.iterdir()] == ["token"]


def test_bytes_without_a_digest_are_not_believed(desk: Desk) -> None:
    out = desk.place / "out.zst"
    desk.fake.answer("GET /productions/1/output", Answer(CONTENT, 200))
    assert desk.run("production", "output", "1", "-o", out).code == 4
    assert not out.exists()


def test_verify_says_what_was_read_and_fails_on_a_fault(desk: Desk) -> None:
    good = {"ok": True, "events": 5, "expected": 5, "in_order": True, "faults": []}
    desk.fake.answer("POST /productions/1/verify", made(good))
    said = desk.run("production", "verify", "1")
    assert said.code == 0
    assert "expected" in said.out
    bad = {**good, "ok": False, "faults": ["events: 4 found, 5 wanted"]}
    desk.fake.answer("POST /productions/1/verify", made(bad))
    failed = desk.run("production", "verify", "1")
    assert failed.code == 1
    assert "4 found" in failed.err


def test_watch_ends_when_the_production_is_over(desk: Desk) -> None:
    states = iter(["active", "active", "merging", "done"])

    def answer(_: Seen) -> Answer:
        return made({"id": 1, "name": "p", "state": next(states), "events": 9, "settled": 3})

    desk.fake.answer("GET /productions/1", answer)
    said = desk.run("production", "show", "1", "--watch", "--every", "0.2", "--json")
    assert said.json()["state"] == "done"
    assert len(desk.fake.seen) == 4


def test_into_a_pipe_watch_prints_a_line_for_each_change(desk: Desk) -> None:
    looks = iter([("active", 0), ("active", 0), ("active", 1000), ("done", 2000)])

    def answer(_: Seen) -> Answer:
        state, settled = next(looks)
        return made({"id": 1, "name": "p", "state": state, "events": 2000, "settled": settled})

    desk.fake.answer("GET /productions/1", answer)
    said = desk.run("production", "show", "1", "--watch", "--every", "0.2")
    assert said.out.splitlines()[:3] == [
        "p: active, 0 of 2 000 events",
        "p: active, 1 000 of 2 000 events",
        "p: done, 2 000 of 2 000 events",
    ]


def test_what_a_done_production_has_inside_is_shown(desk: Desk) -> None:
    found = {
        **{"id": 1, "name": "p", "state": "done", "eta_s": 7260.0, "strip": ["settled"]},
        "output": {"size": 12_345, "digest": DIGEST, "url": "/productions/1/output"},
        "rejected_hosts": [["mallory", 1200], ["eve", 3]],
        "reason": "",
    }
    desk.fake.answer("GET /productions/1", made(found))
    said = desk.run("production", "show", "1")
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert "output size: 12.3 kB" in lines
    assert f"digest: {DIGEST}" in lines
    assert "rejected hosts host: mallory, events: 1 200" in lines
    assert "host: eve, events: 3" in lines
    assert "time left 2 hours" in lines
    assert "reason -" in lines
    assert "strip" not in said.out


def test_leases_of_a_state_that_there_is_not_are_not_asked_for(desk: Desk) -> None:
    said = desk.run("production", "tasks", "1", "--state", "expird")
    assert said.code == 2
    assert "'expired'" in said.err
    assert desk.fake.seen == []
    desk.fake.answer("GET /productions/1/tasks?limit=5&state=expired", made({"tasks": []}))
    assert desk.run("production", "tasks", "1", "--state", "expired", "-n", "5").out == (
        "No such leases.\n"
    )


def test_failed_leases_show_the_end_of_their_log(desk: Desk) -> None:
    common = {"id": 4, "unit": 0, "first": 0, "last": 9, "held": 2}
    rows = [
        {**common, "state": "failed", "cause": "crashed", "log": "begun\nno card\x1b[2J\n"},
        {**common, "state": "delivered", "cause": "deliver", "log": "all well"},
    ]
    desk.fake.answer("GET /productions/1/tasks?limit=100", made({"tasks": rows}))
    said = desk.run("production", "tasks", "1")
    assert "task 4, crashed: no card\N{REPLACEMENT CHARACTER}[2J\n" in said.out
    assert "--json" in said.out
    assert "all well" not in said.out
    assert desk.run("production", "tasks", "1", "--json").json() == rows
