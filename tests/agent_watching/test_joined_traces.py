"""A tool server is told of the trace that a call belongs to, and one of ours joins it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent.tools.caller import NOBODY, Caller
from agent.tools.launches import server_specs
from agent.tools.served import ToolResult
from agent.tools.spec import ServerSpec
from agent.tools.toolbox import Toolbox
from agent.watching.spans import traceparent
from config.network.collectors import passed_on
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from mcp_servers.protocol.serving import traced
from tests.agent.runtimes import MemoryTools, agent_of
from tests.agent_watching.test_watching import LIST, exporting_to
from tests.fakes.otlp import otlp_collector
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class NotingTools(MemoryTools):
    def __init__(self) -> None:
        super().__init__()
        self.metas: list[Mapping[str, Any]] = []

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, caller: Caller = NOBODY
    ) -> ToolResult:
        self.metas.append(meta)
        return await super().call(name, arguments, meta=meta, is_read=is_read, caller=caller)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4318", None])
async def test_a_server_is_told_of_its_call_s_span_where_somebody_watches(
    home: Home, monkeypatch: pytest.MonkeyPatch, endpoint: str | None
):
    tools, exporter = NotingTools(), InMemorySpanExporter()
    settings = AgentSettings(agent=AgentSection(telemetry=endpoint))
    with exporting_to(monkeypatch, exporter), anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[LIST]), Say("Done.")], settings=settings, tools=tools) as agent:
            await agent.ask()
    (meta,) = tools.metas
    spans = {span.name: span.context for span in exporter.get_finished_spans()}
    ran = spans.get("execute_tool list_events")
    assert meta.get("traceparent") == (None if ran is None else f"00-{ran.trace_id:032x}-{ran.span_id:016x}-01")
    assert (ran is None) == (endpoint is None)


async def test_a_server_of_ours_joins_the_trace_of_the_call(tmp_path: Path, home: Home):
    with otlp_collector() as collector, anyio.fail_after(60):
        env = {**home.environment(), **passed_on({}, collector.url)}
        command = (sys.executable, "-m", "mcp_servers.calendars", "--store", str(tmp_path / "store"))
        async with Toolbox([ServerSpec("calendars", command, env, builtin="calendars")]).running() as box:
            await box.tools()
            await box.call("list_events", {"when": "tomorrow"}, meta={"traceparent": traceparent("t-1", "c-1")}, is_read=True)
        assert await anyio.to_thread.run_sync(collector.has_spans.wait, 30)
    (span,) = [span for span in collector.spans if span.name == "tools/call list_events"]
    assert f"00-{span.trace_id.hex()}-{span.parent_span_id.hex()}-01" == traceparent("t-1", "c-1")
    assert set(collector.services) == {"variet-calendars"}
    assert "tomorrow" not in str(collector.spans)


def test_only_servers_of_ours_are_told_where_the_collector_is(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "upstairs")
    settings = AgentSettings.model_validate({"servers": {"foreign": {"command": ["true"]}}})
    told = {
        spec.name: {name: value for name, value in spec.env.items() if name.startswith("OTEL")} for spec in server_specs(home, settings)
    }
    assert told["foreign"] == {}
    assert told["calendars"] == {ENDPOINT: "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret"}
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not [name for spec in server_specs(home, settings) for name in spec.env if name.startswith("OTEL")]


def test_a_server_that_nobody_watches_loads_nothing_for_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "mcp_servers.protocol.tracing", raising=False)
    with traced("calendars", {}), traced("calendars", {ENDPOINT: "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"}):
        assert "mcp_servers.protocol.tracing" not in sys.modules
