"""Contexts on the command line, and as files: exported, imported, rendered, sealed at home."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contexts import envelope
from server.services.shelf.handing import Shelf
from tests.kit.command_line import Said, run
from tests.kit.house import House, house
from tests.kit.shelves import HASH, Somebody, somebody

FILES = sorted((Path(__file__).parents[1] / "golden" / "contexts").glob("*.context"))
OLD = """#!/bin/sh.before
mkdir -p /var/spool/analysis
exit 0
[amiconfig]
plugins = cernvm condor strange
[cernvm]
organisations = NA61
users = worker:users:
nobody_reads_this = 1
[condor]
condor_master = head.example.org
[strange]
key = value
[ucernvm-begin]
cvmfs_branch=cernvm-prod.cern.ch
[ucernvm-end]
"""
SECRET = "protected-file\nprotected-file\n"


class Desk:
    """Somebody at a terminal."""

    def __init__(self, found: House, place: Path, person: Somebody) -> None:
        self.found, self.place, self.person = found, place, person
        self.token = place / f"{person.name}.token"
        self.token.write_text(person.token)

    async def say(self, *args: str | Path, answers: str | None = None) -> Said:
        """Run a command on contexts."""
        door = ("--server", self.found.url, "--token-file", self.token)
        return await asyncio.to_thread(run, "context", *args, *door, answers=answers)

    async def done(self, *args: str | Path, answers: str | None = None) -> Said:
        """Run one that has to work."""
        said = await self.say(*args, answers=answers)
        assert said.code == 0, (said.out, said.err)
        return said


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A server, and a volunteer at a terminal."""
    async with house(tmp_path) as found:
        yield Desk(found, tmp_path, await somebody(found, "anna"))


async def test_a_context_lives_on_the_command_line(desk: Desk) -> None:
    assert "worker" in (await desk.done("templates")).out
    made = (await desk.done("create", "Node 1", "--role", "worker",
                            "--field", "condor.master=head.example.org",
                            "--field", "users.users=name=ada,group=users",
                            "--field", "repository.repositories=sft", "--json")).json()  # fmt: skip
    assert made["document"]["repository"] == {"repositories": ["sft"]}
    assert made["document"]["users"] == {"users": [{"name": "ada", "group": "users"}]}
    await desk.done("edit", "Node 1", "--field", "condor.secret=a-long-password",
                    "--clear", "users", "--note", "no users")  # fmt: skip
    shown = (await desk.done("show", "Node 1")).out
    assert "(secret)" in shown
    assert "a-long-password" not in shown
    assert "a-long-password" in (await desk.done("show", "Node 1", "--secrets")).out
    assert "no users" in (await desk.done("show", "Node 1", "--history")).out
    assert "users" in (await desk.done("diff", "Node 1")).out
    assert "revision 3" in (await desk.done("restore", "Node 1", "1")).out
    assert "Node 2" in (await desk.done("create", "--from", "Node 1")).out
    await desk.done("remove", "Node 1", "--yes")
    assert [row["name"] for row in (await desk.done("list", "--json")).json()] == ["Node 2"]
    assert "brought back" in (await desk.done("remove", "--undo", "Node 1")).out
    assert (await desk.say("show", "Nobody's")).code == 6
    assert (await desk.say("edit", "Node 1", "--field", "condor.nothing=1")).code == 2


async def test_a_context_is_edited_as_text(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.done("create", "Node", "--field", "general.timezone=UTC")
    monkeypatch.setenv("EDITOR", 'sed -i \'s#"UTC"#"Europe/Paris"#\'')
    await desk.done("edit", "Node")
    assert "Europe/Paris" in (await desk.done("show", "Node")).out
    monkeypatch.setenv("EDITOR", "true")
    assert "nothing was changed" in (await desk.done("edit", "Node")).err


async def test_files_are_rendered_for_their_owner_alone(desk: Desk, tmp_path: Path) -> None:
    await desk.done("create", "Node", "--field", f"users.users=name=ada,password={HASH}")
    said = await desk.done("render", "Node", "--target", "mime", "--out", tmp_path / "plain")
    assert "examples stand for secrets" in said.err
    assert HASH not in (tmp_path / "plain" / "user-data").read_text()
    await desk.done("render", "Node", "--secrets", "--out", tmp_path / "full")
    file = tmp_path / "full" / "user-data"
    assert HASH in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    await desk.done("render", "Node", "--target", "iso", "--out", tmp_path / "iso")
    assert any(b"CD001" in path.read_bytes() for path in (tmp_path / "iso").iterdir())


async def test_what_is_exported_is_imported_elsewhere_but_for_its_secrets(
    desk: Desk, tmp_path: Path
) -> None:
    await desk.done("create", "Node", "--field", f"users.users=name=ada,password={HASH}")
    file = tmp_path / "node.json"
    await desk.done("export", "Node", "-o", file)
    assert HASH not in file.read_text()
    said = await desk.done("import", file, "--name", "Again")
    assert "a secret was left out" in said.err
    await desk.done("export", "Node", "--secrets", "-o", file)
    assert file.stat().st_mode & 0o077 == 0
    await desk.done("import", file, "--name", "Whole")
    assert HASH in (await desk.done("show", "Whole", "--secrets")).out


async def test_an_old_context_is_imported_and_nothing_of_it_is_lost(
    desk: Desk, tmp_path: Path
) -> None:
    file = tmp_path / "batch-node.context"
    file.write_text(OLD)
    said = await desk.done("import", file, "--dry-run")
    assert "nobody_reads_this" in said.err + said.out
    assert (await desk.done("list", "--json")).json() == []
    await desk.done("import", file)
    said = await desk.done("export", "batch-node", "--form", "context")
    assert "unknown.sections: not in this file" in said.err
    assert "[strange]" not in said.out
    text = (await desk.done("export", "batch-node", "--form", "context", "--secrets")).out
    for line in ("condor_master", "nobody_reads_this", "[strange]", "cvmfs_branch", "/var/spool"):
        assert line in text
    file.write_text("nothing like it")
    assert (await desk.say("import", file)).code == 4


async def test_contexts_of_old_come_in(desk: Desk) -> None:
    assert len(FILES) > 1
    for file in FILES:
        await desk.done("import", file)
        assert (await desk.done("render", file.stem, "--target", "amiconfig")).code == 0


async def test_a_context_sealed_at_home_is_nothing_to_the_server(desk: Desk) -> None:
    words = (
        "--field",
        "condor.secret=a-long-password",
        "--field",
        "condor.master=head.example.org",
    )
    made = await desk.done("create", "Sealed", *words, "--seal", "--json", answers=SECRET)
    assert "protected-file" not in made.out
    id = json.loads(made.out[made.out.index("{") :])["context"]["id"]
    data = desk.found.settings.data
    raw = b"".join(path.read_bytes() for path in data.glob("windfall.db*"))
    assert b"head.example.org" not in raw
    shown = await desk.done("show", "Sealed", answers="protected-file\n")
    assert "head.example.org" in shown.out
    assert (await desk.say("show", "Sealed", answers="protected-fill\n")).code == 1
    for wish in (("render", "Sealed"), ("export", "Sealed"), ("publish", "Sealed")):
        assert (await desk.say(*wish)).code == 4
    await desk.done("edit", "Sealed", "--field", "general.timezone=UTC",
                    answers="protected-file\n" + SECRET)  # fmt: skip
    token = await desk.found.token("anna")
    _, joined = await desk.found.enrol(token["token"], "node-1")
    given = await Shelf(desk.found.deps).render(id, 2, joined["host"])
    text = envelope.open_(given.envelope, "protected-file", envelope.bound_to(id, 2))
    assert (given.user_data, "head.example.org" in text, "timezone: UTC" in text) == (
        "",
        True,
        True,
    )


async def test_an_envelope_of_another_revision_is_refused(desk: Desk) -> None:
    made = await desk.person.made("Open")
    id = made["context"]["id"]
    sealed = {
        name: envelope.seal("text", "protected-file", f"context:{id}:1{end}")
        for name, end in (("user_data", ""), ("source", ":source"))
    }
    body = {"started_from": 1, "name": "Open", "envelope": sealed}
    status, said = await desk.person.call("PUT", f"/{id}", body)
    assert (status, said["code"]) == (400, "bad-context")
    assert f"context:{id}:2" in said["detail"]


async def test_defaults_are_shown_and_set(desk: Desk) -> None:
    assert "experiment" in (await desk.done("defaults")).out
    await desk.done("defaults", "user/me", "--field", "general.timezone=Europe/Belgrade")
    assert "Europe/Belgrade" in (await desk.done("defaults", "user/me")).out
    assert (await desk.say("defaults", "experiment", "--field", "general.timezone=UTC")).code == 4


async def test_sharing_and_review_by_command(desk: Desk, tmp_path: Path) -> None:
    await desk.done("create", "Squid", "--role", "squid")
    id = (await desk.done("list", "--json")).json()[0]["id"]
    assert (await desk.say("share", "Squid", "--group", "na61")).code == 4
    assert (await desk.say("share", "Squid")).code == 2
    assert "waits to be read" in (await desk.done("publish", "Squid")).out
    olga = Desk(desk.found, tmp_path, await somebody(desk.found, "olga", "operator"))
    waiting = (await olga.done("list", "--scope", "review", "--json")).json()
    assert [row["id"] for row in waiting] == [id]
    assert (await olga.say("review", id, "--list")).code == 2
    await olga.done("review", id, "--list", "--revision", "1")
    public = (await olga.done("list", "squid", "--scope", "public", "--json")).json()
    assert [row["id"] for row in public] == [id]
    await desk.done("publish", "Squid", "--withdraw")
    assert (await olga.say("show", id)).code == 6


async def test_a_machine_gets_secrets_that_its_owner_may_have(desk: Desk) -> None:
    made = await desk.person.made("Worker")
    token = await desk.found.token("ben")
    _, foreign = await desk.found.enrol(token["token"], "thief")
    token = await desk.found.token("anna")
    _, own = await desk.found.enrol(token["token"], "node-1")
    shelf = Shelf(desk.found.deps)
    given = await shelf.render(made["context"]["id"], 1, own["host"])
    assert HASH in given.user_data
    with pytest.raises(Exception, match="no context"):
        await shelf.render(made["context"]["id"], 1, foreign["host"])
    account = desk.found.deps.registry.hosts[foreign["host"]].account
    with pytest.raises(Exception, match="no context"):
        await shelf.choose(account, made["context"]["id"], 0)
    assert await shelf.offered(account) == []


async def test_what_is_sealed_at_home_brings_the_agent_and_pins_the_key_of_the_pool(
    desk: Desk,
) -> None:
    agent = desk.found.settings.data / "agent" / "windfall-agent.pyz"
    agent.parent.mkdir(exist_ok=True)
    agent.write_bytes(b"an agent")
    said = await desk.done("create", "Sealed", "--field", "agent.slots=2", "--seal", "--json",
                           answers=SECRET)  # fmt: skip
    id = json.loads(said.out[said.out.index("{") :])["context"]["id"]
    token = (await desk.found.token("anna"))["token"]
    _, joined = await desk.found.enrol(token, "node-1")
    given = await Shelf(desk.found.deps).render(id, 1, joined["host"])
    text = envelope.open_(given.envelope, "protected-file", envelope.bound_to(id, 1))
    await desk.done("create", "Open", "--field", "agent.slots=2")
    await desk.done("render", "Open", "--out", desk.place / "open")
    for user_data in (text, (desk.place / "open" / "user-data").read_text()):
        assert hashlib.sha256(b"an agent").hexdigest() in user_data
        assert f"WINDFALL_RELEASE_KEY={token.rpartition('.')[2]}" in user_data


@pytest.mark.parametrize("target", ["mime", "cloud-config", "iso", "container", "cloud", "agent"])
async def test_files_for_a_launch_hold_a_token_of_their_own(
    desk: Desk, tmp_path: Path, target: str
) -> None:
    words = ("--field", "agent.slots=2", "--field", f"users.users=name=ada,password={HASH}")
    made = (await desk.done("create", "Node", *words, "--json")).json()
    said = await desk.done("render", "Node", "--target", target, "--enrol", "--uses", "2",
                           "--out", tmp_path / "out")  # fmt: skip
    assert "stands in them: 2 uses, 1 days" in said.err
    raw = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert HASH.encode() not in raw, "other secrets are asked for apart"
    [token] = set(re.findall(rb"wf1\.[A-Za-z0-9_-]{43}\.[0-9a-f]{16}", _unpacked(raw)))
    assert (await desk.found.enrol(token.decode(), "vm-1"))[0] == 201
    status, listed = await desk.person.call("GET", "/api/v1/enrolments")
    [one] = listed["tokens"]
    assert (one["uses_left"], one["hosts"], one["revision"]) == (1, 1, 1)
    assert one["context_id"] == made["context"]["id"]
    status, body = await desk.person.call(
        "POST", f"/{made['context']['id']}/render", {"target": target, "enrol": {}}
    )
    assert status == 200
    assert "machine.token" in body["secrets"]
    assert "machine.token" not in body["hidden"]
    rows = await desk.found.rows("SELECT who FROM audit WHERE what = 'enrolment.create'")
    assert [row[0] for row in rows] == ["anna", "anna"]


def _unpacked(raw: bytes) -> bytes:
    """With what is in base64 in clear beside it."""
    found = re.findall(rb"echo ([A-Za-z0-9+/=]{8,}) \| base64", raw)
    return b"\n".join([raw, *(base64.b64decode(each) for each in found)])


async def test_a_file_that_takes_no_token_makes_none(desk: Desk) -> None:
    for words in (
        "agent.join=pin",
        "agent.server=https://other.example.org",
        "general.timezone=UTC",
    ):
        await desk.done("create", words, "--field", words)
        said = await desk.say("render", words, "--enrol")
        assert said.code == 4, (words, said.err)
        assert "nothing in these files takes a token" in said.err
    _, listed = await desk.person.call("GET", "/api/v1/enrolments")
    assert listed["tokens"] == []
