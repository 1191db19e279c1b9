"""Makes tests/golden/rendered: some contexts, rendered for every target, for people to compare.

A file that changes shows what a change of a part or a renderer does to machines. No secret is
real here; of the seed disk only its digest is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from contexts.part import Machine
from contexts.render.order import ISO
from contexts.render.targets import TARGETS, render
from contexts.schema import Document

FOLDER = Path(__file__).parent.parent / "tests" / "golden" / "rendered"
JOINING = Machine(
    name="volunteer-0001",
    server="https://pool.example.org",
    token="wf1.this-is-no-token",  # noqa: S106 - and says so
    cores=2,
    memory_mb=4096,
    agent_sha256="0123456789abcdef" * 4,
)
PAIRED = Machine(name="desktop", server="https://pool.example.org", agent_sha256="fe" * 32)

CONTEXTS: Mapping[str, tuple[Machine, Document]] = {
    "volunteer": (JOINING, {"agent": {"slots": 2, "hours": "mon-fri 18:30-7; sat,sun 0-24"}}),
    "cernvm-4-worker": (
        JOINING,
        {
            "cernvm": {
                "version": "4",
                "edition": "Batch",
                "branch": "cernvm-prod.cern.ch",
                "snapshot": "cernvm-system-4.7.5.0",
            },
            "hostname": {"hostname": "volunteer-0001"},
            "contextualization": {
                "before": "mkdir -p /var/spool/analysis",
                "after": "#!/bin/bash\nexit 0",
                "environment": ["STAGE=/tmp/stage", "TITLE=a value, with commas"],
            },
            "agent": {"join": "token"},
        },
    ),
    "cernvm-5": (
        PAIRED,
        {
            "cernvm": {"version": "5"},
            "contextualization": {"packages": ["htop"], "after": "echo Grüße > /etc/motd"},
            "agent": {"join": "pin"},
        },
    ),
}
"""Name -> machine, document."""


def files() -> Iterator[tuple[str, bytes]]:
    """Every file by its path below the folder."""
    for name, (machine, document) in CONTEXTS.items():
        for target in (*TARGETS, "mime:epilogue"):
            made = render(document, 1, target, machine)
            told = {
                "files": {
                    file.name: {
                        "media": file.media,
                        "mode": f"{file.mode:04o}",
                        "secrets": list(file.secrets),
                        "sha256": hashlib.sha256(file.body).hexdigest(),
                    }
                    for file in made.files
                },
                "secrets": list(made.secrets),
                "size": made.size,
                "warnings": list(made.warnings),
            }
            folder = f"{name}/{target.replace(':', '-')}"
            page = json.dumps(told, indent=1, ensure_ascii=False)
            yield f"{folder}/rendered.json", f"{page}\n".encode()
            for file in made.files:
                if file.media != ISO:
                    yield f"{folder}/{file.name}", file.body


def faults() -> list[str]:
    """What in the folder is not as it would be made now."""
    meant = dict(files())
    found = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    wrong = [
        f"{name} differs"
        for name in sorted(found & set(meant))
        if (FOLDER / name).read_bytes() != meant[name]
    ]
    wrong += [f"{name} is missing" for name in sorted(set(meant) - found)]
    return wrong + [f"{name} belongs to nothing" for name in sorted(found - set(meant))]


def write() -> None:
    """Make the folder anew."""
    for path in sorted(FOLDER.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    for name, body in files():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what differs")
    if not parser.parse_args().check:
        write()
        return 0
    wrong = faults()
    for fault in wrong:
        print(f"{fault}; run python -m tools.golden_contexts")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
