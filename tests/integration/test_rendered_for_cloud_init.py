"""Contexts as their readers find them: Debian's real cloud-init, amiconfig and the boot loader.

The five checks: (a) the boot loader finds every key, (b) amiconfig finds just what was meant, (c)
cloud-init's own processor gives the intended cloud-config, (d) its schema finds no fault, (e) plain
ASCII, LF, nothing in column 0 that could be a section, the boundary in no part.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings

from contexts.part import Machine, Pieces
from contexts.registry import PARTS
from contexts.render import ini
from contexts.render.gather import gather
from contexts.render.readers import amiconfig, boot_loader
from contexts.render.result import USER_DATA_LIMIT, NotRenderable
from contexts.render.targets import TARGETS, render
from contexts.schema import Document
from contexts.templates import TEMPLATES
from tests.kit import cloud_init
from tests.kit.cloud_init import CloudInit
from tests.kit.contexts import documents, documents_of, mended

MACHINE = Machine(
    name="volunteer-0001",
    server="https://pool.example.org",
    token="wf1.not-a-real-token-but-as-long-as-one",
    agent_sha256="ab" * 32,
)
FORMS = ("mime", "mime:epilogue")


@pytest.fixture(scope="module")
def reader() -> Iterator[CloudInit]:
    cloud_init.found()
    started = CloudInit()
    yield started
    started.close()


def check_all(document: Document, reader: CloudInit) -> None:
    """All five checks in both forms of the message."""
    pieces = gather(document, MACHINE, PARTS).pieces
    plain = render(document, 7, "cloud-config", MACHINE).files[0].text
    meant = yaml.safe_load(plain)
    for form in FORMS:
        made = render(document, 7, form, MACHINE)
        text = made.files[0].text
        check_old_readers(text, pieces)
        found = reader.read(text)
        assert found["config"] == meant
        assert found["faults"] == []
        unknown = [kind for kind in found["types"] if kind != "text/cloud-config"]
        assert form == "mime" or unknown in ([], ["text/plain"], ["text/x-not-multipart"])
        check_text(text)
        assert made.size == len(text)


def check_old_readers(text: str, pieces: Pieces) -> None:
    """(a) and (b)."""
    assert boot_loader(text) == boot_loader(ini.block(pieces.ucernvm))
    assert set(boot_loader(text)) == {key.lower() for key in pieces.ucernvm}
    found = amiconfig(text).sections
    for name, keys in pieces.amiconfig.items():
        meant = {key.lower(): value for key, value in keys.items()}
        own = {key: value for key, value in found[name].items() if key != "plugins"}
        assert own == meant, name
    assert amiconfig(text).plugins == tuple(word.lower() for word in pieces.plugins)
    strange = set(found) - set(pieces.amiconfig)
    assert strange <= {"amiconfig", "windfall", "ucernvm-begin", "ucernvm-end"}


def check_text(text: str) -> None:
    """(e)."""
    assert text.isascii()
    assert "\r" not in text
    boundary = re.search(r'boundary="([^"]+)"', text)
    assert boundary is not None
    lines = text.split("\n")
    head = f"--{boundary[1]}"
    assert [line for line in lines if boundary[1] in line][1:] == [
        *[head] * lines.count(head),
        f"{head}--",
    ]
    yaml_lines = text.partition("#cloud-config\n")[2].partition(f"\n{head}")[0].split("\n")
    assert not [line for line in yaml_lines if line.startswith("[")]


@pytest.mark.parametrize("name", list(PARTS))
def test_every_part_with_all_its_fields_reaches_every_reader(name: str, reader: CloudInit) -> None:
    check_all(documents_of(PARTS[name]), reader)


def answered(name: str) -> Document:
    """A template with an example for whatever it asks for and has to be told."""
    return {
        part: {
            **{one.key: one.example for one in PARTS[part].fields if one.required and one.example},
            **values,
        }
        for part, values in TEMPLATES[name].document.items()
    }


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_every_template_reaches_every_reader(name: str, reader: CloudInit) -> None:
    check_all(answered(name), reader)


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_every_template_is_rendered_for_every_target_and_fits(name: str) -> None:
    for target in TARGETS:
        made = render(answered(name), 1, target, MACHINE)
        assert made.files, target
        assert not any("otherwise than meant" in word for word in made.warnings)
        assert made.size <= USER_DATA_LIMIT, target


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    # No shrinking: texts that fit patterns shrink for minutes, and the document is shown anyway.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(document=documents())
def test_any_context_without_a_fault_reaches_every_reader(
    document: Document, reader: CloudInit
) -> None:
    try:
        check_all(document, reader)
    except NotRenderable as refused:
        raise AssertionError(f"{refused} in {document}") from refused


def test_the_schema_command_of_cloud_init_finds_no_fault_in_all_parts_together(
    tmp_path: Path,
) -> None:
    program = cloud_init.found()
    whole = mended(
        {name: values for part in PARTS.values() for name, values in documents_of(part).items()}
    )
    assert len(whole) > len(PARTS) / 2
    made = render(whole, 1, "cloud-config", MACHINE)
    (tmp_path / "user-data").write_bytes(made.files[0].body)
    done = subprocess.run(
        [program, "schema", "--config-file", str(tmp_path / "user-data")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid cloud-config" in done.stdout


def test_a_fault_would_be_found(reader: CloudInit) -> None:
    text = render({"hostname": {"hostname": "worker"}}, 1, "mime", MACHINE).files[0].text
    broken = text.replace("#cloud-config\n", "#cloud-config\nruncmd: 5\n")
    assert broken != text
    assert reader.read(broken)["faults"]
