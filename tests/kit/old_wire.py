"""Reads every golden sample on whatever Python runs it, and says what it found; agent code alone.

usage: python3.9 -m tests.kit.old_wire FOLDER
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from pathlib import Path

import vmagent
from vmagent.wire import codec, frames, merkle, messages, pairing, statements

# What the agent needs beside the standard library; a bare Python may lack it.
LIBRARIES = ("cryptography", "urllib3")


def imports() -> dict[str, str]:
    """Every module of the agent: "" if it could be imported, else the library that it lacks."""
    found = {}
    for module in pkgutil.walk_packages(vmagent.__path__, "vmagent."):
        try:
            importlib.import_module(module.name)
            found[module.name] = ""
        except ModuleNotFoundError as error:
            lacking = str(error.name).partition(".")[0]
            if lacking not in LIBRARIES:
                raise
            found[module.name] = lacking
    return found


def samples(folder: Path) -> dict[str, str]:
    """Every message and statement, read and written again."""
    found = {}
    for path in folder.glob("*.json"):
        spoken = (messages, pairing, statements)
        kind = next((vars(one)[path.stem] for one in spoken if path.stem in vars(one)), None)
        if kind is not None:
            found[path.name] = codec.encode(codec.decode(path.read_bytes(), kind)).decode()
    for each in json.loads((folder / "frames.json").read_text(encoding="utf-8")):
        name = f"{each['name']}.hex"
        raw = bytes.fromhex((folder / name).read_text())
        frame = frames.decode(raw, each["granule"])
        records = [record for _, _, record in frame.records()]
        found[name] = frames.encode(frame.first, frame.last, records).hex()
    return found


def roots(folder: Path) -> list[str]:
    """The root that the path of each lease of the batch leads to."""
    batch = json.loads((folder / "lease-batch.json").read_text(encoding="utf-8"))
    texts = [text.encode() for text in batch["leases"]]
    root, paths = merkle.tree(texts)
    found = [
        merkle.root_from(text, number, len(texts), paths[number]).hex()
        for number, text in enumerate(texts)
    ]
    return [root.hex(), *found]


def refusals() -> list[str]:
    """What is said of JSON that is none, whatever the Python."""
    found = []
    for raw in (b"[" * 100_000, b'{"task":NaN}', b'{"task":"\\ud800"}', b'{"task":1e0}', b"\xff"):
        try:
            codec.decode(raw, messages.Progress)
        except codec.BadMessage:
            found.append("refused")
    return found


def main(folder: Path) -> None:
    """One JSON document on standard output."""
    said = {
        "version": list(sys.version_info[:2]),
        "imports": imports(),
        "samples": samples(folder),
        "roots": roots(folder),
        "refusals": refusals(),
    }
    sys.stdout.buffer.write(json.dumps(said).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
