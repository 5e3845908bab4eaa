"""Passes one request on and its answer back, byte for byte; whoever leaves first ends both.

Written against ASGI, as the service's event streams are: the client may leave while an engine still loads a model, and then the engine
must hear of it at once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import anyio
import httpx2
from pydantic import ValidationError
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from agent.engine.child import EngineLink
from agent.engine.key import EngineKey
from agent.errors import AgentError, EngineUnreachable, ModelFailed
from agent.gateway.answers import Failure
from agent.routes.places.forwarding import EngineForward, Forwarded, Passing
from inference.contract.headers import EVENTS, FORCE, SESSION, WAIT
from inference.contract.sse import error_frame
from inference.contract.status import ServedModels

OK = 200
LIST_TIMEOUT_S = 5.0
"""The list of models comes from memory."""
_PASSED_ON = ("content-type", "accept", "user-agent", "anthropic-version", SESSION.lower(), WAIT.lower(), EVENTS.lower(), FORCE.lower())
"""Of a client's headers. Its token is ours and stays here."""
_PASSED_BACK_NOT = {"connection", "keep-alive", "transfer-encoding", "upgrade", "trailer", "te", "date", "server", "set-cookie"}
"""Of the engine's headers: those that are about one connection only."""
log = logging.getLogger(__name__)


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """What the engine sees of a client's headers; its answer is asked for as it is, uncompressed."""
    return {name: headers[name] for name in _PASSED_ON if name in headers} | {"accept-encoding": "identity"}


class Upstream:
    """The engine of the home, as the gateway needs it; started where it is ours and does not run."""

    def __init__(self, engine: EngineLink, key: EngineKey, http: httpx2.AsyncClient) -> None:
        self._engine = engine
        self.forward = EngineForward(self._find, key, http)
        """Passes a request to it."""

    async def ensure(self) -> None:
        """Make sure that it runs, where it is ours.

        Raises:
            AgentError: it cannot be kept alive.
        """
        await self._engine.ensure()

    async def served(self) -> ServedModels:
        """What can be asked for.

        Raises:
            AgentError: the engine does not answer, or not with that.
        """
        with anyio.move_on_after(LIST_TIMEOUT_S):
            async with self.forward(Passing("GET", "/v1/models", passed_on({}), b"")) as answer:
                content = b"".join([piece async for piece in answer.pieces])
                if answer.status != OK:
                    raise ModelFailed(f"The engine answered /v1/models with status {answer.status}.")
            try:
                return ServedModels.model_validate_json(content)
            except ValidationError as error:
                raise ModelFailed("The engine answered /v1/models with something unexpected.") from error
        raise EngineUnreachable(await self._engine.url())

    async def _find(self) -> str:
        await self._engine.ensure()
        return await self._engine.url()


class Way(Protocol):
    """One request's way to whoever answers it."""

    @property
    def path(self) -> str:
        """Its route."""
        ...

    def told(self) -> Mapping[str, str]:
        """Headers of ours that the answer gets beside those of who answers."""
        ...

    def answer(self) -> AbstractAsyncContextManager[Forwarded]:
        """The answer, for the length of a block.

        Raises:
            AgentError: there is none.
        """
        ...


class Straight:
    """To the engine, where nothing is to be decided."""

    def __init__(self, upstream: Upstream, passing: Passing, told: Mapping[str, str]) -> None:
        self._upstream = upstream
        self._passing = passing
        self._told = told
        self.path = passing.path.partition("?")[0]

    def told(self) -> Mapping[str, str]:
        """See `Way`."""
        return self._told

    def answer(self) -> AbstractAsyncContextManager[Forwarded]:
        """See `Way`."""
        return self._upstream.forward(self._passing)


class Relay(Response):
    """The answer to one request."""

    def __init__(self, way: Way) -> None:
        super().__init__()
        self._way = way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, until it is complete or the client leaves."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
            await self._pass(send)
            tasks.cancel_scope.cancel()

    async def _pass(self, send: Send) -> None:
        media_type: str | None = None
        try:
            async with self._way.answer() as answer:
                media_type = answer.media_type
                await send(self._start(answer))
                async for piece in answer.pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except AgentError as error:
            await self._fail(send, error, media_type)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _start(self, answer: Forwarded) -> Message:
        passed = [(name, value) for name, value in answer.headers if name.decode("latin-1") not in _PASSED_BACK_NOT]
        told = [(name.lower().encode(), value.encode()) for name, value in self._way.told().items()]
        return {"type": "http.response.start", "status": answer.status, "headers": [*passed, *told]}

    async def _fail(self, send: Send, error: AgentError, media_type: str | None) -> None:
        """Before the first byte an answer of its own; in a stream a frame that ends it; in anything else the connection breaks off."""
        failure = failure_of(error)
        if media_type is None:
            body = failure.body()
            headers = {"content-type": "application/json", "content-length": str(len(body)), **self._way.told()}
            raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            await send({"type": "http.response.start", "status": failure.status, "headers": raw})
            await send({"type": "http.response.body", "body": body, "more_body": False})
        elif media_type.startswith("text/event-stream"):
            frame = error_frame(failure.detail(), self._way.path)
            await send({"type": "http.response.body", "body": frame, "more_body": False})
        else:
            # The server closes a connection whose answer is not complete.
            log.warning("an answer broke off: %s", error)


def failure_of(error: AgentError) -> Failure:
    """What an error of the agent is to a client of the gateway."""
    if isinstance(error, EngineUnreachable):
        return Failure(503, error.code, str(error))
    return Failure(502, "model_failed", str(error))


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
