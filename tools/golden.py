"""Makes tests/golden/v1: a sample of everything that protocol version 1 can say, always the same.

What is there must stay readable for ever: a sample that changes says that the protocol has.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vmagent.wire import codec, frames, jws, merkle, messages, pairing, statements

FOLDER = Path(__file__).parent.parent / "tests" / "golden" / "v1"
NOW = 1_750_000_000.5
HOST, PRODUCTION = 17, 3
ASK = "ask-0123456789abcdef"
HOST_TOKEN = "wfh_" + "H" * 43
BUNDLE = hashlib.sha256(b"a bundle").hexdigest()
CLASS = hashlib.sha256(b"reference events").hexdigest()
# Leases of a batch, of which the sample host was given those from MINE on.
BATCH, MINE = 5, 3

FRAMES: Mapping[str, tuple[int, int, int, tuple[bytes, ...]]] = {
    "frame-single-events": (1000, 1003, 1, (b"first", b"second event", b"3")),
    "frame-granule-10": (2_000, 2_024, 10, (b"events 2000-2009", b"", b"the last four")),
    "frame-empty-records": (0, 2, 1, (b"", b"")),
    "frame-far-event": (2**62 - 1, 2**62, 1, (b"\x00\xff",)),
}
"""Name -> first event, last event, granule, records."""


def private(name: str) -> Ed25519PrivateKey:
    """A key that everybody knows: its seed is the SHA-256 of ``windfall golden <name>``."""
    seed = hashlib.sha256(f"windfall golden {name}".encode()).digest()
    return Ed25519PrivateKey.from_private_bytes(seed)


def public(name: str) -> str:
    """The public half of such a key."""
    return jws.public_text(private(name).public_key())


def _key(use: str, name: str, signer: str, until: float | None = None) -> str:
    value = statements.KeyStatement(use, jws.key_id(public(name)), public(name), 1.7e9, until)
    return jws.sign(statements.KEY, codec.plain(value), private(signer))


KEYS = [
    _key("release", "release-1", "release-1"),
    _key("work", "work-1", "release-1", 1.8e9),
    _key("release", "release-2", "release-1"),
    _key("work", "work-2", "release-2", 1.9e9),
]
"""Two release keys, the second vouched for by the first, and a work key of each."""

TOKEN = f"wf1.{'T' * 43}.{jws.key_id(public('release-1'))}"

PAYLOAD = statements.PayloadStatement("zpole", "1.2", BUNDLE, 12_345, NOW)
AGENT = statements.AgentStatement("1.0.0", CLASS, 654_321, NOW)
LIMITS = statements.Limits(4096, 2048, 2_097_152, 300.0, 60.5, 65_536, 8192)
MANIFEST = statements.Manifest(
    name="z-pole-2025",
    payload=BUNDLE,
    command=["{python}", "payload.py", "--card", "EVP_INPUT_CARD"],
    events=100_000,
    seed=42,
    mode="directory",
    granule=10,
    block=100,
    reference=40,
    cores=2,
    inputs={"card": "Beams:eCM = 91.2\nµ = on\n"},
    environment={"OMP_NUM_THREADS": "2"},
    split="lines",
    limits=LIMITS,
    signed_at=NOW,
    network=True,
)
# As the first release signed it, without what came later: it must be believed for ever.
MANIFEST_FIRST = {k: v for k, v in codec.plain(MANIFEST).items() if k != "network"}
del MANIFEST_FIRST["limits"]["memory_mb_most"]
MANIFEST_TEXT = jws.sign(statements.MANIFEST, MANIFEST_FIRST, private("release-1"))
SIGNED = {
    statements.MANIFEST: MANIFEST_TEXT,
    statements.PAYLOAD: jws.sign(statements.PAYLOAD, codec.plain(PAYLOAD), private("release-2")),
    statements.AGENT: jws.sign(statements.AGENT, codec.plain(AGENT), private("release-1")),
    statements.KEY: KEYS[0],
}
"""Kind -> statement."""


def _lease(number: int) -> messages.Lease:
    host, ask = (HOST, ASK) if number >= MINE else (HOST + number + 1, f"ask-of-another-{number}")
    first = 1000 * number
    return messages.Lease(
        100 + number, PRODUCTION, jws.digest(MANIFEST_TEXT), host, first, first + 1000, NOW,
        NOW + 86_400, ask,
    )  # fmt: skip


def _first_text(number: int) -> str:
    """A lease as the first release wrote it."""
    said = codec.plain(_lease(number))
    return codec.encode({k: v for k, v in said.items() if k != "memory_mb"}).decode()


LEASES = [_first_text(number) for number in range(BATCH)]
ROOT, PATHS = merkle.tree([text.encode() for text in LEASES])
SIGNATURE = jws.b64(private("work-1").sign(merkle.CONTEXT + ROOT))


def proof(first: int, last: int) -> messages.Proof:
    """The proof of leases ``[first, last)`` of the batch."""
    paths = [jws.b64(path) for path in PATHS[first:last]]
    return messages.Proof(jws.key_id(public("work-1")), SIGNATURE, BATCH, first, paths)


FACTS = messages.HostFacts(
    4, 16_000, 200_000, "x86_64", "linux 6.1", "glibc 2.36", "3.11.2", "1.0.0",
    ["/cvmfs/sft.cern.ch"], "bubblewrap", True,
)  # fmt: skip
COMMANDS = [messages.Command(7, "abort", {"task": "103"}), messages.Command(8, "drain")]
STATE = messages.TaskState(103, "leased", 3000, 4000, [(3000, 3100), (3200, 3300)], NOW + 120)
GONE = messages.TaskState(9, "gone", 0, 0, [], 0.0)
PROGRESS = messages.Progress(103, 345)
FAILURE = messages.EventFailure(3400, 3401, "segfault")

PREIMAGE = bytes(range(32))
POLL_TOKEN = "wfp_" + "P" * 43
WORDS = "harbour velvet comet"
PAIR_AT = "https://windfall.example.org/pair/code"
CONTEXT = "22b13425ef7244c4b7de60dbbca64728"
# Three modules a side are no QR code, but a sample of how one is said.
QR = ["101", "010", "110"]
# The text sealed in it is "[amiconfig]\nplugins=cernvm\n", its secret "protected-file".
ENVELOPE = (
    '{"v":1,"suite":"scrypt+aes-256-gcm",'
    '"kdf":{"salt":"AAECAwQFBgcICQoLDA0ODw==","n":32768,"r":8,"p":1},'
    '"nonce":"AAECAwQFBgcICQoL","aad":"context:22b13425ef7244c4b7de60dbbca64728:3",'
    '"ct":"HpkduFuCnL5E6abqmU1gNs4Y5zGmgkKN21ExTMBAF2KQmE2iLe3WKlg4hw=="}'
)
IMAGE = pairing.Image("CernVM", "4.5", "cernvm-prod.cern.ch", "4.5-1")
MACHINE_CONTEXT = pairing.MachineContext(
    CONTEXT, 3, "Batch worker", "#cloud-config\nhostname: vm-42\n", ENVELOPE,
    ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada"],
)  # fmt: skip
MACHINE_LIMITS = pairing.MachineLimits(2, 4096, "mon-fri 18:30-7; sat,sun 0-24", False)

VALUES: Sequence[Any] = (
    PAYLOAD,
    AGENT,
    LIMITS,
    MANIFEST,
    statements.KeyStatement("work", jws.key_id(public("work-1")), public("work-1"), 1.7e9, 1.8e9),
    FACTS,
    COMMANDS[0],
    messages.EnrolRequest("enrol-0123456789", TOKEN, "vm-42.example.org", FACTS),
    messages.Enrolled(HOST, HOST_TOKEN, "na61", KEYS, NOW),
    messages.KeyList(KEYS),
    messages.AskRequest(
        ASK, 4, 12_000, 150_000, 3600.5, {jws.digest(MANIFEST_TEXT): CLASS}, 2, 8,
        "bubblewrap", True, "3f9c2ab17d0e5648", "1.0.0", 12.5, 13.75,
    ),
    replace(_lease(MINE), memory_mb=6144),
    proof(MINE, BATCH),
    messages.AskReply(
        NOW, LEASES[MINE:], proof(MINE, BATCH), [jws.digest(MANIFEST_TEXT)], 1.5, COMMANDS
    ),
    messages.ClassReport(jws.digest(MANIFEST_TEXT), "0" * 64, 0.25, "crashed", "Zürich: 粒子\n"),
    STATE,
    messages.FrameReply(STATE, COMMANDS),
    PROGRESS,
    messages.HeartbeatRequest(
        [PROGRESS, messages.Progress(9)], 8, "suspended", "on-battery", "3f9c2ab17d0e5648"
    ),
    messages.HeartbeatReply(NOW, [STATE, GONE], COMMANDS),
    FAILURE,
    messages.ReportRequest(
        "failed", "payload-died", [FAILURE], 100.5, 99.25, 512.0, -11, "Zürich: 粒子\n",
    ),
    messages.ReportReply(STATE, COMMANDS),
    messages.CommandsReply(COMMANDS),
    messages.ReleasedRequest(8, NOW + 1.5),
    messages.Problem(
        "Bad Request", 400, "line 3: events must be at least 1; write events = 1 or more",
        "bad-definition", "about:blank", "urn:windfall:request:00ff", ["line 3: events"],
    ),
    IMAGE,
    pairing.PairRequest(
        "3f2a9c54-17d0-4e56-8b1c-0123456789ab", "nonce-0123456789",
        hashlib.sha256(PREIMAGE).hexdigest(), "x86_64", 4, 16_000, "859116", IMAGE,
        "vm-42.example.org", "1.0.0",
    ),
    pairing.PairStarted(POLL_TOKEN, 5, 300, WORDS),
    pairing.DeviceStarted(
        POLL_TOKEN, 5, 600, WORDS, "BCDF-GHJK", PAIR_AT, f"{PAIR_AT}?code=BCDF-GHJK", QR
    ),
    pairing.PairStatus("slow_down", 10),
    pairing.CollectRequest(
        jws.b64(PREIMAGE), "collect-0123456789", "vm-42.example.org", FACTS
    ),
    MACHINE_LIMITS,
    pairing.NewToken("wfh_" + "N" * 43),
    MACHINE_CONTEXT,
    pairing.Collected(
        HOST, HOST_TOKEN, "na61", KEYS, NOW, jws.key_id(public("release-1")), "attic-1",
        MACHINE_CONTEXT, MACHINE_LIMITS, 60.0,
    ),
    pairing.ContextReport(CONTEXT, 3, "applied", "cloud-init", "schema valid; Zürich: 粒子"),
)  # fmt: skip
"""One value of every type, with something said in every field."""


def samples() -> Iterator[tuple[str, bytes]]:
    """Every file: its name and its bytes."""
    for value in VALUES:
        yield f"{type(value).__name__}.json", codec.encode(value) + b"\n"
    for kind, text in SIGNED.items():
        yield f"{kind}.jws", text.encode() + b"\n"
    for name, (first, last, _, records) in FRAMES.items():
        yield f"{name}.hex", frames.encode(first, last, records).hex().encode() + b"\n"
    yield "keys.json", _page(_keys())
    yield "frames.json", _page([_frame(name) for name in FRAMES])
    yield "lease-batch.json", _page(_batch())


def _keys() -> list[dict[str, str]]:
    names = ("release-1", "work-1", "release-2", "work-2")
    return [
        {
            "name": name,
            "seed": hashlib.sha256(f"windfall golden {name}".encode()).hexdigest(),
            "public": public(name),
            "kid": jws.key_id(public(name)),
            "statement": text,
        }
        for name, text in zip(names, KEYS, strict=True)
    ]


def _frame(name: str) -> dict[str, Any]:
    first, last, granule, records = FRAMES[name]
    return {
        "name": name,
        "first": first,
        "last": last,
        "granule": granule,
        "records": [record.hex() for record in records],
        "digest": frames.digest(frames.encode(first, last, records)),
    }


def _batch() -> dict[str, Any]:
    return {
        "context": merkle.CONTEXT.hex(),
        "leases": LEASES,
        "leaves": [merkle.leaf_of(text.encode()).hex() for text in LEASES],
        "root": ROOT.hex(),
        "proof": codec.plain(proof(0, BATCH)),
    }


def _page(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def check(folder: Path) -> list[str]:
    """What is not as it would be made: one line for each file that is missing, altered, unknown."""
    made = dict(samples())
    found = {path.name: path.read_bytes() for path in folder.glob("*")}
    return [
        *(f"{name} is missing" for name in sorted(made.keys() - found.keys())),
        *(
            f"{name} is altered"
            for name in sorted(made)
            if found.get(name, made[name]) != made[name]
        ),
        *(f"{name} is not made by this tool" for name in sorted(found.keys() - made.keys())),
    ]


def main() -> int:
    """Write the samples; with --check only say (exit code 1) which are not as they would be."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="write nothing, exit 1 if outdated")
    options.add_argument("--folder", type=Path, default=FOLDER, help="where the samples are")
    given = options.parse_args()
    if given.check:
        faults = check(given.folder)
        for fault in faults:
            print(f"{fault}; run python -m tools.golden")
        return 1 if faults else 0
    given.folder.mkdir(parents=True, exist_ok=True)
    for name, raw in samples():
        (given.folder / name).write_bytes(raw)
    return 0


if __name__ == "__main__":
    sys.exit(main())
