"""Streaming chat completions from the engine: bytes out, one `Reply` back, text and loading progress on the way.

Foreign errors end here: whatever the connection or the engine say becomes one of `agent.errors`. Cancelling the call closes the
connection, and the engine frees the slot.
"""

from __future__ import annotations

import json
import ssl
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, cast

import httpx2

from agent.calls.assemble import Assembly, Reply
from agent.engine.key import REFUSED, UNKNOWN_KEY, EngineKey
from agent.engine.line import SILENCE_TIMEOUT_S, Broken, Silent
from agent.engine.overflow import overflow_in
from agent.engine.progress import OnProgress, asking_for_progress, prompt_progress
from agent.engine.wire import CONNECT_TIMEOUT_S, Answer, CannotBeAsked, NotReached, Wire
from agent.errors import ContextOverflow, EngineUnreachable, ModelFailed, ModelFaulted, ModelRefused, RequestTooLarge
from config.network.far_end import OPTIONS
from inference.contract.headers import EVENTS, EVENTS_LOADING, FORCE, MODEL, SESSION
from inference.contract.sse import LOADING_EVENT
from inference.contract.status import SwapProgress

TOO_LARGE = 413
FAULT = 500
"""Of the server; some give it for what they cannot read, too."""
OF_NO_CONTENT = {401, 402, 403, 404, 408, 409, 429}
"""Refusals of who asks, of where or for now, which another request would get too."""
MAX_LINE_CHARS = 4 * 1024 * 1024
"""A line longer than this is no completion chunk; without a bound a broken server could fill the memory."""


class Frame(NamedTuple):
    """One server-sent event."""

    event: str
    """Empty for an unnamed one."""
    data: str


def timeouts() -> httpx2.Timeout:
    """For a client whose streams may be silent for a while."""
    return httpx2.Timeout(CONNECT_TIMEOUT_S, read=SILENCE_TIMEOUT_S)


def http_client(
    trusted: ssl.SSLContext | Literal[True], *, most: int | None = 100, kept: int = 20, keep_s: float = 5.0
) -> httpx2.AsyncClient:
    """A client for streams that may be silent for a while, from a machine that may vanish meanwhile.

    Args:
        trusted: what `config.network.trust.trust_of` said.
        most: connections at a time.
        kept: connections that are kept for the next request.
        keep_s: how long.
    """
    limits = httpx2.Limits(max_connections=most, max_keepalive_connections=kept, keepalive_expiry=keep_s)
    transport = httpx2.AsyncHTTPTransport(verify=trusted, trust_env=False, limits=limits, socket_options=OPTIONS)
    return httpx2.AsyncClient(timeout=timeouts(), trust_env=False, transport=transport)


class Frames:
    """Server-sent events out of a stream's bytes; comments and unknown fields are dropped."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._rest, self._event = "", ""
        self._data: list[str] = []

    def read(self, piece: bytes) -> Iterator[Frame]:
        """The events that end in the next piece, of whatever size.

        Raises:
            ModelFailed: a line grows without end.
        """
        self._rest += self._decoder.decode(piece)
        if len(self._rest) > MAX_LINE_CHARS:
            raise ModelFailed("The engine sent a line without end.")
        *lines, self._rest = self._rest.split("\n")
        for line in (line.removesuffix("\r") for line in lines):
            if not line and self._data:
                yield Frame(self._event, "\n".join(self._data))
            if not line:
                self._event, self._data = "", []
            field, _, value = line.partition(":")
            if field == "event":
                self._event = value.removeprefix(" ")
            elif field == "data":
                self._data.append(value.removeprefix(" "))


class ModelClient:
    """Completions from one engine.

    Args:
        url: of the engine, without `/v1`.
        key: its bearer key, if it wants one; read again once when it is refused.
        wire: shared connections.
    """

    def __init__(self, url: str, key: EngineKey, wire: Wire) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json", EVENTS: EVENTS_LOADING}
        self._key = key
        self._wire = wire

    async def complete(
        self,
        body: bytes,
        *,
        session: str,
        on_text: Callable[[str], None],
        on_progress: OnProgress,
        is_forced: bool = False,
    ) -> Reply:
        """One answer.

        Args:
            body: from `agent.view.messages.request_body`.
            session: the conversation's name for the engine.
            on_text: gets each piece of the answer's text.
            on_progress: gets how far it is while the model is being loaded and while it reads the prompt.
            is_forced: a person forced it with these very words, so it passes gaming mode.

        Raises:
            EngineUnreachable: nobody answers there.
            ContextOverflow: the request is too long for the model.
            RequestTooLarge: it has more bytes than the engine takes.
            ModelRefused: the engine does not take what it says, such as a picture that nobody can read.
            ModelFaulted: the engine failed at it, whatever the reason.
            ModelFailed: the engine refused for now, the model died, or its stream broke off.
        """
        try:
            answer = await self._ask(asking_for_progress(body), {SESSION: session} | ({FORCE: "true"} if is_forced else {}))
            try:
                if answer.status != 200:
                    raise self._refusal(answer.status, await answer.read(), len(body))
                return await _assemble(answer, on_text, on_progress)
            finally:
                answer.close()
        except CannotBeAsked as error:
            raise EngineUnreachable(self._url, str(error)) from error
        except NotReached as error:
            raise EngineUnreachable(self._url, self._key.whose.unreached(self._url, error)) from error
        except Silent as error:
            raise ModelFailed(f"The model said nothing for {SILENCE_TIMEOUT_S:g} seconds.") from error
        except Broken as error:
            raise ModelFailed(f"The connection to the engine broke off ({error}). Try again.") from error

    async def _ask(self, body: bytes, headers: dict[str, str]) -> Answer:
        """What the engine answers; asked once more where it refused a key that has changed since."""
        shown = self._key.headers
        answer = await self._post(body, headers, shown)
        try:
            if answer.status != REFUSED or not await self._key.has_changed(shown):
                return answer
        except BaseException:
            answer.close()
            raise
        answer.close()
        return await self._post(body, headers, self._key.headers)

    def _refusal(self, status: int, said: bytes, asked_bytes: int) -> ModelFailed:
        payload = _told(said)
        if status == REFUSED and _code(payload) == UNKNOWN_KEY:
            return ModelFailed(self._key.whose.refused(self._url, was_shown=bool(self._key.headers)))
        return _refusal(status, payload, asked_bytes)

    async def _post(self, body: bytes, of_request: dict[str, str], shown: dict[str, str]) -> Answer:
        return await self._wire.post(f"{self._url}/v1/chat/completions", self._headers | shown | of_request, body)


async def _assemble(answer: Answer, on_text: Callable[[str], None], on_progress: OnProgress) -> Reply:
    frames, telling = Frames(), _Telling(on_text, on_progress)
    # No generator awaits another one here: each that is left before its end is closed in a task of its own.
    while not telling.is_over and (piece := await answer.piece()) is not None:
        for frame in frames.read(piece):
            if telling.take(frame):
                await answer.finish()
                break
    if not telling.assembly.is_finished:
        raise ModelFailed("The model's answer broke off in the middle. Try again.")
    return telling.assembly.reply(model=answer.headers.get(MODEL.lower(), ""))


class _Telling:
    """One answer as it is told."""

    def __init__(self, on_text: Callable[[str], None], on_progress: OnProgress) -> None:
        self.assembly = Assembly()
        self.is_over = False
        self._on_text = on_text
        self._on_progress = on_progress
        self._is_begun = False

    def take(self, frame: Frame) -> bool:
        """Whether this was the last one."""
        if frame.data == "[DONE]":
            self.is_over = True
            return True
        payload = _parse(frame.data)
        if frame.event == LOADING_EVENT:
            self._on_progress(SwapProgress.model_validate(payload))
            return False
        if "error" in payload:
            # Here too a request is refused: after the engine has told how far it is with loading, it has no status left.
            raise _failure(payload, 0 if self._is_begun else _status_in(payload))
        if (reading := prompt_progress(payload)) is not None:
            self._on_progress(reading)
        self._is_begun = self._is_begun or bool(payload.get("choices"))
        text = self.assembly.add(payload)
        if text:
            self._on_text(text)
        return False


def _parse(data: str) -> dict[str, Any]:
    try:
        payload: Any = json.loads(data)
    except ValueError as error:
        raise ModelFailed("The engine sent something that is not JSON.") from error
    if not isinstance(payload, dict):
        raise ModelFailed("The engine sent something that is not a completion.")
    return cast("dict[str, Any]", payload)


def _told(body: bytes) -> dict[str, Any]:
    """A refusal's object; empty where it is none."""
    try:
        payload: Any = json.loads(body)
    except ValueError:
        return {}
    return cast("dict[str, Any]", payload) if isinstance(payload, dict) else {}


def _refusal(status: int, payload: dict[str, Any], asked_bytes: int) -> ModelFailed:
    if "error" not in payload:
        return RequestTooLarge(asked_bytes) if status == TOO_LARGE else _failed(f"The engine answered with status {status}.", status)
    if status == TOO_LARGE:
        return RequestTooLarge(asked_bytes, _sentence(payload))
    return _failure(payload, status)


def _failure(payload: dict[str, Any], status: int) -> ModelFailed:
    too_long = overflow_in(payload["error"])
    return ContextOverflow(*too_long) if too_long is not None else _failed(_sentence(payload), status)


def _failed(sentence: str, status: int) -> ModelFailed:
    if status == FAULT:
        return ModelFaulted(sentence)
    return ModelRefused(sentence) if 400 <= status < FAULT and status not in OF_NO_CONTENT else ModelFailed(sentence)


def _status_in(payload: dict[str, Any]) -> int:
    """What a model answered, as an engine tells it inside a stream; 0 where it tells something else."""
    code = _code(payload)
    return int(code) if len(code) == 3 and code.isdecimal() else 0


def _code(payload: dict[str, Any]) -> str:
    error: Any = payload.get("error")
    return str(cast("dict[str, Any]", error).get("code")) if isinstance(error, dict) else ""


def _sentence(payload: dict[str, Any]) -> str:
    error: Any = payload["error"]
    message: Any = cast("dict[str, Any]", error).get("message") if isinstance(error, dict) else error
    return str(message) if message else "The engine failed without saying why."
