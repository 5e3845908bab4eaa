"""The live side of a session's events: stored ones reach whoever listens in order and without gaps, beside what is only live.

A listener that cannot keep up loses live text, never a stored event: it reads those it missed from the log.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from agent.engine.progress import PromptProgress
from agent.events import EngineLoading, Event, ModelReplied, PromptReading, RouteChosen, TextDelta, TurnStarted
from inference.contract.status import SwapProgress

LISTENER_BUFFER = 1024
"""Events that a slow listener may be behind before it loses live text: some seconds of a fast model."""

LONG_PROMPT_TOKENS = 256
"""Fewer are read before anybody has looked."""

AFRESH = (TurnStarted, RouteChosen, ModelReplied)
"""Before another answer, or with what the log has of one."""

ReadLog = Callable[[int], Awaitable[list[Event]]]
"""Stored events after a place in the log."""


@dataclass(eq=False)
class _Listener:
    send: MemoryObjectSendStream[Event]
    has_lost: bool = False


class Feed:
    """One session's listeners."""

    def __init__(self) -> None:
        self._listeners: set[_Listener] = set()
        self._said: list[str] | None = []
        """Of an answer that is not in the log yet; None while no more of it is shown."""

    def said(self) -> str:
        """What was shown of an answer that is not in the log yet."""
        return "".join(self._said or ())

    def hush(self) -> None:
        """Show no more of that answer, so that nothing is read that was not said."""
        self._said = None

    def progress(self, turn: str, progress: SwapProgress | PromptProgress) -> None:
        """Show how far a turn's request is while its model is loaded and while it reads."""
        if not isinstance(progress, PromptProgress):
            shown = progress.model_dump(include={"model", "phase", "elapsed_s", "expected_s", "percent"})
            self.publish(EngineLoading(turn=turn, **shown))
        elif progress.total - progress.cached >= LONG_PROMPT_TOKENS:
            self.publish(PromptReading(turn=turn, **progress._asdict()))

    def publish(self, event: Event) -> None:
        """Hand an event to everyone who listens. Stored events must come in the order of the log, after their commit."""
        if isinstance(event, TextDelta):
            if self._said is None:
                return
            self._said.append(event.text)
        elif isinstance(event, AFRESH):
            self._said = []
        for listener in self._listeners:
            try:
                listener.send.send_nowait(event)
            except anyio.WouldBlock:
                listener.has_lost = listener.has_lost or event.seq > 0

    async def listen(self, read_log: ReadLog, *, after: int) -> AsyncGenerator[Event]:
        """Stored events after `after`, then everything as it happens; it ends when the caller stops."""
        send, receive = anyio.create_memory_object_stream[Event](LISTENER_BUFFER)
        listener = _Listener(send)
        # Listening starts before the log is read, so nothing can fall in between; what then comes twice is dropped by its place.
        self._listeners.add(listener)
        last = after
        try:
            with send, receive:
                for event in await read_log(last):
                    last = event.seq
                    yield event
                while True:
                    event = await receive.receive()
                    if event.seq == 0:
                        yield event
                    elif event.seq == last + 1:
                        last = event.seq
                        yield event
                    if event.seq > last or (listener.has_lost and not receive.statistics().current_buffer_used):
                        listener.has_lost = False
                        for missed in await read_log(last):
                            last = missed.seq
                            yield missed
        finally:
            self._listeners.discard(listener)
