"""Traces of requests and duties by OpenTelemetry: nothing of it is imported unless it is set.

A request is traced by its route, never by its address, which may hold a link that is a secret.
What a client says of a trace of its own (``traceparent``) is not believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from server.operating import Traces

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

EXTRA = "pip install windfall[otel]"
DUTIES = "windfall.duty"


class OtelMissing(ImportError):
    """Traces are set (traces.otlp), and OpenTelemetry is not installed."""

    def __init__(self) -> None:
        """With the cure."""
        super().__init__(f"traces.otlp is set, and OpenTelemetry is not installed: {EXTRA}")


class Tracing:
    """Makes spans, and sends them away beside the loop, in a thread of the SDK."""

    def __init__(self, share: float, version: str, processor: SpanProcessor) -> None:
        """``share`` of the requests are traced; duties always are."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

        about = Resource.create({"service.name": "windfall", "service.version": version})
        some = TracerProvider(TraceIdRatioBased(share), about, shutdown_on_exit=False)
        every = TracerProvider(resource=about, shutdown_on_exit=False)
        for provider in (some, every):
            provider.add_span_processor(processor)
        self._processor = processor
        self._requests: Tracer = some.get_tracer("windfall.http", version)
        self._duties: Tracer = every.get_tracer(DUTIES, version)

    @contextmanager
    def request(self, method: str, route: str) -> Iterator[Callable[[int], None]]:
        """A request; what is given is told the status of its answer.

        Why it was refused is not in it: that may hold what somebody sent.
        """
        from opentelemetry.trace import SpanKind, Status, StatusCode

        facts = {"http.request.method": method, "http.route": route}
        with self._requests.start_as_current_span(
            f"{method} {route}", kind=SpanKind.SERVER, attributes=facts,
            record_exception=False, set_status_on_exception=False,
        ) as span:  # fmt: skip

            def ended(status: int) -> None:
                span.set_attribute("http.response.status_code", status)
                if status >= 500:
                    span.set_status(Status(StatusCode.ERROR))

            yield ended

    @contextmanager
    def duty(self, name: str) -> Iterator[None]:
        """A round of a duty."""
        with self._duties.start_as_current_span(f"duty {name}"):
            yield

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        self._processor.force_flush(3000)
        self._processor.shutdown()


def exporter(address: str) -> SpanExporter:
    """What sends spans to a collector by OTLP over HTTP."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=address, timeout=5)


def tracing(settings: Traces, version: str) -> Tracing | None:
    """The traces that the settings ask for. Raises OtelMissing."""
    if not settings.otlp:
        return None
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        raise OtelMissing()
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return Tracing(settings.share, version, BatchSpanProcessor(exporter(settings.otlp)))
