"""What a loaded model's own server counts, passed on to whoever asks by the model's name.

Who collects metrics asks every few seconds and for ever. So asking loads no model, keeps none from resting and waits in no queue.
"""

from __future__ import annotations

from contextlib import closing
from typing import Final
from urllib.parse import parse_qs

import anyio

from inference.catalog import ModelSpec
from inference.door.access import key_of
from inference.door.answer import Answer
from inference.door.incoming import RawHeaders, Scope, Send
from inference.errors import InvalidRequest, RouteNotFound, UpstreamDied
from inference.supervisor import Supervisor
from inference.upstream.outgoing import Request
from inference.upstream.wire import Broken, Connections

PATH: Final = "/metrics"
ANSWER_BOUND_S = 10.0
"""As long as collectors wait by themselves; a server in the middle of a long prompt answers between two of its batches."""
_FLAG = "--metrics"
_NOT_COUNTED = 501
"""What llama-server says where it was started without the flag."""


class ModelMetrics:
    """The ASGI application of `/metrics?model=NAME`; refusals are raised."""

    def __init__(self, supervisor: Supervisor, connections: Connections) -> None:
        self._supervisor = supervisor
        self._connections = connections

    async def __call__(self, scope: Scope, send: Send) -> None:
        named = parse_qs(scope["query_string"].decode("latin-1"))["model"][0]
        key_of(scope).check_name(named)
        spec = self._supervisor.catalog.resolve(named).spec
        if spec.name not in self._supervisor.loaded:
            raise InvalidRequest(f"{spec.name} is not loaded, and has no metrics until it is. Asking for them loads nothing.")
        status, headers, body = 0, list[tuple[bytes, bytes]](), b""
        with anyio.move_on_after(ANSWER_BOUND_S) as bound:
            status, headers, body = await self._asked(spec, scope["method"])
        if bound.cancelled_caught:
            raise UpstreamDied(f"{spec.name} has not told its metrics within {ANSWER_BOUND_S:.0f} s.")
        if status == _NOT_COUNTED:
            raise RouteNotFound(_not_counted(spec), is_permanent=True)
        answer = Answer(send, PATH)
        await answer.begin(status, headers)
        await answer.end(body)

    async def _asked(self, spec: ModelSpec, method: str) -> tuple[int, RawHeaders, bytes]:
        address = self._supervisor.address_of(spec.name)
        body = b""
        try:
            upstream = await self._connections.ask(address.port, Request(method, PATH.encode(), address.shown_key(), b""))
            with closing(upstream):
                while chunk := await upstream.read():
                    body += chunk
                return upstream.status, upstream.headers, body
        except Broken as error:
            raise UpstreamDied(f"{spec.name} broke off its answer: {error}") from error


def _not_counted(spec: ModelSpec) -> str:
    put = f"Add {_FLAG!r} to extra_args" if spec.extra_args else f'Put extra_args = ["{_FLAG}"]'
    return (
        f"{spec.name} counts nothing of its own. {put} under [models.{spec.name}] in engine.toml. The engine's own metrics are at {PATH}."
    )
