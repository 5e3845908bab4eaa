"""Traces into OpenTelemetry's own SDK, which sends them to a collector in batches from a thread of its own.

Only imported where somebody watches: the SDK and its exporter are the extra `otel`. It has a provider of its own, never the process's, so
that no library begins to tell things by itself.
"""

from __future__ import annotations

import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode, set_span_in_context

from agent.watching import spans
from config.network.collectors import traces_url
from config.network.exporting import direct_session

LINGER_S = 3.0
"""What the last spans may take when the service leaves: it must not wait for a collector that is gone."""
KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}


class _Ids(RandomIdGenerator):
    """Ids of new spans: those that are known beforehand, else any."""

    def __init__(self) -> None:
        self.trace = 0
        self.span = 0

    def generate_trace_id(self) -> int:
        return self.trace or super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self.span or super().generate_span_id()


class Collector:
    """Where traces go.

    Args:
        exporter: sends spans; it is closed with this.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        resource = Resource.create()
        if str(resource.attributes.get(SERVICE_NAME)).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: spans.AGENT}))
        self._exporter = exporter
        self._ids = _Ids()
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=self._ids)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(spans.AGENT)

    def tell(self, trace: spans.Trace) -> None:
        """Hand a turn over; it is sent later."""
        self._ids.trace = trace.id
        root = self._begin(trace.root, None)
        for child in trace.children:
            _end(self._begin(child, root), child)
        _end(root, trace.root)

    def close(self) -> None:
        """Send what is left, for as long as that may take, and stop."""
        # In a thread that nobody waits for any longer than that: the SDK's own bound is half a minute.
        last = threading.Thread(target=self._provider.shutdown, name="collector-close", daemon=True)
        last.start()
        last.join(LINGER_S)
        if last.is_alive():
            # It would try again for as long as the SDK has it; nobody is there to care.
            self._exporter.shutdown()

    def _begin(self, span: spans.Span, parent: Span | None) -> Span:
        # An invalid parent and not none: whatever else in this process has a span, ours is not below it.
        context = set_span_in_context(INVALID_SPAN if parent is None else parent)
        self._ids.span = span.id
        return self._tracer.start_span(
            span.name, context=context, kind=KINDS[span.kind], attributes=dict(span.attributes), start_time=span.start_ns
        )


def _end(made: Span, span: spans.Span) -> None:
    for mark in span.marks:
        made.add_event(mark.name, dict(mark.attributes), timestamp=mark.at_ns)
    if span.is_error:
        made.set_status(Status(StatusCode.ERROR))
    made.end(end_time=span.end_ns)


def collector_at(endpoint: str | None) -> Collector:
    """What sends to an OTLP endpoint over HTTP.

    Args:
        endpoint: its address without `/v1/traces`; None for what the standard variables say.
    """
    return Collector(OTLPSpanExporter(endpoint=None if endpoint is None else traces_url(endpoint), session=direct_session()))
