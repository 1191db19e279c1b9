"""Productions signed and created: the manifest, a probe on this machine, the plan, the deed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from server.cli.asking import confirm
from server.cli.client import Client
from server.cli.exits import BadFile, CheckFailed, Missing, NotSigned, Refused, WrongUse
from server.cli.groups import Deed
from server.cli.options import PATH, YES, release_key_option, with_server
from server.cli.output import emit, is_json, note, span, tell, tell_facts
from server.cli.payload import bundle_beside, held_against, read_statement, rows_of
from server.cli.signing import put, signing_key
from server.domain.definition import Definition, Faults, parse
from vmagent.wire import jws, statements

PROBE_MOST_S = 900.0


@dataclass(frozen=True)
class Work:
    """What is to be created: the definition's text and meaning, and the signed manifest."""

    text: str
    definition: Definition
    manifest: str


@click.command("sign", cls=Deed)
@click.argument("file", type=PATH, metavar="FILE.toml")
@click.option("--payload", type=PATH, required=True, help="The payload's signed statement.")
@click.option("-o", "--output", "out", type=PATH, help="The manifest; FILE.jws if not given.")
@release_key_option
def sign_command(file: Path, payload: Path, out: Path | None, key: Path | None) -> None:
    """Sign the manifest of the production that FILE.toml defines."""
    _, definition = read_definition(file)
    manifest = signed(definition, payload, key)
    out = out or file.with_suffix(".jws")
    if out == payload:
        raise WrongUse(f"{out}: that is the payload's statement; name another file with -o")
    put(out, statements.MANIFEST, manifest)
    bundle = bundle_beside(payload)
    tell(
        {"file": str(out), "digest": jws.digest(manifest)},
        f"{out}: the manifest of {definition.name}, signed",
        f"Next: windfall production create {file} --manifest {out}"
        + (f" --bundle {bundle}" if bundle else ""),
    )


@click.command("create", cls=Deed)
@click.argument("file", type=PATH, metavar="FILE.toml")
@click.option("--manifest", type=PATH, help="The manifest that `production sign` wrote.")
@click.option("--payload", type=PATH, help="Sign it now: the payload's signed statement.")
@release_key_option
@click.option("--bundle", type=PATH, help="The payload's bundle, to probe with; PAYLOAD.tar.gz.")
@click.option("--probe/--no-probe", default=True, help="Time the payload on this machine first.")
@click.option("--plan-only", is_flag=True, help="Show the plan, create nothing.")
@YES
@with_server
def create_command(
    file: Path,
    manifest: Path | None,
    payload: Path | None,
    key: Path | None,
    bundle: Path | None,
    probe: bool,
    plan_only: bool,
    yes: bool,
    server: Client,
) -> None:
    """Create the production that FILE.toml defines: shows the plan, asks, then does it."""
    work = prepared(file, manifest, payload, key)
    body = {"definition": work.text, "manifest": work.manifest}
    plan = dict(server.post("productions", body={**body, "plan_only": True}))
    plan["accounts"] = work.definition.policy.quorum
    bundle = bundle or (bundle_beside(payload) if payload else None)
    if unprobed := why_unprobed(work.definition, payload, bundle, asked=probe):
        note(unprobed)
    elif bundle is not None:
        plan |= estimate(work, run_probe(work.manifest, bundle, payload))
    if not is_json():
        tell_facts(for_people(plan))
    warn_of_accounts(server, work.definition.policy.quorum)
    if plan_only:
        if is_json():
            emit({"plan": plan})
        return
    confirm("Create it?", yes=yes)
    made = server.post("productions", body={**body, "plan_only": False})
    tell(
        {"plan": plan, "production": made},
        f"production {made.get('id')}: {made.get('name')}, {made.get('state')}",
        f"Next: windfall production show {made.get('id')} --watch",
    )


def why_unprobed(
    definition: Definition, payload: Path | None, bundle: Path | None, *, asked: bool
) -> str:
    """Why the payload is not timed on this machine; empty if it is."""
    if not asked:
        why = "--no-probe was given"
    elif not definition.payload.reference:
        why = "reference = 0 leaves no event to time"
    elif bundle is not None:
        return ""
    elif payload is not None:
        why = f"its bundle does not lie beside {payload}; name it with --bundle"
    else:
        why = "no bundle was named; name it with --bundle"
    return f"Not probed, so what it costs is not known: {why}."


def for_people(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan with its figures in words."""
    own = ("accounts", "core_hours")
    words = {name: fact for name, fact in plan.items() if name not in own and fact is not None}
    if (hours := plan.get("core_hours")) is not None:
        words["computing"] = f"{span(hours * 3600)} of one core"
    words["hosts"] = f"needs machines of at least {plan['accounts']} different accounts"
    return words


def warn_of_accounts(server: Client, quorum: int) -> None:
    """Say it if so many accounts do not have a host; one is no question."""
    if quorum < 2:
        return
    try:
        hosts = rows_of(server.get("hosts"), "hosts")
    except (Missing, Refused):
        return  # this token may not see the hosts
    accounts = {row.get("account") for row in hosts if row.get("state") != "revoked"}
    if len(accounts) < quorum:
        note(
            f"Warning: of accounts with hosts the server has {len(accounts)}, and this production "
            f"needs {quorum}: until more join it cannot end (windfall account create, then token)"
        )


def read_definition(file: Path) -> tuple[str, Definition]:
    """A definition's text and meaning; `BadFile` lists its faults."""
    try:
        text = file.read_text(encoding="utf-8")
        return text, parse(text)
    except Faults as error:
        raise BadFile(f"{file}: not the definition of a production", error.faults) from error
    except UnicodeDecodeError as error:
        raise BadFile(f"{file}: not a text in UTF-8") from error


def prepared(file: Path, manifest: Path | None, payload: Path | None, key: Path | None) -> Work:
    """The definition with its manifest, from its file or signed now."""
    text, definition = read_definition(file)
    if manifest is not None:
        if payload or key:
            raise WrongUse("--manifest brings a signature; --payload and --key would make another")
        return Work(text, definition, _read_manifest(manifest))
    if payload is None:
        raise NotSigned(
            f"{file}: hosts run nothing unsigned; give --manifest FILE.jws (made by "
            "`windfall production sign`), or --payload BUNDLE.jws and --key to sign it now"
        )
    return Work(text, definition, signed(definition, payload, key))


def _read_manifest(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii").strip()
        head, _ = jws.peek(text)
    except (UnicodeDecodeError, jws.Unsigned) as error:
        raise BadFile(f"{path}: not a signed manifest") from error
    if head.get("typ") != statements.MANIFEST:
        raise BadFile(f"{path}: a statement of {head.get('typ')}, not the manifest of a production")
    return text


def signed(definition: Definition, payload: Path, key: Path | None) -> str:
    """The manifest of a definition, signed with a release key."""
    statement = read_statement(payload)
    private = signing_key(key)
    value = definition.manifest(statement.value.digest, time.time())
    return jws.sign(statements.MANIFEST, value, private)


def run_probe(manifest: str, bundle: Path, payload: Path | None) -> dict[str, Any]:
    """What the agent measures of this payload on this machine, in a process of its own."""
    if payload is not None:
        held_against(bundle, read_statement(payload).value)
    note("Probing the payload on this machine (--no-probe leaves this out) ...")
    with tempfile.TemporaryDirectory(prefix="windfall-probe-") as place:
        file = Path(place) / "manifest.jws"
        file.write_text(manifest, encoding="ascii")
        paths = ["--manifest", str(file), "--payload", str(bundle.absolute())]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "vmagent", "probe", *paths, "--json"],
                capture_output=True,
                text=True,
                timeout=PROBE_MOST_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CheckFailed(
                f"{bundle}: the reference events are not done after {PROBE_MOST_S:.0f} s; "
                "ask for fewer (reference), or leave the probe out with --no-probe"
            ) from error
    return _measured(done, bundle)


def _measured(done: subprocess.CompletedProcess[str], bundle: Path) -> dict[str, Any]:
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = None
    if done.returncode != 0 or not isinstance(found, dict):
        last = [line for line in done.stderr.splitlines() if line.strip()][-5:]
        raise CheckFailed(
            f"{bundle}: the payload does not run here (windfall-agent probe exits "
            f"{done.returncode}); mend it, or leave the probe out with --no-probe",
            last,
        )
    return found


def estimate(work: Work, measured: dict[str, Any]) -> dict[str, Any]:
    """What the production would take on machines like this one."""
    pace, weight = (measured.get(name) for name in ("seconds_per_event", "bytes_per_event"))
    plan = asdict(work.definition.plan(pace, weight))
    known = {name: value for name, value in plan.items() if value is not None}
    return {**known, "seconds_per_event": pace}
