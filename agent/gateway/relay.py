"""Passes one request to the engine and its answer back, byte for byte; whoever leaves first ends both.

Written against ASGI, as the service's event streams are: the client may leave while the engine still loads a model, and then the engine
must hear of it at once.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import anyio
import httpx2
from pydantic import ValidationError
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from agent.engine.child import EngineLink
from agent.engine.key import REFUSED, EngineKey
from agent.engine.model_client import SILENCE_TIMEOUT_S
from agent.errors import AgentError, EngineUnreachable, ModelFailed
from agent.gateway.answers import Failure
from config.trust import why_untrusted
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


@dataclass(frozen=True)
class Passing:
    """One request as the engine gets it."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    body: bytes


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """What the engine sees of a client's headers; its answer is asked for as it is, uncompressed."""
    return {name: headers[name] for name in _PASSED_ON if name in headers} | {"accept-encoding": "identity"}


class Upstream:
    """The engine, as the gateway needs it."""

    def __init__(self, engine: EngineLink, key: EngineKey, http: httpx2.AsyncClient) -> None:
        self._engine = engine
        self._key = key
        self._http = http

    async def served(self) -> ServedModels:
        """What can be asked for.

        Raises:
            AgentError: the engine does not answer, or not with that.
        """
        with anyio.move_on_after(LIST_TIMEOUT_S):
            async with self.answer(Passing("GET", "/v1/models", passed_on({}), b"")) as answer:
                content = await answer.aread()
                if answer.status_code != OK:
                    raise ModelFailed(f"The engine answered /v1/models with status {answer.status_code}.")
            try:
                return ServedModels.model_validate_json(content)
            except ValidationError as error:
                raise ModelFailed("The engine answered /v1/models with something unexpected.") from error
        raise EngineUnreachable(await self._engine.url())

    @asynccontextmanager
    async def answer(self, passing: Passing) -> AsyncGenerator[httpx2.Response]:
        """What the engine answers, its body not yet read; asked once more where it refused a key that has changed since.

        Raises:
            AgentError: nobody answers there.
        """
        await self._engine.ensure()
        url = (await self._engine.url()).rstrip("/")
        shown = self._key.headers
        try:
            async with self._send(url, passing, shown) as answer:
                if answer.status_code != REFUSED or not await self._key.has_changed(shown):
                    yield answer
                    return
            async with self._send(url, passing, self._key.headers) as answer:
                yield answer
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise EngineUnreachable(url, why_untrusted(url, error)) from error
        except httpx2.TimeoutException as error:
            raise ModelFailed(f"The model said nothing for {SILENCE_TIMEOUT_S:g} seconds.") from error
        except httpx2.HTTPError as error:
            raise ModelFailed(f"The connection to the engine broke off ({error or type(error).__name__}). Try again.") from error

    def _send(self, url: str, passing: Passing, shown: Mapping[str, str]) -> AbstractAsyncContextManager[httpx2.Response]:
        return self._http.stream(passing.method, url + passing.path, content=passing.body or None, headers={**passing.headers, **shown})


class Relay(Response):
    """The answer of the engine to one request."""

    def __init__(self, upstream: Upstream, passing: Passing, *, told: Mapping[str, str]) -> None:
        """`told`: headers of ours that the answer gets beside the engine's."""
        super().__init__()
        self._upstream = upstream
        self._passing = passing
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, until it is complete or the client leaves."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
            await self._pass(send)
            tasks.cancel_scope.cancel()

    async def _pass(self, send: Send) -> None:
        media_type: str | None = None
        try:
            async with self._upstream.answer(self._passing) as answer:
                media_type = answer.headers.get("content-type", "")
                await send(self._start(answer.status_code, answer.headers))
                async for piece in answer.aiter_raw():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except AgentError as error:
            await self._fail(send, error, media_type)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _start(self, status: int, headers: httpx2.Headers) -> Message:
        passed = [(name, value) for name, value in headers.raw if name.decode("latin-1").lower() not in _PASSED_BACK_NOT]
        told = [(name.encode(), value.encode()) for name, value in self._told.items()]
        return {"type": "http.response.start", "status": status, "headers": [*((name.lower(), value) for name, value in passed), *told]}

    async def _fail(self, send: Send, error: AgentError, media_type: str | None) -> None:
        """Before the first byte an answer of its own; in a stream a frame that ends it; in anything else the connection breaks off."""
        failure = failure_of(error)
        if media_type is None:
            body = failure.body()
            headers = {"content-type": "application/json", "content-length": str(len(body)), **self._told}
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            await send({"type": "http.response.start", "status": failure.status, "headers": raw})
            await send({"type": "http.response.body", "body": body, "more_body": False})
        elif media_type.startswith("text/event-stream"):
            frame = error_frame(failure.detail(), self._passing.path.partition("?")[0])
            await send({"type": "http.response.body", "body": frame, "more_body": False})
        else:
            # The server closes a connection whose answer is not complete.
            log.warning("an answer of the engine broke off: %s", error)


def failure_of(error: AgentError) -> Failure:
    """What an error of the agent is to a client of the gateway."""
    if isinstance(error, EngineUnreachable):
        return Failure(503, error.code, str(error))
    return Failure(502, "model_failed", str(error))


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
