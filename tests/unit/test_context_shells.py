"""What a real shell makes of the values of contexts: assignments, and never a command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from contexts.check import check, filled
from contexts.part import Machine, Pieces
from contexts.registry import PARTS
from contexts.schema import Document
from tests.kit.contexts import HOSTILE, STEADY, documents, documents_of

MACHINE = Machine(server="https://pool.example.org", token="wf1.a-token-for-this-test")
TAKEN_APART = ("users", "extra_repositories")
"""Keys of [cernvm] that amiconfig splits itself, before anything of them reaches a shell."""


def _sourced(pieces: Pieces) -> Iterator[str]:
    """Lines as CernVM's boot loader and amiconfig leave them for a shell of root to source."""
    for key, value in pieces.ucernvm.items():
        yield f"U_{key.upper()}={value}"
    for key, value in pieces.amiconfig.get("cernvm", {}).items():
        if key not in TAKEN_APART:
            yield f"C_{key.upper().replace('-', '_')}={value}"
    for one in pieces.cloud.get("write_files", []):
        path = str(one["path"])
        if path.startswith(("/etc/cvmfs/", "/etc/default/", "/etc/profile.d/")) and (
            not path.endswith(".pub")
        ):
            yield from str(one["content"]).rstrip("\n").split("\n")


def _shell(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """A shell without any program, which stops at the first that it would start."""
    file = folder / "sourced.sh"
    file.write_text(text, encoding="utf-8")
    command = ["/bin/sh", "-e", "-c", ". ./sourced.sh; /bin/cat /proc/self/environ"]
    environment = {"PATH": str(folder / "nothing"), "LANG": "C"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def _of(document: Document) -> list[str]:
    return [
        line
        for name, values in filled(document).items()
        for line in _sourced(PARTS[name].pieces(values, MACHINE))
        if values.get("as_is") is not True
    ]


def test_a_shell_finds_nothing_but_assignments_in_the_examples(tmp_path: Path) -> None:
    found = [line for part in PARTS.values() for line in _of(documents_of(part))]
    assert len(found) > 40
    done = _shell(tmp_path, "\n".join(found) + "\n")
    assert (done.returncode, done.stderr) == (0, "")


@settings(
    STEADY,
    max_examples=25,
    suppress_health_check=(HealthCheck.function_scoped_fixture, HealthCheck.too_slow),
)
@given(document=documents())
def test_a_shell_finds_nothing_but_assignments_in_any_document(
    tmp_path: Path, document: Document
) -> None:
    done = _shell(tmp_path, "\n".join(_of(document)) + "\n")
    assert (done.returncode, done.stderr) == (0, ""), _of(document)


def test_a_variable_of_ill_will_arrives_as_it_was_typed(tmp_path: Path) -> None:
    values = {f"V{number}": text for number, text in enumerate(HOSTILE) if len(text) < 1000}
    lines = [f"{name}={text}" for name, text in values.items()]
    document: Document = {
        "contextualization": {
            "environment": [
                line for line in lines if not check({"contextualization": {"environment": [line]}})
            ]
        }
    }
    told = document["contextualization"]["environment"]
    assert isinstance(told, list)
    assert len(told) > 8
    pieces = PARTS["contextualization"].pieces(filled(document)["contextualization"], MACHINE)
    (profile,) = pieces.cloud["write_files"]
    done = _shell(tmp_path, profile["content"])
    assert done.stderr == ""
    arrived = [item for item in done.stdout.split("\0") if item.startswith("V")]
    assert sorted(arrived) == sorted(str(item) for item in told)
    assert not os.path.exists("/tmp/owned")
