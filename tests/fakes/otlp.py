"""A real loopback collector that takes what OpenTelemetry's exporter sends, and has bad days."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class OtlpCollector:
    url: str = ""
    status: int = 200
    is_silent: bool = False
    """It takes requests and never answers."""
    paths: list[str] = field(default_factory=list[str])
    spans: list[Any] = field(default_factory=list[Any])
    services: list[str] = field(default_factory=list[str])
    has_spans: threading.Event = field(default_factory=threading.Event)
    is_over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def otlp_collector() -> Generator[OtlpCollector]:
    """A collector at a free port."""
    collector = OtlpCollector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.paths.append(self.path)
            if collector.is_silent:
                collector.is_over.wait()
                return
            _take(collector, body)
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            collector.has_spans.set()

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    try:
        yield collector
    finally:
        collector.is_over.set()
        server.shutdown()
        server.server_close()
        serving.join()


def _take(collector: OtlpCollector, body: bytes) -> None:
    request: Any = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        collector.services += [each.value.string_value for each in resource.resource.attributes if each.key == "service.name"]
        for scope in resource.scope_spans:
            collector.spans += scope.spans
