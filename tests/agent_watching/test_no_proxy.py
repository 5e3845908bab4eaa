"""Traces go straight to the collector that was named, whatever proxy the environment names for everything else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from agent.watching.collector import collector_at
from agent.watching.spans import Span, Trace
from config.network.exporting import CREDENTIALS, direct_session
from tests.fakes.otlp import OtlpCollector, otlp_collector

TELL = """
from opentelemetry import trace
from mcp_servers.protocol.tracing import Telling
telling = Telling("calendars")
with trace.get_tracer("x").start_as_current_span("tools/call"):
    pass
telling.close()
"""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpCollector]:
    """What the environment names for every address."""
    with otlp_collector() as listener:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, listener.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield listener


def test_the_agents_traces_do(proxy: OtlpCollector) -> None:
    with otlp_collector() as wanted:
        collector = collector_at(wanted.url)
        collector.tell(Trace(1, Span("invoke_agent variet", "internal", 1, 2, {}), ()))
        collector.close()
        assert wanted.has_spans.wait(30)
    assert (wanted.paths, proxy.paths) == (["/v1/traces"], [])


def test_a_tool_servers_traces_do(proxy: OtlpCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    with otlp_collector() as wanted:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", wanted.url)
        subprocess.run((sys.executable, "-c", TELL), check=True, timeout=60)
        assert wanted.has_spans.wait(30)
    assert (wanted.paths, proxy.paths) == (["/v1/traces"], [])


def test_a_session_with_credentials_is_left_to_whoever_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CREDENTIALS[1], "somebody")
    assert direct_session() is None
