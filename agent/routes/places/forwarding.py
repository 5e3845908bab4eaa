"""One request of another program on its way to a node, and the node's answer as it comes, byte for byte.

Foreign errors end here, as they do in `agent.engine.model_client`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import httpx2

from agent.engine.key import REFUSED, EngineKey
from agent.engine.line import SILENCE_TIMEOUT_S
from agent.errors import EngineUnreachable, ModelFailed


@dataclass(frozen=True)
class Passing:
    """One request as a node gets it."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Forwarded:
    """What a node answers, its body not yet read."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    """Names in small letters."""
    pieces: AsyncIterator[bytes]
    hides_counts: bool = False
    """The node was asked to count its tokens, which the client did not ask for."""

    @property
    def media_type(self) -> str:
        """What the body is."""
        return next((value.decode("latin-1") for name, value in self.headers if name == b"content-type"), "")


class Forwards(Protocol):
    """What passes a request to one node."""

    def __call__(self, passing: Passing) -> AbstractAsyncContextManager[Forwarded]:
        """The node's answer, for the length of a block.

        Raises:
            EngineUnreachable: nobody answers there, or it has no room for us now.
            ModelFailed: it refused us, or its answer broke off.
        """
        ...


class EngineForward:
    """Passes requests to an engine of ours.

    Args:
        find: its address, without `/v1`; may start it.
        key: its bearer key, if it wants one; read again once when it is refused.
        http: shared client.
    """

    def __init__(self, find: Callable[[], Awaitable[str]], key: EngineKey, http: httpx2.AsyncClient) -> None:
        self._find = find
        self._key = key
        self._http = http

    @asynccontextmanager
    async def __call__(self, passing: Passing) -> AsyncGenerator[Forwarded]:
        """See `Forwards`; asked once more where the engine refused a key that has changed since."""
        url = (await self._find()).rstrip("/")
        shown = self._key.headers
        try:
            async with self._send(url, passing, shown) as answer:
                if answer.status_code != REFUSED:
                    yield _forwarded(answer)
                    return
                if not await self._key.has_changed(shown):
                    raise self._refused(url, shown)
            shown = self._key.headers
            async with self._send(url, passing, shown) as answer:
                if answer.status_code == REFUSED:
                    raise self._refused(url, shown)
                yield _forwarded(answer)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise EngineUnreachable(url, self._key.whose.unreached(url, error)) from error
        except httpx2.TimeoutException as error:
            raise ModelFailed(f"The model said nothing for {SILENCE_TIMEOUT_S:g} seconds.") from error
        except httpx2.HTTPError as error:
            raise ModelFailed(f"The connection to the engine broke off ({error or type(error).__name__}). Try again.") from error

    def _refused(self, url: str, shown: Mapping[str, str]) -> ModelFailed:
        """The key is ours, so a client that showed us a right one of its own must not be told to mend that."""
        return ModelFailed(self._key.whose.refused(url, was_shown=bool(shown)))

    def _send(self, url: str, passing: Passing, shown: Mapping[str, str]) -> AbstractAsyncContextManager[httpx2.Response]:
        # As they came: the client library takes text for ASCII, and what a client calls its session may have an umlaut.
        headers = [(name.encode(), value.encode("latin-1")) for name, value in {**passing.headers, **shown}.items()]
        return self._http.stream(passing.method, url + passing.path, content=passing.body or None, headers=headers)


def _forwarded(answer: httpx2.Response) -> Forwarded:
    headers = tuple((name.lower(), value) for name, value in answer.headers.raw)
    return Forwarded(answer.status_code, headers, answer.aiter_raw())
