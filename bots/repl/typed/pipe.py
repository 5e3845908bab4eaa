"""A person at the end of a pipe: one line is one message, and the end of the input is goodbye.

An approval takes the next line, which must be a plain yes; anything else, and the end of the input, is a no. Who sits at a keyboard all
the same, with only the output piped, is shown on standard error where to type.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import click

from agent.event_parts import AskedField
from agent.events import ApprovalNeeded
from bots.line_reader import LineReader
from bots.repl.typed.person import APPROVE, PROMPT, Answer, Choice, Left
from bots.standard_input import is_at_keyboard
from config.plain import one_line

YES = ("y", "yes")


class PipePerson:
    """Reads standard input line by line."""

    def __init__(self) -> None:
        self._lines = LineReader()

    async def read(self) -> str:
        """The next line that is not empty."""
        while line := await self._line(PROMPT):
            if line.strip():
                return line.strip()
        raise Left

    async def approve(self, needed: ApprovalNeeded) -> Answer:
        """The next line, if it is a yes."""
        return "yes" if (await self._line(APPROVE)).strip().lower() in YES else "no"

    async def choose(self, asked: Sequence[ApprovalNeeded]) -> Choice:
        """One line for each: whoever wrote the lines could not know how many would wait at once."""
        return "each"

    async def fill(self, fields: Sequence[AskedField]) -> Mapping[str, str] | None:
        """One line for each field; an empty one leaves it as it was suggested."""
        return {each.name: (await self._line(f"  {one_line(each.label)}: ")).strip() for each in fields}

    def note_taken(self) -> None:
        """Nothing is read for a question that nobody waits for."""

    def listening(self, on_interrupt: Callable[[], None]) -> AbstractContextManager[None]:
        """Nothing to listen to: a Ctrl-C ends the program."""
        return nullcontext()

    def give_back(self, text: str) -> None:
        """A pipe takes nothing back."""

    def take_queued(self, texts: Container[str]) -> bool:
        """A pipe is read only when a message is wanted."""
        return False

    def suggest(self, command: str, words: Mapping[str, str]) -> None:
        """Nothing completes in a pipe."""

    def look(self) -> None:
        """There are no keys."""

    def write_above(self, write: Callable[[], None]) -> None:
        """Nothing is being typed."""
        write()

    def show_status(self, text: str | None) -> None:
        """Nobody watches."""

    async def _line(self, prompt: str) -> str:
        if is_at_keyboard():
            click.echo(prompt, nl=False, err=True)
        return await self._lines.read()
