"""Watch one request on its way through the proxy, and say at its end how it went.

It is asked a few times per request and never per chunk: what passes is counted by the tap.
"""

from __future__ import annotations

import anyio

from inference.activity.finished import Finished, Outcome, counted
from inference.catalog import Served
from inference.door.access import key_of
from inference.door.incoming import Incoming, Scope
from inference.errors import EngineError, RequestEnded, UpstreamDied
from inference.tickets import Ticket
from inference.upstream.tap import Tap

_FIRST_ERROR_STATUS = 400
UPSTREAM_ERROR = "upstream_error"
"""The code of an answer whose error status is the model's own."""


class Watch:
    """One request's watch. Begins with the request."""

    def __init__(self, scope: Scope) -> None:
        self._began = anyio.current_time()
        self._key = key_of(scope).client
        self._asked_as: str | None = None
        self._model: str | None = None
        self._ticket: Ticket | None = None
        self._granted_at: float | None = None
        self._first_at: float | None = None
        self._tap: Tap | None = None
        self._outcome: Outcome = "client_gone"
        self._code: str | None = None
        self._status: int | None = None

    def resolved(self, incoming: Incoming, served: Served) -> None:
        """It is known which model is meant."""
        self._asked_as = incoming.model
        self._model = served.spec.name

    def queued(self, ticket: Ticket) -> None:
        """It waits for its model."""
        self._ticket = ticket

    def granted(self) -> None:
        """Its model is there."""
        self._granted_at = anyio.current_time()

    def answering(self, status: int, tap: Tap) -> None:
        """The model's server answers, if only with signs of life."""
        self._status = status
        self._tap = tap

    def speaking(self) -> None:
        """What came up to now told at most how far the prompt is read; this is the first of the answer itself."""
        self._first_at = anyio.current_time()

    def answered(self) -> None:
        """All of the answer has been passed on."""
        is_refused = self._status is not None and self._status >= _FIRST_ERROR_STATUS
        self._outcome, self._code = ("refused", UPSTREAM_ERROR) if is_refused else ("ok", None)

    def broken_off(self, status: int) -> None:
        """The model refused inside a stream that had begun with loading events."""
        self._status = status
        self._outcome, self._code = "refused", UPSTREAM_ERROR

    def failed(self, error: EngineError, *, is_begun: bool) -> None:
        """The engine gave it up."""
        self._code = error.code
        match error:
            case UpstreamDied():
                self._outcome = "upstream_died"
            case RequestEnded():
                self._outcome = "ended"
            case _:
                self._outcome = "refused"
        if not is_begun:
            self._status = error.status

    def finished(self) -> Finished:
        """How it went, up to now."""
        now = anyio.current_time()
        ticket, tap = self._ticket, self._tap
        waited_s = (now if self._granted_at is None else self._granted_at) - self._began
        swap_s = min(waited_s, ticket.swap_s) if ticket is not None else 0.0
        is_stream = tap is not None and tap.is_stream and self._first_at is not None
        measured = counted(*tap.measured()) if tap is not None else counted({}, {})
        return Finished(
            request=ticket.id if ticket is not None else "",
            key=self._key,
            model=self._model,
            asked_as=self._asked_as,
            queued_s=round(waited_s - swap_s, 4),
            swap_s=round(swap_s, 4),
            first_token_s=round(self._first_at - self._began, 4) if is_stream and self._first_at is not None else None,
            prompt_tokens=measured.prompt_tokens,
            cached_tokens=measured.cached_tokens,
            completion_tokens=measured.completion_tokens,
            tokens_per_s=measured.tokens_per_s,
            outcome=self._outcome,
            code=self._code,
            status=self._status,
            bytes=tap.bytes if tap is not None else 0,
            total_s=round(now - self._began, 4),
        )
