"""A person at a terminal: prompt_toolkit's line editor, with history, pasted text in one piece, and keys that work while a turn runs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.styles import Style

from agent.events import ApprovalNeeded
from bots.plain import one_line
from bots.repl.person import Answer, Left
from bots.repl.screen import Screen

PROMPT = "> "
APPROVE = "Approve? [y]es [N]o: "
YES = ("y", "yes")
STYLE = Style.from_dict({"status": "ansibrightblack", "prompt": "bold"})


class TerminalPerson:
    """Types at this terminal."""

    def __init__(self, screen: Screen, *, history: Path | None, commands: list[str]) -> None:
        """Set up the line editor.

        Args:
            screen: where hints go.
            history: the file that keeps what was typed; None for a chat that leaves nothing behind.
            commands: what completes after a slash.
        """
        self._screen = screen
        self._status: str | None = None
        self._typed = ""
        self._has_interrupted = False
        self._is_leaving = False
        """Ctrl-D was pressed while something ran: it counts once that has ended."""
        self._prompt: PromptSession[str] = PromptSession(
            history=_history(history),
            completer=WordCompleter(commands, sentence=True),
            complete_while_typing=False,
            key_bindings=_bindings(),
            style=STYLE,
            enable_open_in_editor=True,
        )
        self._approval: PromptSession[str] = PromptSession(history=InMemoryHistory(), style=STYLE)

    async def read(self) -> str:
        """The next message, asked for until there is one."""
        while True:
            if self._is_leaving:
                raise Left
            typed, self._typed = self._typed, ""
            try:
                text = await self._prompt.prompt_async(self._message, default=typed)
            except KeyboardInterrupt:
                if self._has_interrupted:
                    raise Left from None
                self._has_interrupted = True
                self._screen.line("Ctrl-C again, or Ctrl-D, leaves.", "dim")
                continue
            except EOFError:
                raise Left from None
            self._has_interrupted = False
            if text.strip():
                return text.strip()

    async def approve(self, needed: ApprovalNeeded) -> Answer:
        """One line: y or yes is a yes, Ctrl-C ends the turn, everything else is a no."""
        try:
            return "yes" if (await self._approval.prompt_async(APPROVE)).strip().lower() in YES else "no"
        except KeyboardInterrupt:
            return "interrupt"
        except EOFError:
            return "no"

    @contextmanager
    def listening(self, on_interrupt: Callable[[], None]) -> Generator[None]:
        """Read keys without a prompt: they are not echoed into the answer, and nothing that is typed gets lost."""
        source = self._prompt.app.input

        def on_keys() -> None:
            for press in source.read_keys():
                if press.key == Keys.ControlC:
                    on_interrupt()
                elif press.key == Keys.ControlD:
                    self._is_leaving = True
                elif press.key in (Keys.Backspace, Keys.ControlH):
                    self._typed = self._typed[:-1]
                elif press.key in (Keys.Enter, Keys.ControlM, Keys.ControlJ):
                    self._typed += "\n"
                elif press.key == Keys.BracketedPaste or len(press.key) == 1:
                    self._typed += press.data

        with source.raw_mode(), source.attach(on_keys):
            try:
                yield
            finally:
                on_keys()
        self._typed = self._typed.strip("\n")

    def give_back(self, text: str) -> None:
        """Put a text into the next prompt, before what was typed since."""
        self._typed = f"{text}{self._typed}"

    def show_status(self, text: str | None) -> None:
        """Show it above the prompt, as long as it lasts."""
        self._status = text
        if self._prompt.app.is_running:
            self._prompt.app.invalidate()

    def _message(self) -> StyleAndTextTuples:
        if not self._status:
            return [("class:prompt", PROMPT)]
        status = one_line(self._status, self._screen.console.width - 3)
        return [("class:status", f"· {status}\n"), ("class:prompt", PROMPT)]


def _history(file: Path | None) -> History:
    if file is None:
        return InMemoryHistory()
    file.touch(mode=0o600)
    file.chmod(0o600)
    return FileHistory(file)


def _bindings() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("c-c")
    def interrupt(event: KeyPressEvent) -> None:
        """Clear the line; on an empty one, tell the chat."""
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        """Alt-Enter: a new line in the message."""
        event.current_buffer.insert_text("\n")

    del interrupt, new_line
    return keys
