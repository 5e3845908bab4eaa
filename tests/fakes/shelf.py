"""A shelf of conversations in memory, for front-ends' tests: it finds, copies and writes out what it is given."""

from __future__ import annotations

from collections.abc import Callable

from agent.errors import SessionNotFound
from agent.events import Event, TurnStarted
from agent.service.wire import FoundRow
from agent.sessions.exporting import Form, exported

Stored = dict[str, list[Event]]


class FakeShelf:
    """Args: what is stored, by session, and what makes a new one of some events."""

    def __init__(self, stored: Callable[[], Stored], add: Callable[[list[Event]], str]) -> None:
        self._stored = stored
        self._add = add

    async def search(self, text: str) -> list[FoundRow]:
        return [
            FoundRow(session=session, title="", turn=event.turn, who="person", text=event.text, at=event.now)
            for session, events in self._stored().items()
            for event in events
            if isinstance(event, TurnStarted) and text.lower() in event.text.lower()
        ]

    async def fork(self, session: str, *, until: str | None = None) -> str:
        events = self._events(session)
        return self._add(events if until is None else events[: max(at for at, event in enumerate(events) if event.turn == until) + 1])

    async def export(self, session: str, form: Form) -> str:
        return exported(form, session, self._events(session))

    def _events(self, session: str) -> list[Event]:
        if session not in self._stored():
            raise SessionNotFound(session)
        return self._stored()[session]
