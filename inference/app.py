"""The engine's front door: past the gate, each route goes to the control routes or, as it came, to a model.

Plain ASGI: the streaming path must not pay for a framework. The framework that the control routes are written in is imported after the
engine listens, because its import takes longer than everything else together.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import parse_qs

import anyio

from inference.contract import Health
from inference.door.access import SCOPE_KEY, key_of
from inference.door.answer import Answer
from inference.door.gate import Gate
from inference.door.incoming import Message, Receive, Scope, Send
from inference.errors import EngineError, InvalidKey, RouteNotFound
from inference.mode.obey import NO_MODE, ObeyedMode
from inference.proxy import Proxy
from inference.supervisor import Supervisor

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

CONTROL_BOUND_S = 30.0
"""For the control routes to be imported, once; a cold disk takes seconds."""
_METRICS = "/metrics"
_PASSED = frozenset(
    {"/infill", "/tokenize", "/detokenize", "/apply-template", "/completion", "/completions", "/chat/completions", "/responses"}
    | {"/embedding", "/embeddings", "/rerank", "/reranking", "/props", "/slots", _METRICS, "/lora-adapters", "/audio/transcriptions"}
    | {"/chat/completions/input_tokens", "/responses/input_tokens"}
)
"""llama-server's routes outside `/v1/` that are a model's business. What acts on slots is not among them: those are the engine's."""
_LOADING = frozenset({"/engine/switch", "/engine/load"})
"""What puts a model into memory, and so obeys the mode as requests for a model do."""
_READ_ONLY = frozenset({"/props", "/slots", _METRICS, "/lora-adapters"})
"""Of these only GET: their POST changes the server for everybody."""


_LOG = logging.getLogger(__name__)


class Engine:
    """The ASGI application. `control` is set once, when the control routes are there."""

    def __init__(self, gate: Gate, supervisor: Supervisor, proxy: Proxy, version: str, mode: ObeyedMode = NO_MODE) -> None:
        self._gate = gate
        self._supervisor = supervisor
        self._proxy = proxy
        self._version = version
        self._mode = mode
        self._control: AsgiApp | None = None
        self._has_control = anyio.Event()

    def set_control(self, control: AsgiApp) -> None:
        """The control routes are there."""
        self._control = control
        self._has_control.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])  # ASGI's way to say that lifespan and websockets are not served
        path: str = scope["path"]
        try:
            key = self._gate.admit(scope["headers"], path, scope["method"])
            scope[SCOPE_KEY] = key
            if not key.id:
                await self._route(scope, receive, send)
                return
            noted = _Noted(send)
            with self._gate.passage(key) as passage:
                await self._route(scope, receive, noted)
            if passage.cancelled_caught and not noted.has_begun:
                raise InvalidKey(f"The key of {key.name} was taken away.", is_permanent=True)
            # An answer that had begun is left without an end: the server breaks the connection off, which the client sees.
        except EngineError as error:
            await Answer(send, path).fail(error)
        except Exception:  # noqa: BLE001 - the fault of one request, told and logged, must not be that of the others
            _LOG.exception("%s %s failed by a fault of the engine", scope["method"], path)
            # The server refuses a second beginning: an answer that had begun is broken off.
            with suppress(RuntimeError):
                await Answer(send, path).fail(EngineError("The engine made a mistake. Its log says which."))

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path in ("/health", "/v1/health"):
            await self._say_health(send, path)
        elif path == "/engine/mode":
            await self._mode(scope, receive, send)
        elif _is_ours(scope):
            if path in _LOADING:
                self._mode.check(scope["headers"])
            await self._to_control(scope, receive, send)
        elif path.startswith("/v1/") or (path in _PASSED and (scope["method"] == "GET" or path not in _READ_ONLY)):
            key_of(scope).check_use()
            self._mode.check(scope["headers"])
            await self._proxy(scope, receive, send)
        else:
            raise RouteNotFound(f"There is no {scope['method']} {path} here.", is_permanent=True)

    async def _say_health(self, send: Send, path: str) -> None:
        health = Health(status="stopping" if self._supervisor.is_stopping else "ok", version=self._version, loaded=self._supervisor.loaded)
        body = health.model_dump_json().encode()
        answer = Answer(send, path)
        await answer.begin(200, [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())])
        await answer.end(body)

    async def _to_control(self, scope: Scope, receive: Receive, send: Send) -> None:
        with anyio.fail_after(CONTROL_BOUND_S):
            await self._has_control.wait()
        if self._control is not None:
            await self._control(scope, receive, send)


def _is_ours(scope: Scope) -> bool:
    """Whether the engine answers itself: the metrics too, unless the query names a model whose own are meant."""
    path: str = scope["path"]
    if path == _METRICS:
        return "model" not in parse_qs(scope["query_string"].decode("latin-1"))
    return path in ("/", "/v1/models", "/models") or path.startswith(("/engine/", "/v1/models/"))


class _Noted:
    """A client's ear, and whether it has heard anything."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        self.has_begun = True
        await self._send(message)
