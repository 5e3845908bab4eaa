"""Tells a collector of the calls that a tool server answers, below the trace that its client named with the call (`traceparent`).

The MCP library makes a span of each message by itself, for whoever has set the process's provider; this sets it. Nothing that was asked or
answered is in them. Imported only where the standard's variables name a collector: the SDK is the extra `otel`.
"""

from __future__ import annotations

import threading

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from config.network.exporting import direct_session

LINGER_S = 1.0
"""What the last spans may take at the end: whoever started the server waits for it to go."""


class Telling:
    """Spans on their way to the collector.

    Args:
        server: the name that they are shown under.
    """

    def __init__(self, server: str) -> None:
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: f"variet-{server}"}), shutdown_on_exit=False)
        self._exporter = OTLPSpanExporter(session=direct_session())
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        trace.set_tracer_provider(self._provider)

    def close(self) -> None:
        """Send what is left, for as long as that may take."""
        # In a thread that nobody waits for any longer than that: the SDK's own bound is half a minute.
        last = threading.Thread(target=self._provider.shutdown, name="tracing-close", daemon=True)
        last.start()
        last.join(LINGER_S)
        if last.is_alive():
            self._exporter.shutdown()
