"""One client of a soak: asks, listens to the bytes, and leaves when it was meant to."""

from __future__ import annotations

import time
from dataclasses import dataclass

import anyio
import httpx2

from inference.contract import EVENTS, EVENTS_LOADING, MODEL, SESSION, WAIT
from soak.plan import Ask
from soak.verdict import Ending, Heard

_PATH = "/v1/chat/completions"
_CHUNK = b'"delta"'


@dataclass(frozen=True)
class Experience:
    """One request as its client lived it; times in seconds."""

    heard: Heard
    waited_s: float
    """To the first byte of the answer, or to its end where none came."""
    took_s: float


async def live(http: httpx2.AsyncClient, ask: Ask, patience_s: float) -> Experience:
    """Send one request and listen to its end, to the moment when the client leaves, or to the end of its patience."""
    listening = _Listening()
    bound_s = patience_s if ask.leaves_after_s is None else ask.leaves_after_s
    with anyio.move_on_after(bound_s) as scope:
        await listening.listen(http, ask)
    if scope.cancelled_caught:
        listening.ending = "silent" if ask.leaves_after_s is None else "left"
    return listening.experience()


class _Listening:
    def __init__(self) -> None:
        self.ending: Ending = "broken"
        self._status: int | None = None
        self._model: str | None = None
        self._body = bytearray()
        self._began = time.monotonic()
        self._first: float | None = None

    async def listen(self, http: httpx2.AsyncClient, ask: Ask) -> None:
        try:
            async with http.stream("POST", _PATH, json=_body(ask), headers=_headers(ask)) as answer:
                self._status = answer.status_code
                self._model = answer.headers.get(MODEL)
                async for part in answer.aiter_raw():
                    self._take(part, ask)
                    if ask.leaves_after_frames is not None and self._body.count(_CHUNK) >= ask.leaves_after_frames:
                        self.ending = "left"
                        return
                self.ending = "clean"
        except httpx2.TransportError:
            self.ending = "broken"

    def _take(self, part: bytes, ask: Ask) -> None:
        self._body += part
        # A loading event is news of the wait, not its end.
        if self._first is None and (not ask.wants_events or _CHUNK in self._body or b'"error"' in self._body):
            self._first = time.monotonic()

    def experience(self) -> Experience:
        now = time.monotonic()
        heard = Heard(self.ending, self._status, self._model, bytes(self._body))
        return Experience(heard, (self._first or now) - self._began, now - self._began)


def _body(ask: Ask) -> dict[str, object]:
    # The real ones would end by themselves, and sample.
    exactly = {"ignore_eos": True, "temperature": 0} if ask.model.is_real else {}
    messages = [{"role": "user", "content": "hello"}]
    return {"model": ask.model.name, "messages": messages, "max_tokens": ask.tokens, "stream": ask.is_stream, **exactly}


def _headers(ask: Ask) -> dict[str, str]:
    named = {WAIT: ask.wait, SESSION: ask.session, EVENTS: EVENTS_LOADING if ask.wants_events else None}
    return {name: value for name, value in named.items() if value is not None}
