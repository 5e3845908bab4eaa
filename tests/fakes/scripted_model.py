"""A real loopback server that speaks as much of the engine as the agent needs: it plays a script of good answers and bad days.

It is written on bare sockets because what must be tested is what no web framework lets one do: breaking off in the middle of a chunk,
falling silent, sending half a frame.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import SocketAttribute, SocketStream

from agent.background import background_tasks

PIECE_CHARS = 7
"""Small, so that every text and every call's JSON is split in the middle of words and escapes."""


@dataclass(frozen=True)
class Say:
    """One answer of the model, and how the server misbehaves while giving it."""

    text: str = ""
    calls: Sequence[tuple[str, object]] = ()
    """Name and arguments; a string is sent as it is, broken or not."""
    reasoning: str = ""
    finish: str | None = None
    """None: `tool_calls` or `stop` as fits."""
    loading: Sequence[Mapping[str, Any]] = ()
    """Payloads of loading events before the first chunk."""
    status: int = 200
    error: Mapping[str, Any] | None = None
    """With a status other than 200 the body's error; with 200 an error frame in the stream."""
    breaks_off_after: int | None = None
    """Chunks after which the connection is closed without a word."""
    holds_after: int | None = None
    """Chunks after which nothing comes until the client has gone or `release` is called."""
    raw: bytes | None = None
    """Sent instead of frames."""
    id_of: Callable[[int], str] = lambda index: f"c{index}"
    """Ids of the calls; some servers leave them empty or repeat them."""
    has_index: bool = True
    usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of the answer, over what is usual."""
    timings: Mapping[str, Any] | None = None
    """What llama-server says beside the usage."""


Script = Sequence[Say] | Callable[[dict[str, Any]], Say]
"""Answers in order, or a function of the request: what a restarted agent asks again must get the same answer."""


@dataclass
class ScriptedModel:
    script: Script
    url: str = ""
    bodies: list[bytes] = field(default_factory=list[bytes])
    """Request bodies as they came in."""
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    tiers: Sequence[str] = ("fast", "balanced")
    loaded: Sequence[str] | None = None
    """Of its tiers, those that are loaded; None for all."""
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the list of models says of them all, beyond the usual."""
    max_body_mib: int | None = None
    """The largest request that it says it takes."""
    connections: int = 0
    """How often anybody connected."""
    key: str = ""
    """What the list of models wants to see."""
    template: Callable[[Mapping[str, Any]], str] | None = None
    """Writes a conversation as the model's prompt; without it nothing is told of a template."""
    template_text: str = "a template"
    """What the template is said to be."""
    caps: Mapping[str, bool] | None = None
    """What it is said to take; None where nothing is said."""
    state: str = "ready"
    """Of the model."""
    looks: list[str] = field(default_factory=list[str])
    """Routes by which its template was looked at, with how long they would wait."""
    limit_looks: list[str] = field(default_factory=list[str])
    """The same for what it can hold."""
    real_n_ctx: int = 4096
    """What the model's server gave it."""
    is_holding: anyio.Event = field(default_factory=anyio.Event)
    has_lost_client: anyio.Event = field(default_factory=anyio.Event)
    _release: anyio.Event = field(default_factory=anyio.Event)

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    def release(self) -> None:
        self._release.set()

    def answer(self, body: bytes) -> Say:
        self.bodies.append(body)
        if callable(self.script):
            return self.script(json.loads(body))
        if len(self.bodies) > len(self.script):
            return Say(status=500, error={"message": f"The script has no answer {len(self.bodies)}.", "code": "model_failed"})
        return self.script[len(self.bodies) - 1]

    async def handle(self, stream: SocketStream) -> None:
        self.connections += 1
        async with stream:
            try:
                head, body = await _read_request(stream)
                method, route = head.split("\r\n", 1)[0].split(" ")[:2]
                if route == "/v1/models":
                    if f"Bearer {self.key}" not in head and self.key:
                        error = {"message": "A valid key is needed.", "type": "authentication_error", "code": "invalid_key"}
                        return await _send_json(stream, 401, {"error": error})
                    return await _send_json(stream, 200, self._models())
                if self.template is not None and route.partition("?")[0] in ("/engine/status", "/props", "/apply-template"):
                    wait = next((line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("x-variet-wait")), "")
                    # A look at a template begins with the state of the model; what it can hold is asked without.
                    is_limit = route.startswith("/props") and not (self.looks and self.looks[-1] == "/engine/status")
                    (self.limit_looks if is_limit else self.looks).append(f"{route} {wait}".rstrip())
                    return await self._show_template(stream, route, body)
                if (method, route) != ("POST", "/v1/chat/completions"):
                    return await _send_json(stream, 404, {"error": {"message": f"No {route} here.", "code": "route_not_found"}})
                self.headers.append(dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line))
                await self._play(stream, self.answer(body))
            except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
                self.has_lost_client.set()

    async def _show_template(self, stream: SocketStream, route: str, body: bytes) -> None:
        if route == "/engine/status":
            models = [{"name": "scripted", "state": self.state}]
            return await _send_json(stream, 200, {"contract": 1, "version": "0", "models": models, "queue": [], "swap": None})
        if route.startswith("/props"):
            given: dict[str, Any] = {"default_generation_settings": {"n_ctx": self.real_n_ctx}}
            given |= {"chat_template_caps": self.caps} if self.caps is not None else {}
            return await _send_json(stream, 200, {"chat_template": self.template_text, "build_info": "b1", "total_slots": 1, **given})
        try:
            prompt = self.template(json.loads(body)) if self.template else ""
        except ValueError as error:
            return await _send_json(stream, 500, {"error": {"message": str(error), "type": "server_error", "code": 500}})
        return await _send_json(stream, 200, {"prompt": prompt})

    def _models(self) -> dict[str, Any]:
        meta = {"kind": "tier", "model": "scripted", "state": "ready", "n_ctx": 4096, **self.meta}
        metas = {
            tier: {**meta, "state": "unloaded"} if self.loaded is not None and tier not in self.loaded else meta for tier in self.tiers
        }
        data = [{"id": tier, "object": "model", "owned_by": "variet", "meta": each} for tier, each in metas.items()]
        return {"object": "list", "data": data, "max_body_mib": self.max_body_mib}

    async def _play(self, stream: SocketStream, say: Say) -> None:
        if say.status != 200:
            await _send_json(stream, say.status, {"error": {"type": "server_error", "param": None, **(say.error or {})}})
            return
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Variet-Model: scripted\r\nConnection: close\r\n\r\n"
        await stream.send(head.encode())
        if say.raw is not None:
            await stream.send(say.raw)
            return
        for payload in say.loading:
            await stream.send(f"event: loading\ndata: {json.dumps(payload)}\n\n".encode())
        for number, chunk in enumerate(_chunks(say)):
            if number == say.breaks_off_after:
                await stream.send(b'data: {"choices": [{"del')
                return
            if number == say.holds_after:
                await self._hold(stream)
            await stream.send(f"data: {json.dumps(chunk)}\n\n".encode())
        if say.error is not None:
            await stream.send(f"data: {json.dumps({'error': say.error})}\n\n".encode())
            return
        await stream.send(b"data: [DONE]\n\n")

    async def _hold(self, stream: SocketStream) -> None:
        self.is_holding.set()

        async def until_gone() -> None:
            try:
                await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                self.has_lost_client.set()
                self._release.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(until_gone)
            await self._release.wait()
            tasks.cancel_scope.cancel()


def _chunks(say: Say) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    deltas += [{"reasoning_content": piece} for piece in _pieces(say.reasoning)]
    deltas += [{"content": piece} for piece in _pieces(say.text)]
    for index, (name, arguments) in enumerate(say.calls):
        place = {"index": index} if say.has_index else {}
        deltas.append({"tool_calls": [{**place, "id": say.id_of(index), "type": "function", "function": {"name": name, "arguments": ""}}]})
        raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
        deltas += [{"tool_calls": [{**place, "function": {"arguments": piece}}]} for piece in _pieces(raw)]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}], "model": "scripted-file"} for delta in deltas]
    finish = say.finish or ("tool_calls" if say.calls else "stop")
    usage = {"prompt_tokens": 20, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 12}}
    last: dict[str, Any] = {"choices": [], "usage": {**usage, **say.usage}, **({"timings": say.timings} if say.timings else {})}
    return [*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}, last]


def _pieces(text: str) -> list[str]:
    return [text[start : start + PIECE_CHARS] for start in range(0, len(text), PIECE_CHARS)]


async def _read_request(stream: SocketStream) -> tuple[str, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive()
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    length = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")), 0)
    while len(body) < length:
        body += await stream.receive()
    return head.decode(), body


async def _send_json(stream: SocketStream, status: int, payload: object) -> None:
    body = json.dumps(payload).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    await stream.send(head.encode() + body)


@asynccontextmanager
async def scripted_model(script: Script, *, key: str = "") -> AsyncGenerator[ScriptedModel]:
    """The server, for the length of a block."""
    model = ScriptedModel(script, key=key)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    model.url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
    async with listener, background_tasks() as tasks:
        tasks.start_soon(listener.serve, model.handle)
        yield model
