"""A person at a terminal: prompt_toolkit's line editor, with history, pasted text in one piece, and keys that work while a turn runs."""

from __future__ import annotations

from collections.abc import Callable, Container, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input.typeahead import get_typeahead
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.styles import Style

from agent.event_parts import AskedField
from agent.events import ApprovalNeeded
from agent.whole_text import whole
from bots.repl.shown.screen import Screen
from bots.repl.typed.choices import ANSWERS, HINT, chosen
from bots.repl.typed.completing import ChatCompleter, Names, no_names
from bots.repl.typed.keys import leaving_by_escape, of_messages
from bots.repl.typed.person import APPROVE, PROMPT, Answer, Choice, Left
from bots.repl.typed.typeahead import Key, TypeAhead
from config.plain import one_line

MEANING_WIDTH = 40
APPROVE_ALL = "Approve these {}? [a]ll, numbers (1 2), [o]ne by one, [N]one: "
TAKEN = "The question before was answered elsewhere. Press Enter, then answer this one: "
NOT_KEPT = "What you type is not kept for the next time: {} cannot be used: {}."
NO_MESSAGE = 'Not sent: "{}" was for the question that was answered elsewhere.'
YES = ("y", "yes")
STYLE = Style.from_dict({"status": "ansibrightblack", "prompt": "bold"})


class TerminalPerson:
    """Types at this terminal."""

    def __init__(self, screen: Screen, *, history: Path | None, commands: list[str], names: Names = no_names) -> None:
        """Set up the line editor.

        Args:
            screen: where hints go.
            history: the file that keeps what was typed; None for a chat that leaves nothing behind.
            commands: what completes after a slash.
            names: what completes after an @.
        """
        self._screen = screen
        self._status: str | None = None
        self._typed = TypeAhead()
        self._flush: Callable[[], None] | None = None
        """While something runs."""
        self._drain: Callable[[], None] = _nothing
        """While something runs: take in what was typed up to now."""
        self._was_taken = False
        """A question was answered elsewhere while the person looked at it: their next line may have been meant for it."""
        self._has_interrupted = False
        self._is_leaving = False
        """Ctrl-D was pressed while something ran: it counts once that has ended."""
        self._completer = ChatCompleter(commands, names)
        self._prompt: PromptSession[str] = PromptSession(
            history=_history(history, screen),
            completer=self._completer,
            complete_while_typing=False,
            key_bindings=of_messages(),
            style=STYLE,
            enable_open_in_editor=True,
            enable_suspend=True,
        )
        self._approval: PromptSession[str] = PromptSession(
            history=InMemoryHistory(), style=STYLE, key_bindings=leaving_by_escape(), enable_suspend=True
        )

    async def read(self) -> str:
        """The next message, asked for until there is one."""
        while True:
            if self._typed.queue:
                text = self._queued()
                if self._is_message(text):
                    return text
                continue
            if self._is_leaving:
                raise Left
            try:
                text = whole(await self._prompt.prompt_async(self._message, default=self._typed.take_text()))
            except KeyboardInterrupt:
                if self._has_interrupted:
                    raise Left from None
                self._has_interrupted = True
                self._screen.line("Ctrl-C again, or Ctrl-D, leaves.", "dim")
                continue
            except EOFError:
                raise Left from None
            self._has_interrupted = False
            if text.strip() and self._is_message(text.strip()):
                return text.strip()

    def _is_message(self, text: str) -> bool:
        """An answer that comes too late for its question is no message."""
        was_taken, self._was_taken = self._was_taken, False
        if was_taken and text.lower() in ANSWERS:
            self._screen.line(NO_MESSAGE.format(text), "dim")
            return False
        return True

    def _queued(self) -> str:
        """The next message that was typed while something ran: shown where its prompt would stand."""
        text = whole(self._typed.queue.pop(0))
        self._prompt.history.append_string(text)
        self._screen.block(f"{PROMPT}{text}")
        return text

    async def approve(self, needed: ApprovalNeeded) -> Answer:
        """One line: y or yes is a yes, Ctrl-C or Esc ends the turn, all else is a no. What was typed before it was asked is no answer."""
        try:
            return "yes" if (await self._answer(APPROVE)).lower() in YES else "no"
        except KeyboardInterrupt:
            self._typed.unqueue()
            return "interrupt"
        except EOFError:
            return "no"

    async def choose(self, asked: Sequence[ApprovalNeeded]) -> Choice:
        """A line as `choices.chosen` reads it; one that it cannot read is asked for again, Ctrl-C or Esc ends the turn."""
        try:
            while (found := chosen(await self._answer(APPROVE_ALL.format(len(asked))), len(asked))) is None:
                self._screen.line(HINT, "dim")
        except KeyboardInterrupt:
            self._typed.unqueue()
            return "interrupt"
        except EOFError:
            return frozenset()
        return "each" if isinstance(found, str) else frozenset(asked[number - 1].approval for number in found)

    async def _answer(self, prompt: str) -> str:
        """One line that answers what is on the screen now, and nothing that was there before it."""
        self._drain()
        self._screen.type_ahead([])
        if self._was_taken:
            # Fingers that were about to answer that one would answer this one.
            await self._line(TAKEN)
            self._was_taken = False
        return (await self._line(prompt)).strip()

    async def _line(self, prompt: str) -> str:
        try:
            return await self._approval.prompt_async(prompt)
        finally:
            if self._flush is not None:
                # The prompt had its own way, and left it off.
                self._mark_pastes(is_marked=True)

    def _mark_pastes(self, *, is_marked: bool) -> None:
        """Have the terminal mark what is pasted: else each line of it would be a message, and one with a ! a command."""
        output = self._prompt.app.output
        if is_marked:
            output.enable_bracketed_paste()
        else:
            output.disable_bracketed_paste()
        # A terminal that was closed meanwhile needs no mark.
        with suppress(OSError):
            output.flush()

    def note_taken(self) -> None:
        """Their next line answers no other question, and is no message where it was typed before the turn ended."""
        self._was_taken = True

    async def fill(self, fields: Sequence[AskedField]) -> Mapping[str, str] | None:
        """A line for each field; an empty one leaves it as it was suggested, Ctrl-C, Esc or Ctrl-D sends nothing."""
        typed: dict[str, str] = {}
        try:
            for each in fields:
                typed[each.name] = await self._line(f"  {one_line(each.label)}: ")
        except (KeyboardInterrupt, EOFError):
            return None
        return typed

    @contextmanager
    def listening(self, on_interrupt: Callable[[], None]) -> Generator[None]:
        """Read keys without a prompt: they are shown below the answer and not in it, and nothing that is typed gets lost."""
        source = self._prompt.app.input

        def take(presses: list[KeyPress], *, is_one_read: bool = False) -> None:
            if not presses:
                return
            for wish in self._typed.take((Key(press.key, press.data) for press in presses), is_one_read=is_one_read):
                if wish == "interrupt":
                    on_interrupt()
                else:
                    self._is_leaving = True
            self._screen.type_ahead(self._typed.lines())

        self._flush = lambda: take(source.flush_keys())
        self._drain = lambda: take([*get_typeahead(source), *source.read_keys()])
        with source.raw_mode(), source.attach(lambda: take(source.read_keys(), is_one_read=True)):
            try:
                self._mark_pastes(is_marked=True)
                # Typed so fast that the prompt had read it before it ended: it comes before what is read from here on.
                self._drain()
                yield
            finally:
                self._mark_pastes(is_marked=False)
                take(source.read_keys())
                # What is typed from here on answers what the assistant has said.
                self._was_taken = self._was_taken and bool(self._typed.queue)
                self._flush, self._drain = None, _nothing
                self._screen.type_ahead([])

    def take_queued(self, texts: Container[str]) -> bool:
        """A line of the queue below the answer."""
        found = next((text for text in self._typed.queue if text in texts), None)
        if found is None:
            return False
        self._typed.queue.remove(found)
        self._screen.type_ahead(self._typed.lines())
        return True

    def suggest(self, command: str, words: Mapping[str, str]) -> None:
        """For Tab behind a command."""
        self._completer.suggest(command, {word: one_line(means, MEANING_WIDTH) for word, means in words.items()})

    def look(self) -> None:
        """A lone Esc is told from the beginning of another key by nothing following it."""
        self._typed.pause()
        if self._flush is not None:
            self._flush()

    def give_back(self, text: str) -> None:
        """Put a text into the next prompt, before what was typed since."""
        self._typed.give_back(text)

    def write_above(self, write: Callable[[], None]) -> None:
        """The line is taken away, and put back below what was written with all that is in it."""
        if self._prompt.app.is_running:
            run_in_terminal(write)
        else:
            write()

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


def _nothing() -> None:
    """Nothing runs."""


def _history(file: Path | None, screen: Screen) -> History:
    if file is None:
        return InMemoryHistory()
    try:
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.open("r+b").close()
    except OSError as error:
        screen.line(NOT_KEPT.format(file, error.strerror), "dim")
        return InMemoryHistory()
    return _WholeHistory(str(file))


class _WholeHistory(FileHistory):
    """One that no byte of a terminal can end, and no disk: what is no text is kept as the sign for that, or not at all."""

    def load_history_strings(self) -> Iterable[str]:
        with suppress(OSError):
            yield from super().load_history_strings()

    def store_string(self, string: str) -> None:
        with suppress(OSError):
            super().store_string(whole(string))
