"""An OpenAI-compatible server as a node, through the stock `openai` client: the same messages, the same reply, its errors mapped once.

It is imported only where the settings name such a node, because the client takes a second to import.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal, TypeVar, cast

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk

from agent.calls.assemble import Assembly, Reply
from agent.engine.key import EngineKey
from agent.engine.model_client import FAULT, OF_NO_CONTENT
from agent.engine.overflow import overflow_in
from agent.errors import (
    AgentError,
    ContextOverflow,
    EngineUnreachable,
    ModelError,
    ModelFailed,
    ModelFaulted,
    ModelRefused,
    RequestTooLarge,
)
from agent.routes.places.forwarding import Forwarded, Passing
from agent.routes.places.particular import Wish, as_wished, digest_of, wish_in
from agent.routes.places.refusals import blames_key, sentence_in, wants_another_key
from agent.view.pictures import speaks_of_pictures
from config.network.far_end import ask_for
from config.network.trust import why_untrusted

CONNECT_TIMEOUT_S = 10.0
"""Over the internet, with TLS."""
SILENCE_TIMEOUT_S = 300.0
"""Between two pieces of a stream: the largest models think for minutes before their first word."""
TOO_LARGE = 413
NO_CREDIT = "insufficient_quota"
"""How OpenAI calls an account that nobody has paid for; it has the status of who asks too often, and no pause helps."""
MOST_SAID = 500
"""Of a refusal's words, what is told."""
NO_KEY = "none"
"""Shown where there is no key, because the client shows one always."""
_Got = TypeVar("_Got")
_OURS = frozenset({"cache_prompt"})
"""Of a request, what only llama.cpp knows: others may refuse it."""

_PICTURE = b'{"image_url":{"url":"data:'
"""How one stands in a request; in a text the quotes would be escaped."""
MOST_THOUGHTS = 1000
"""Of which it is remembered that they came from here; more than the turns that run at a time have."""
_TOLD = (b"content-type", b"retry-after", b"x-request-id")
"""Of its answers' headers, what another program is shown: the others are about us and that server."""


class OpenAIModel:
    """Completions from one server.

    Args:
        name: the node's, for sentences.
        url: with its `/v1`.
        key: its key; read again once when it is refused.
        trusted: what `config.network.trust.trust_of` said.

    Raises:
        AgentError: its address, or a proxy that the environment names, cannot be used.
    """

    def __init__(self, name: str, url: str, key: EngineKey, trusted: ssl.SSLContext | Literal[True] = True) -> None:
        self._name = name
        timeout = openai.Timeout(SILENCE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        # No retries of its own: a repeated call would be paid and counted twice.
        http = _http_client(name, trusted)
        try:
            self._client = AsyncOpenAI(api_key=NO_KEY, base_url=url, timeout=timeout, max_retries=0, http_client=http)
        except httpx2.InvalidURL as error:
            raise AgentError(f"nodes.{name}.url in agent.toml cannot be used: {error}") from error
        self._key = key
        self._url = url
        self._wishes: dict[str, set[Wish]] = {}
        """What each of its models takes otherwise than others."""
        self._thoughts: dict[str, None] = {}
        """The digests of what its models thought, oldest first: these alone are sent back to it."""

    async def close(self) -> None:
        """Let go of its connections."""
        await self._client.close()

    async def complete(self, body: bytes, *, on_text: Callable[[str], None]) -> Reply:
        """One answer.

        Args:
            body: as for an engine.
            on_text: gets each piece of the answer's text.

        Raises:
            EngineUnreachable: nobody answers there, or it has no room for us now.
            ContextOverflow: the request is too long for its model.
            RequestTooLarge: it has more bytes than the server takes.
            ModelRefused: it does not take what the request says.
            ModelFaulted: it failed at a picture.
            ModelFailed: it refused us, or its stream broke off.
        """
        try:
            return await self._asked(_without_ours(json.loads(body)), on_text)
        except openai.APIConnectionError as error:
            raise self._unreached(error) from error
        except openai.APIStatusError as error:
            refusal = self._refusal(error, body)
            refusal.is_refusal = True
            raise refusal from error
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            # What a stream says instead of an answer is an error without a status.
            if isinstance(error, openai.APIError) and (too_long := overflow_in(error.body)) is not None:
                raise ContextOverflow(*too_long) from error
            raise ModelFailed(f"The node {self._name} failed: {type(error).__name__}.") from error

    @asynccontextmanager
    async def forward(self, passing: Passing, *, must_count: bool) -> AsyncGenerator[Forwarded]:
        """The server's answer to another program's request, as it comes; what it says against the request is passed on too.

        Args:
            passing: a chat completion.
            must_count: a streamed answer has to say its tokens, because they are paid.

        Raises:
            EngineUnreachable: nobody answers there, or it has no room for us now.
            ModelFailed: it refused us, or its answer broke off.
        """
        request = _fitting(json.loads(passing.body))
        given: Any = request.get("stream_options")
        options: dict[str, Any] = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        adds_counts = must_count and request.get("stream") is True and not options.get("include_usage")
        if adds_counts:
            request["stream_options"] = {**options, "include_usage": True}
        # Its overloads know no request that is made of bytes; what it does not know goes through as it is.
        create: Any = self._client.chat.completions.with_streaming_response.create
        known = {name: request.pop(name) for name in ("messages", "model", "stream") if name in request}
        try:
            async with AsyncExitStack() as held:
                plain = {"accept-encoding": "identity"}
                answer = await self._with_key(lambda: held.enter_async_context(create(**known, extra_body=request, extra_headers=plain)))
                yield _forwarded(answer.http_response, answer.http_response.aiter_bytes(), hides_counts=adds_counts)
        except openai.APIStatusError as error:
            refusal = self._mapped(error)
            if not isinstance(refusal, Forwarded):
                refusal.is_refusal = True
                raise refusal from error
            yield refusal
        except openai.APIConnectionError as error:
            raise self._unreached(error) from error
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            raise ModelFailed(f"The node {self._name} failed: {type(error).__name__}.") from error

    def _refusal(self, error: openai.APIStatusError, body: bytes) -> ModelError:
        """What a refusal of our own request means for the turn."""
        said = _sentence(error)
        if isinstance(error, (openai.RateLimitError, openai.InternalServerError)):
            # It is there, and cannot read one that it was sent; what stands before it and fails may speak of pictures too.
            if error.status_code == FAULT and _PICTURE in body and speaks_of_pictures(said):
                return ModelFaulted(f"The node {self._name} failed: {said}")
            return self._unwilling(error)
        if (too_long := overflow_in(error.body)) is not None:
            return ContextOverflow(*too_long)
        if error.status_code == TOO_LARGE:
            return RequestTooLarge(len(body), said, node=self._name)
        if blames_key(error.status_code, said):
            return self._declined(error, f": {said}")
        kind = ModelFailed if error.status_code in OF_NO_CONTENT else ModelRefused
        return kind(f"The node {self._name} refused (status {error.status_code}): {said}")

    def _mapped(self, error: openai.APIStatusError) -> Forwarded | ModelError:
        """A refusal: of us, for now, or of what the program asked."""
        if isinstance(error, (openai.RateLimitError, openai.InternalServerError)):
            return self._unwilling(error)
        if wants_another_key(error.status_code, _sentence(error)):
            return self._declined(error)
        return _forwarded(error.response, _once(error.response.content))

    def _unwilling(self, error: openai.APIStatusError) -> EngineUnreachable:
        """It answers nobody now. The words of what fails are those of a page; the others say which limit, or that there is no credit."""
        said = " ".join(sentence_in(error.body).split())[:MOST_SAID] if isinstance(error, openai.RateLimitError) else ""
        now = "" if NO_CREDIT in (error.code, error.type) else " for now"
        return EngineUnreachable(
            self._url, f"The node {self._name} refuses{now} (status {error.status_code}){f': {said}' if said else '.'}"
        )

    def _declined(self, error: openai.APIStatusError, said: str = "") -> ModelFailed:
        told = f"status {error.status_code}{said}"
        return ModelFailed(self._key.whose.declined(f"The node {self._name}", told, was_shown=bool(self._key.headers)))

    async def _with_key(self, ask: Callable[[], Awaitable[_Got]]) -> _Got:
        """What is got by asking with the key; asked once more where it was refused and has changed since."""
        shown = self._show_key()
        try:
            return await ask()
        except openai.APIStatusError as error:
            if not wants_another_key(error.status_code, _sentence(error)) or not await self._key.has_changed(shown):
                raise
        self._show_key()
        return await ask()

    def _show_key(self) -> dict[str, str]:
        shown = self._key.headers
        self._client.api_key = shown.get("Authorization", "").removeprefix("Bearer ") or NO_KEY
        return shown

    def _unreached(self, error: openai.APIConnectionError) -> EngineUnreachable:
        silent = f"The node {self._name} at {self._url} does not answer."
        unreached = EngineUnreachable(self._url, why_untrusted(self._url, error.__cause__, f"nodes.{self._name}.ca") or silent)
        unreached.was_taken = isinstance(error.__cause__, httpx2.ReadTimeout)
        return unreached

    async def _asked(self, request: dict[str, Any], on_text: Callable[[str], None]) -> Reply:
        """One answer; a request that is refused for how it is written is written once more, at most once for each of the wishes."""
        wishes = self._wishes.setdefault(request["model"], set())
        while True:
            heeded = frozenset(wishes)
            try:
                reply = await self._stream(as_wished(request, heeded, self._thoughts), on_text)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                wish = wish_in(_sentence(error), code=error.code, param=error.param)
                if wish is None or wish in heeded:
                    raise
                wishes.add(wish)
            else:
                self._remember(reply.reasoning)
                return reply

    def _remember(self, thoughts: str) -> None:
        if thoughts:
            self._thoughts[digest_of(thoughts)] = None
        if len(self._thoughts) > MOST_THOUGHTS:
            del self._thoughts[next(iter(self._thoughts))]

    async def _stream(self, request: dict[str, Any], on_text: Callable[[str], None]) -> Reply:
        assembly = Assembly()
        # Its overloads know no request that is made of bytes.
        create: Any = self._client.chat.completions.create
        stream = cast("AsyncStream[ChatCompletionChunk]", await self._with_key(lambda: create(**request)))
        async with stream as chunks:
            async for chunk in chunks:
                text = assembly.add(chunk.model_dump(exclude_none=True))
                if text:
                    on_text(text)
        if not assembly.is_finished:
            raise ModelFailed("The model's answer broke off in the middle. Try again.")
        return assembly.reply(model=request["model"])


def _http_client(name: str, trusted: ssl.SSLContext | Literal[True]) -> httpx2.AsyncClient:
    # A transport of our own, which takes socket options, would leave out the environment's proxies; a hook sees connections to those, too.
    try:
        return openai.DefaultAsyncHttpxClient(verify=trusted, event_hooks={"request": [_follow]})
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        raise AgentError(f"The node {name} cannot be asked through the proxy that the environment names: {error}") from error


async def _follow(request: httpx2.Request) -> None:
    """Be told of the connection that is made for a request."""
    request.extensions["trace"] = _see


async def _see(step: str, told: dict[str, Any]) -> None:
    """Have the system ask for the far end of a connection as soon as there is one, to the server or to a proxy."""
    if step.endswith(".connect_tcp.complete"):
        ask_for(told["return_value"].get_extra_info("socket"))


def _forwarded(answer: httpx2.Response, pieces: AsyncIterator[bytes], *, hides_counts: bool = False) -> Forwarded:
    headers = tuple((name.lower(), value) for name, value in answer.headers.raw if name.lower() in _TOLD)
    return Forwarded(answer.status_code, headers, pieces, hides_counts)


async def _once(content: bytes) -> AsyncGenerator[bytes]:
    yield content


def _without_ours(request: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in request.items() if key not in _OURS}


def _fitting(request: dict[str, Any]) -> dict[str, Any]:
    """Another program's request without what only our engines take; what a model thought before stays in the house."""
    return as_wished(_without_ours(request), (), ())


def _sentence(error: openai.APIStatusError) -> str:
    return (sentence_in(error.body) or error.message)[:MOST_SAID]
