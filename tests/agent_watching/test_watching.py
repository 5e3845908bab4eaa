"""A whole runtime is watched: by the real SDK in memory, by a real collector, and by collectors that fail, which no turn notices."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.to_thread
import pytest
from opentelemetry import trace as process_trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent.events import Event, TurnDone, TurnStarted, Usage
from agent.watching import collector as collector_module
from agent.watching.collector import Collector
from agent.watching.spans import Span, Trace
from agent.watching.watcher import Watcher, is_watched, open_watch, unwatched
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import agent_of
from tests.fakes.otlp import otlp_collector
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio
LIST = ("list_events", {"when": "tomorrow"})
WORDS = "the-unspeakable"
ENDED = TurnDone(turn="t", answer="", usage=Usage())


@contextmanager
def exporting_to(patch: pytest.MonkeyPatch, exporter: SpanExporter) -> Iterator[None]:
    def made(*, endpoint: str | None, session: object) -> SpanExporter:
        del endpoint, session
        return exporter

    with patch.context() as patched:
        patched.setattr(collector_module, "OTLPSpanExporter", made)
        yield


async def turn_with_a_call(home: Home, **section: Any) -> list[Event]:
    settings = AgentSettings(agent=AgentSection(**section))
    with anyio.fail_after(90):
        async with agent_of(home, [Say(calls=[LIST]), Say(f"Done {WORDS}.")], settings=settings) as agent:
            return await agent.ask(WORDS)


async def test_a_turn_is_one_trace_of_the_real_sdk(home: Home, monkeypatch: pytest.MonkeyPatch):
    exporter = InMemorySpanExporter()
    with exporting_to(monkeypatch, exporter):
        await turn_with_a_call(home, telemetry="http://127.0.0.1:4318")
    spans = exporter.get_finished_spans()
    (root,) = [span for span in spans if span.parent is None]
    children = sorted((span for span in spans if span is not root), key=lambda span: span.end_time or 0)
    assert root.name == "invoke_agent variet"
    assert [span.name for span in children] == ["chat fast", "execute_tool list_events", "chat fast"]
    assert {span.parent.span_id for span in children if span.parent} == {root.context.span_id if root.context else 0}
    assert len({span.context.trace_id for span in spans if span.context}) == 1
    assert WORDS not in "".join(span.to_json() for span in spans)


async def test_contents_leave_only_where_the_settings_say_so(home: Home, monkeypatch: pytest.MonkeyPatch):
    exporter = InMemorySpanExporter()
    with exporting_to(monkeypatch, exporter):
        await turn_with_a_call(home, telemetry="http://127.0.0.1:4318", telemetry_contents=True)
    assert WORDS in "".join(span.to_json() for span in exporter.get_finished_spans())


async def test_the_processes_own_provider_stays_as_it_was(home: Home, monkeypatch: pytest.MonkeyPatch):
    before = process_trace.get_tracer_provider()
    with exporting_to(monkeypatch, InMemorySpanExporter()):
        await turn_with_a_call(home, telemetry="http://127.0.0.1:4318")
    assert process_trace.get_tracer_provider() is before


async def test_a_collector_gets_the_spans_when_the_service_leaves(home: Home, monkeypatch: pytest.MonkeyPatch):
    with otlp_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        await turn_with_a_call(home)
        assert await anyio.to_thread.run_sync(collector.has_spans.wait, 30)
    assert set(collector.paths) == {"/v1/traces"}
    assert set(collector.services) == {"variet"}
    assert sorted(span.name for span in collector.spans) == ["chat fast", "chat fast", "execute_tool list_events", "invoke_agent variet"]
    root = next(span for span in collector.spans if not span.parent_span_id)
    told = {each.key: each.value.string_value for each in root.attributes}
    assert told["gen_ai.operation.name"] == "invoke_agent"
    assert WORDS not in str(collector.spans)


async def test_the_settings_win_over_the_variable(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "upstairs")
    with otlp_collector() as collector:
        await turn_with_a_call(home, telemetry=collector.url + "/")
        assert await anyio.to_thread.run_sync(collector.has_spans.wait, 30)
    assert (set(collector.paths), set(collector.services)) == ({"/v1/traces"}, {"upstairs"})


@pytest.mark.parametrize("status", [400, 500])
async def test_a_collector_that_refuses_disturbs_no_turn(home: Home, status: int):
    with otlp_collector() as collector:
        collector.status = status
        events = await turn_with_a_call(home, telemetry=collector.url)
    assert events[-1].type == "turn_done"


async def test_a_collector_that_is_not_there_disturbs_no_turn(home: Home):
    events = await turn_with_a_call(home, telemetry="http://127.0.0.1:9")
    assert events[-1].type == "turn_done"


async def test_a_collector_that_never_answers_holds_nobody_up_for_long(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(collector_module, "LINGER_S", 0.2)
    with otlp_collector() as collector:
        collector.is_silent = True
        with anyio.fail_after(60):
            events = await turn_with_a_call(home, telemetry=collector.url)
    assert events[-1].type == "turn_done"


def test_a_collector_that_is_gone_is_not_tried_again_once_it_was_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(collector_module, "LINGER_S", 0.2)
    collector = collector_module.collector_at("http://127.0.0.1:9")
    collector.tell(Trace(7, Span("turn", "internal", 1, 2, {}, id=7), ()))
    collector.close()
    last = next((thread for thread in threading.enumerate() if thread.name == "collector-close"), None)
    if last is not None:
        last.join(3)
        assert not last.is_alive(), "it goes on trying"


class Breaking(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        raise RuntimeError("broken")


async def test_an_exporter_that_raises_disturbs_no_turn(home: Home, monkeypatch: pytest.MonkeyPatch):
    with exporting_to(monkeypatch, Breaking()):
        events = await turn_with_a_call(home, telemetry="http://127.0.0.1:4318")
    assert events[-1].type == "turn_done"


class Faulty:
    def __init__(self) -> None:
        self.told = 0

    def tell(self, trace: Trace) -> None:
        self.told += 1
        raise RuntimeError("broken")

    def close(self) -> None:
        pass


def test_a_watcher_that_broke_once_sees_nothing_more():
    faulty = Faulty()
    watcher = Watcher(faulty, contents=False, clock=lambda: 1)
    for turn in ("t1", "t2"):
        watcher.see("s", TurnStarted(turn=turn, text="", sent_text="", now="", who=""))
        watcher.see("s", ENDED.model_copy(update={"turn": turn}))
    assert faulty.told == 1


async def test_a_home_without_the_extra_goes_on_and_says_what_to_install(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    found = importlib.import_module

    def missing(name: str, package: str | None = None) -> Any:
        if name == "agent.watching.collector":
            raise ModuleNotFoundError("No module named 'opentelemetry.sdk'", name="opentelemetry.sdk")
        return found(name, package)

    monkeypatch.setattr(importlib, "import_module", missing)
    events = await turn_with_a_call(home, telemetry="http://127.0.0.1:4318")
    assert events[-1].type == "turn_done"
    assert 'pip install "variet[otel]"' in caplog.text


async def test_a_variable_that_the_sdk_cannot_read_disturbs_nobody(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many")
    async with open_watch(AgentSection(telemetry="http://127.0.0.1:4318")) as watch:
        assert watch is unwatched
    assert "nothing is told to the collector" in caplog.text


def test_off_is_the_default_and_the_standards_own_switches_count():
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    told = AgentSection(telemetry="http://127.0.0.1:4318")
    assert not is_watched(AgentSection(), {})
    assert not is_watched(AgentSection(), {"OTEL_EXPORTER_OTLP_ENDPOINT": " "})
    assert is_watched(AgentSection(), endpoint)
    assert is_watched(told, {})
    assert not is_watched(told, {"OTEL_SDK_DISABLED": "true"})
    assert not is_watched(AgentSection(), {**endpoint, "OTEL_TRACES_EXPORTER": "none"})


def test_nothing_of_the_sdk_is_imported_where_nobody_watches():
    program = "import sys, agent.sessions.session; print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "[]"


def test_a_span_of_somebody_else_is_no_parent_of_ours():
    exporter = InMemorySpanExporter()
    collector = Collector(exporter)
    watcher = Watcher(collector, contents=False, clock=lambda: 1)
    outer = process_trace.NonRecordingSpan(process_trace.SpanContext(1, 2, is_remote=False))
    with process_trace.use_span(outer):
        watcher.see("s", TurnStarted(turn="t", text="", sent_text="", now="", who=""))
        watcher.see("s", ENDED)
    collector.close()
    (root,) = exporter.get_finished_spans()
    assert isinstance(root, ReadableSpan)
    assert root.parent is None
