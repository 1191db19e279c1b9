"""The page of the protocol says what the program does: golden values, codes, limits, names."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from typing import Any

from server.domain.task import TaskState
from server.handlers import agent_api, agent_file, openapi, shape, upload_api
from server.settings import DEFAULTS
from tests.architecture.sources import ROOT
from tests.kit import golden
from vmagent import trust
from vmagent.wire import frames, jws, merkle, messages, statements

NAMES = {key["name"] for key in golden.read("keys.json")}
PAGE = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of every row of the table under a heading."""
    part = PAGE.split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_refusals_is_that_of_the_server() -> None:
    told = [(code, int(status)) for code, status, _ in rows("## Refusals")]
    assert told == list(shape.STATUSES.items())
    for code in ("production-unknown", "task-unknown", "manifest-unknown", "payload-unknown"):
        assert f"`{code}`" in PAGE
        assert shape.status_of(code) == 404


def test_every_message_and_statement_is_named() -> None:
    assert [name for name in golden.KINDS if f"`{name}`" not in PAGE] == []
    kinds = [statements.MANIFEST, statements.PAYLOAD, statements.AGENT, statements.KEY]
    assert [kind for kind in kinds if f"| `{kind}` |" not in PAGE] == []


def test_every_state_of_a_task_is_named() -> None:
    assert [state for state in TaskState if f"`{state}`" not in PAGE] == []


def test_the_golden_keys_are_those_of_the_samples() -> None:
    told = [tuple(row) for row in rows("### Keys and pins") if row[0] in NAMES]
    assert told == [(k["name"], k["kid"], k["public"]) for k in golden.read("keys.json")]


def test_the_golden_lease_is_that_of_the_samples() -> None:
    batch = golden.read("lease-batch.json")
    manifest = jws.digest(golden.raw("windfall.manifest.jws").decode())
    proof = batch["proof"]
    for value in (batch["root"], proof["key"], proof["signature"], proof["paths"][4], manifest):
        assert value in PAGE
    assert len(jws.unb64(proof["paths"][4])) == 32
    assert f'"{merkle.CONTEXT[:-1].decode()}" || 0x00 || node' in PAGE


def test_the_steps_up_the_tree_are_those_that_the_page_writes_down() -> None:
    batch = golden.read("lease-batch.json")
    for number, text in enumerate(batch["leases"]):
        path = jws.unb64(batch["proof"]["paths"][number])
        assert _as_written(text.encode(), number, 5, path).hex() == batch["root"]


def _as_written(text: bytes, at: int, width: int, path: bytes) -> bytes:
    node = hashlib.sha256(b"\0" + text).digest()
    while width > 1:
        if at ^ 1 < width:
            sister, path = path[:32], path[32:]
            pair = sister + node if at % 2 else node + sister
            node = hashlib.sha256(b"\1" + pair).digest()
        at, width = at // 2, (width + 1) // 2
    return b"" if path else node


def test_the_golden_frame_is_that_of_the_samples() -> None:
    raw = bytes.fromhex(golden.raw("frame-granule-10.hex").decode())
    told = re.search(r"57464631 [0-9a-f ]+\n +\"(.+)\" \"(.+)\"\n +SHA-256 +([0-9a-f]{64})", PAGE)
    assert told is not None
    head = told[0].partition("\n")[0].replace(" ", "")
    assert bytes.fromhex(head) + (told[1] + told[2]).encode() == raw
    assert told[3] == frames.digest(raw)
    field = base64.b64encode(bytes.fromhex(told[3])).decode()
    assert f"Content-Digest: sha-256=:{field}:" in PAGE


def test_the_limits_are_those_of_the_program() -> None:
    told = {row[0]: [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*\d|\d", row[1])]
            for row in rows("## Limits")}  # fmt: skip
    ask, beat = limits(messages.AskRequest), limits(messages.HeartbeatRequest)
    report = limits(messages.ReportRequest)
    assert told == {
        "a frame": [frames.FRAME_MOST, frames.EVENTS_MOST],
        "a signed statement": [jws.TEXT_MOST],
        "key statements pinned": [trust.KEYS_MOST],
        "JSON to the server": [DEFAULTS.limits.json_bytes, 65_536],
        "leases in one ask": [ask["most_leases"]],
        "asks of one host": [DEFAULTS.limits.work_per_minute],
        "tasks in one heartbeat": [beat["tasks"]],
        "failures in one report": [report["failures"]],
        "the log in one report": [messages.LOG_MOST],
        "a wait for commands": [agent_api.WAIT_MOST],
        "a frame on its way": [upload_api.SLOWEST_S],
    }
    assert DEFAULTS.limits.frame_bytes == frames.FRAME_MOST


def limits(kind: type[Any]) -> dict[str, Any]:
    """What the fields of a message may be at most."""
    found = {each.name: each.metadata.get("limit") for each in dataclasses.fields(kind)}
    return {name: limit.most for name, limit in found.items() if limit is not None}


def test_the_version_is_that_of_the_program() -> None:
    assert f"# The wire protocol, version {messages.PROTOCOL}\n" in PAGE
    assert f"`Windfall-Protocol: {messages.PROTOCOL}`" in PAGE
    assert f"/api/v{messages.PROTOCOL}`" in PAGE


def test_every_route_of_an_agent_is_named() -> None:
    nothing: Any = None
    routes = [
        *agent_api.AgentApi(nothing, nothing, 0).routes(),
        *upload_api.UploadApi(nothing, 0).routes(),
        *agent_file.AgentFile(nothing).routes(),
    ]
    paths = [re.sub(r"\{(\w+)\}", r"<\1>", openapi.template(route.path)) for route in routes]
    short = [
        path.removeprefix("/api/v1") if path.startswith("/api/v1") else f"<server>{path}"
        for path in paths
    ]
    told = [f"`{route.method} {path}`" for route, path in zip(routes, short, strict=True)]
    table = PAGE.split("## Routes of an agent")[1].split("\n## ")[0]
    assert [route for route in told if route not in table] == []
