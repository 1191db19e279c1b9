"""Figures for machines: /metrics by the official parser, health, readiness, traces."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from server.configure import BadSettings, read
from server.domain.errors import NotFound
from server.handlers.metering import Timed
from server.handlers.metrics import COUNTERS
from server.operating import Traces
from server.services import rollups
from server.services.upkeep import watch
from server.services.upkeep.meter import SAMPLE, Tally
from server.tracing import OtelMissing, Tracing, tracing
from tests.architecture.sources import ROOT
from tests.kit.house import House, finish, house
from vmagent.wire import codec
from vmagent.wire import messages as m

pytestmark = pytest.mark.asyncio(loop_scope="module")

parse: Any = parser.text_string_to_metric_families
parse_openmetrics: Any = openmetrics.text_string_to_metric_families
ZIPPED = b"\x1f\x8b"
Figures = dict[str, dict[tuple[tuple[str, str], ...], float]]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pool(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A server on which a production was done by two hosts, one of them of a site."""
    async with house(tmp_path_factory.mktemp("metrics")) as found:
        await found.produce(found.definition(events=200, unit=200, reference=0))
        hands = [await found.join(name) for name in ("ada", "bob")]
        await found.enrol((await found.token("desy", site="desy-hh"))["token"], "wn1")
        await finish(found, hands)
        await rollups.once(found.deps)
        await watch.once(found.deps)
        yield found


async def scrape(pool: House, accept: str = "") -> tuple[str, str]:
    """The figures as text, and their media type."""
    pool.deps.upkeep.meter.of("GET", "/nobody/asked")
    answer = await pool.answer("GET", "/metrics", None, pool.admin, {"Accept": accept})
    assert answer.status == 200, answer.body
    return answer.body.decode(), answer.headers["Content-Type"]


def figures(text: str) -> Figures:
    """Each sample by its name and its labels; a name or set of labels twice is a fault."""
    found: Figures = {}
    for family in parse(text):
        assert family.documentation, family.name
        for sample in family.samples:
            samples = found.setdefault(sample.name, {})
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in samples, (sample.name, labels)
            samples[labels] = sample.value
    return found


async def test_the_official_parsers_read_what_is_written(pool: House) -> None:
    text, media = await scrape(pool)
    assert media.startswith("text/plain; version=")
    found = figures(text)
    assert found["windfall_events_settled_total"][()] == 200
    assert found["windfall_events_received_total"][()] >= 400
    assert found["windfall_hosts"][()] == 3
    assert found["windfall_part_up"][("part", "database"),] == 1
    assert ("site", "desy-hh") in [key[0] for key in found["windfall_machines_by_site"]]
    assert found["windfall_duty_rounds_total"][("duty", "reap"),] >= 1
    open_text, media = await scrape(pool, "application/openmetrics-text; version=1.0.0")
    assert media.startswith("application/openmetrics-text")
    for version in ("1.0.1", "2.7", "1.x"):
        made_up = f"application/openmetrics-text; version={version}; escaping=dots"
        assert (await scrape(pool, made_up))[1] == media, "one of two, whatever is made up"
    names = {family.name for family in parse_openmetrics(open_text)}
    assert {"windfall_events_settled", "windfall_http_requests", "windfall_build"} <= names


async def test_names_follow_the_conventions_of_prometheus(pool: House) -> None:
    text, _ = await scrape(pool)
    for family in parse(text):
        name = family.name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name), name
        assert not re.search(r"_(ms|mb|kb|minutes|hours|percent|micros)(_|$)", name), name
        if family.type == "counter":
            assert {s.name for s in family.samples} <= {f"{name}_total", f"{name}_created"}
        if name.startswith("windfall_") and family.type == "gauge":
            assert not name.endswith("_total"), name
    assert len({name for name, _, _ in COUNTERS.values()}) == len(COUNTERS)


async def test_every_figure_that_the_dashboard_draws_is_there(pool: House) -> None:
    text, _ = await scrape(pool)
    known = set(figures(text))
    for family in parse(text):  # some have no samples yet, such as certificates
        known |= {family.name, f"{family.name}_total"}
    board = json.loads((ROOT / "docs/grafana.json").read_text(encoding="utf-8"))
    drawn = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\b(?:windfall|process)_[a-z_]+", target["expr"])
    }
    assert len(drawn) > 30
    assert drawn - known == set()
    own = {name for name in known if name.startswith("windfall_")}
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    stems = {re.sub(r"(_(total|bucket|sum|count|created|info))+$", "", name) for name in own}
    assert [name for name in stems if f"`{name}" not in page] == []


async def test_requests_are_counted_by_route_and_those_of_the_fast_lane_too(pool: House) -> None:
    hand = await pool.join("cat")
    beat = codec.encode(m.HeartbeatRequest())

    def counted(name: str, method: str, route: str) -> float:
        return found[name].get((("method", method), ("route", route)), 0.0)

    found = figures((await scrape(pool))[0])
    before = counted("windfall_http_requests_total", "POST", "/api/v1/heartbeat")
    timed = counted("windfall_http_request_duration_seconds_count", "POST", "/api/v1/heartbeat")
    for _ in range(SAMPLE):
        status, said = await pool.call("POST", "/api/v1/heartbeat", beat, hand.token)
        assert status == 200, said
    await pool.call("GET", "/productions/toy-run?secret=x", None, "")
    pool.deps.upkeep.meter.of("GET", "/x").count += 1
    await pool.until(lambda: fresh(pool))
    text, _ = await scrape(pool)
    found = figures(text)
    route = "/api/v1/heartbeat"
    assert counted("windfall_http_requests_total", "POST", route) == before + SAMPLE
    after = counted("windfall_http_request_duration_seconds_count", "POST", route)
    assert 1 <= after - timed < SAMPLE, "one, and those that did not go by the lane"
    assert counted("windfall_http_requests_total", "GET", "/productions/{name}") >= 1
    assert "secret" not in text
    assert "nobody/asked" not in text


async def fresh(pool: House) -> bool:
    """Whether the figures were made after the last request: they are kept for a second."""
    return ("GET", "/x") in pool.deps.upkeep.meter.tallies and "/x" in (await scrape(pool))[0]


async def test_a_bucket_holds_all_below_it_and_the_last_all(pool: House) -> None:
    found = figures((await scrape(pool))[0])
    rows = found["windfall_http_request_duration_seconds_bucket"]
    series: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for labels, value in rows.items():
        facts = dict(labels)
        edge = float(facts.pop("le"))
        series.setdefault(tuple(sorted(facts.items())), []).append((edge, value))
    counts = found["windfall_http_request_duration_seconds_count"]
    assert series
    assert set(series) == set(counts)
    for key, buckets in series.items():
        values = [value for _, value in sorted(buckets)]
        assert values == sorted(values)
        assert values[-1] == counts[key]


async def test_who_may_read_them_is_a_setting(tmp_path: Path, pool: House) -> None:
    volunteer = await pool.token("vera", kind="api")
    tokens = {"": 401, "wrong": 401, volunteer["token"]: 403, pool.admin: 200}
    for token, status in tokens.items():
        assert (await pool.answer("GET", "/metrics", None, token)).status == status, token
    for access, near, passed_on in (
        ("public", 200, 200),
        ("loopback", 200, 403),
        ("off", 404, 404),
    ):
        folder = tmp_path / access
        async with house(folder, **{"metrics.access": access}) as other:
            assert (await other.answer("GET", "/metrics")).status == near
            headers = {"X-Forwarded-For": "127.0.0.1"}
            assert (await other.answer("GET", "/metrics", headers=headers)).status == passed_on


async def test_near_cannot_be_told_behind_a_proxy(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"metrics\.access: behind a proxy"):
        read({"metrics.access": "loopback", "server.behind_proxy": "true"}, {}, folder=tmp_path)


async def test_a_server_says_that_it_lives_and_whether_it_is_ready(pool: House) -> None:
    pool.deps.upkeep.paths = ()
    assert (await pool.answer("GET", "/livez")).body["status"] == "ok"

    async def ready() -> bool:
        answer = await pool.answer("GET", "/readyz")
        return bool(answer.status == 200 and answer.body == {"status": "ready", "reasons": []})

    assert await pool.until(ready)
    one = pool.deps.upkeep.rounds.known.pop("judge")

    async def not_ready() -> bool:
        answer = await pool.answer("GET", "/readyz")
        why = ["the duty judge does not go round"]
        return bool(answer.status == 503 and answer.body == {"status": "not ready", "reasons": why})

    assert await pool.until(not_ready)
    assert (await pool.answer("GET", "/livez")).status == 200
    pool.deps.upkeep.rounds.known["judge"] = one


async def test_requests_and_duties_make_spans_that_hold_no_address() -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    kept = memory.InMemorySpanExporter()
    made = Tracing(1.0, "1.2.3", sdk.SimpleSpanProcessor(kept))
    with made.request("GET", "/link/{link}") as ended:
        ended(500)
    with pytest.raises(ValueError, match="no room"), made.duty("judge"):
        raise ValueError("no room")
    made.close()
    request, duty = kept.get_finished_spans()
    assert (request.name, duty.name) == ("GET /link/{link}", "duty judge")
    assert dict(request.attributes) == {
        "http.request.method": "GET", "http.route": "/link/{link}", "http.response.status_code": 500
    }  # fmt: skip
    assert (request.status.is_ok, duty.status.is_ok) == (False, False)
    assert duty.events[0].name == "exception"
    none = memory.InMemorySpanExporter()
    quiet = Tracing(0.0, "1.2.3", sdk.SimpleSpanProcessor(none))
    with quiet.request("GET", "/") as ended:
        ended(200)
    assert none.get_finished_spans() == ()


class Refuses:
    """A request of the lane that is refused with what its host has sent."""

    slowest = 1.0

    def piece(self, piece: bytes) -> None:
        """Nothing is looked at."""

    async def answer(self) -> bytes:
        """Says what was sent."""
        raise NotFound("task", "wfh_the-token-of-somebody")


async def test_no_span_of_a_request_holds_what_somebody_sent() -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    kept = memory.InMemorySpanExporter()
    made = Tracing(1.0, "1.2.3", sdk.SimpleSpanProcessor(kept))
    with pytest.raises(NotFound):
        await Timed(Refuses(), Tally("PUT", "/tasks/{task}"), made.request).answer()
    made.close()
    [span] = kept.get_finished_spans()
    assert "the-token" not in span.to_json()
    assert span.attributes["http.response.status_code"] == 404


async def test_a_server_sends_its_spans_to_a_collector(tmp_path: Path) -> None:
    collector = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    heard: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        heard.append(
            gzip.decompress(body) if (body := await request.read())[:2] == ZIPPED else body
        )
        return web.Response(body=b"", content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    try:
        async with house(tmp_path, **{"traces.otlp": address, "traces.share": "1"}) as found:
            await found.answer("GET", "/productions/secret-name")
    finally:
        await runner.cleanup()
    asked = [collector.ExportTraceServiceRequest.FromString(body) for body in heard]
    scopes = [s for one in asked for r in one.resource_spans for s in r.scope_spans]
    names = {span.name for scope in scopes for span in scope.spans}
    assert {"GET /productions/{name}", "duty reap"} <= names
    assert b"secret-name" not in b"".join(heard)


async def test_a_server_that_shall_trace_and_cannot_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.tracing.find_spec", lambda name: None)
    with pytest.raises(OtelMissing, match=r"pip install windfall\[otel\]"):
        tracing(Traces(otlp="http://127.0.0.1:4318/v1/traces"), "1.2.3")


async def test_without_the_settings_nothing_of_it_is_loaded() -> None:
    assert tracing(Traces(), "1.2.3") is None
    script = (
        "import sys, server.wiring; "
        "print([n for n in sys.modules if n.startswith(('opentelemetry', 'prometheus_client'))])"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said == b"[]\n"
