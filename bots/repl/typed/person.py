"""The person at the other side: at a terminal (`terminal.py`) or at the end of a pipe (`pipe.py`)."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from agent.event_parts import AskedField
from agent.events import ApprovalNeeded

PROMPT = "> "
APPROVE = "Approve? [y]es [N]o: "
Answer = Literal["yes", "no", "interrupt"]
Choice = frozenset[str] | Literal["each", "interrupt"]
"""The ids of those that are granted and no others, or that each is to be asked alone."""


class Left(Exception):
    """The person has left."""


class Person(Protocol):
    """Who types."""

    async def read(self) -> str:
        """The next message or command, without surrounding blanks.

        Raises:
            Left: there is none.
        """
        ...

    async def approve(self, needed: ApprovalNeeded) -> Answer:
        """Yes or no to exactly what was shown; no is the default."""
        ...

    async def choose(self, asked: Sequence[ApprovalNeeded]) -> Choice:
        """Which of several, shown together under the numbers 1, 2, …, may happen; none is the default."""
        ...

    async def fill(self, fields: Sequence[AskedField]) -> Mapping[str, str] | None:
        """What is typed into each field of a question; None: nothing is to be sent after all."""
        ...

    def note_taken(self) -> None:
        """The question on the screen was answered elsewhere: what is typed for it may come too late."""
        ...

    def listening(self, on_interrupt: Callable[[], None]) -> AbstractContextManager[None]:
        """While something runs: Ctrl-C or Esc calls `on_interrupt`, and what is typed is kept for the next `read`."""
        ...

    def give_back(self, text: str) -> None:
        """Offer a text again at the next `read`."""
        ...

    def take_queued(self, texts: Container[str]) -> bool:
        """While something runs: whether one of these was typed and waits for the next `read`; it is taken out and counts now."""
        ...

    def suggest(self, command: str, words: Mapping[str, str]) -> None:
        """From now on these words complete behind a command, each with what it means."""
        ...

    def look(self) -> None:
        """While something runs, every moment: a key that could have been the beginning of another one counts now."""
        ...

    def write_above(self, write: Callable[[], None]) -> None:
        """Have something written above what is being typed, which stays as it is: at once or in a moment, in the order asked for."""
        ...

    def show_status(self, text: str | None) -> None:
        """What goes on in the background while the person types."""
        ...
