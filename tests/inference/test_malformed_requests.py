"""ENG-1, 10: whatever a client sends, the streaming routes answer it once, never with a fault of their own, and say no in one form.

Below HTTP: the application is called with what no client library would send, such as headers that are no text, JSON that no encoder
writes, and names that no program can print.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableMapping
from functools import partial
from typing import Any
from urllib.parse import quote

import anyio
import hypothesis.strategies as st
import pytest
from anyio.abc import TaskStatus
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, Phase, example, given, settings

from inference.app import Engine
from inference.contract import ErrorEnvelope
from inference.door.gate import Gate
from inference.door.keys import Keys
from inference.proxy import Proxy, open_connections
from tests.fakes.children import FakeChildren
from tests.fakes.upstream import serve_upstream
from tests.inference.engines import supervised, with_files

INTERNAL = 500
REFUSED = 400
BODY_BOUND = 4096
LONE_SURROGATE = '{"model": "\\ud800", "messages": []}'
SESSION = [(b"x-variet-session", b"talk")]


def deep(levels: int) -> bytes:
    return f'{{"model": "thinker", "messages": {"[" * levels}{"]" * levels}}}'.encode()


Message = MutableMapping[str, Any]
Headers = list[tuple[bytes, bytes]]

paths = "/v1/chat/completions /v1/completions /v1/messages /v1/responses /v1/embeddings /infill /tokenize /props /health /engine/mode"
routes = st.sampled_from(paths.split()) | st.text(max_size=20).map(lambda text: f"/v1/{text}")
methods = st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "HEAD", "DELETE", "BREW"])
names = st.sampled_from(["fast", "balanced", "thinker", "small", "nobody"]) | st.text(st.characters(codec=None), max_size=8)
numbers = st.integers() | st.floats(allow_nan=False)
texts = st.text(st.characters(codec=None), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8
)
turns = st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "system"]), "content": json_values}))
choices = texts.map(lambda name: {"type": "function", "function": {"name": name}})
keys: dict[str, st.SearchStrategy[Any]] = {
    "model": names | json_values,
    "stream": st.booleans() | json_values,
    "messages": turns | json_values,
    "tool_choice": choices | json_values,
    **dict.fromkeys(("prompt", "tools", "chat_template_kwargs", "id_slot"), json_values),
}
bodies = st.fixed_dictionaries({}, optional=keys)
raws = (
    bodies.map(lambda body: json.dumps(body).encode()) | json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)
)
header_names = st.sampled_from(
    [b"content-type", b"content-length", b"x-variet-wait", b"x-variet-session", b"x-variet-events", b"x-variet-force", b"authorization"]
    + [b"origin", b"host", b"sec-fetch-site", b"expect", b"x-api-key"]
)
header_values = st.binary(max_size=20) | st.sampled_from(
    [b"application/json", b"multipart/form-data; boundary=x", b"loading", b"fail-fast", b"1e999", b"-1", b"nan", b"9" * 5000, b"0.1"]
)


class Answered:
    """What the application said to one request."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: Mapping[bytes, bytes] = {}
        self.body = b""
        self.end = anyio.Event()

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            assert self.status is None, "begun twice"
            self.status, self.headers = message["status"], dict(message["headers"])
            return
        assert self.status is not None, "a body before its beginning"
        assert not self.end.is_set(), "more after the end"
        self.body += message.get("body", b"")
        if not message.get("more_body", False):
            self.end.set()


async def ask(app: Engine, scope: dict[str, Any], raw: bytes) -> Answered:
    answered = Answered()
    parts = iter([{"type": "http.request", "body": raw, "more_body": False}])

    async def receive() -> Message:
        message = next(parts, None)
        if message is not None:
            return message
        await answered.end.wait()
        return {"type": "http.disconnect"}  # as a server says when the answer is whole

    with anyio.fail_after(20):
        await app(scope, receive, answered.take)
    return answered


class Application:
    """An engine's application in a loop of its own, so that a plain test can ask it."""

    def __init__(self, portal: BlockingPortal, app: Engine) -> None:
        self._portal = portal
        self._app = app

    def ask(self, method: str, path: str, query: bytes, headers: Headers, raw: bytes) -> Answered:
        host = [] if any(name == b"host" for name, _ in headers) else [(b"host", b"127.0.0.1")]
        scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "raw_path": quote(path).encode(), "query_string": query}
        return self._portal.call(partial(ask, self._app, {**scope, "headers": [*host, *headers]}, raw))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    folder = tmp_path_factory.mktemp("malformed")

    async def run(over: anyio.Event, *, task_status: TaskStatus[Engine]) -> None:
        async with (
            serve_upstream() as upstream,
            supervised(FakeChildren(port=upstream.port, loads_at_once=True), folder, models=with_files(folder)) as supervisor,
            open_connections() as connections,
        ):
            task_status.started(Engine(Gate("127.0.0.1", Keys()), supervisor, Proxy(supervisor, connections, BODY_BOUND), "0"))
            await over.wait()

    with start_blocking_portal() as portal:
        over = portal.call(anyio.Event)
        future, engine = portal.start_task(run, over)
        yield Application(portal, engine)
        portal.call(over.set)
        future.result(timeout=30)


# A failing one is short already, and looking for a shorter one would outlast the test's own bound.
@settings(max_examples=150, phases=(Phase.explicit, Phase.generate), suppress_health_check=[HealthCheck.too_slow])
@given(methods, routes, st.binary(max_size=20), st.lists(st.tuples(header_names, header_values), max_size=3), raws)
@example("POST", "/v1/chat/completions", b"", [], LONE_SURROGATE.encode())
@example("POST", "/v1/chat/completions", b"", [(b"content-length", b"9" * 5000)], b"{}")
@example("POST", "/v1/chat/completions", b"", [], LONE_SURROGATE.replace("model", "id_slot").encode())
@example("POST", "/v1/chat/completions", b"model=%ED%A0%80", [], b"")
def test_whatever_is_sent_is_answered_once_and_never_by_a_fault(
    app: Application, method: str, path: str, query: bytes, headers: Headers, raw: bytes
) -> None:
    answered = app.ask(method, path, query, headers, raw)
    assert answered.status is not None and answered.end.is_set()
    assert answered.status != INTERNAL
    if answered.status >= REFUSED:
        assert answered.headers[b"content-type"] == b"application/json"
        assert ErrorEnvelope.model_validate_json(answered.body).error.code != "internal_error"


def test_what_can_just_be_read_and_not_be_written_is_no_fault(app: Application) -> None:
    statuses = [app.ask("POST", "/v1/chat/completions", b"", SESSION, deep(levels)).status for levels in range(900, 1000)]
    assert {*statuses} == {200, 400}
    assert statuses == sorted(statuses, key=lambda status: status or 0)
