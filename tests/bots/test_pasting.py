"""What is pasted while something runs is one text, and waits to be sent: no line of it is a message or a command of its own."""

from __future__ import annotations

import io
from collections.abc import Generator
from contextlib import contextmanager

import anyio
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output
from rich.console import Console

from agent.events import ApprovalNeeded
from bots.repl.shown.screen import Screen
from bots.repl.typed.terminal import TerminalPerson
from bots.repl.typed.typeahead import Key, TypeAhead

BOUND_S = 20
TEXT = "def f():\n\treturn 1\n\n![logo](x.png)\n/new\nlast"
NEEDED = ApprovalNeeded(
    turn="t", approval="a", call="c", name="n", tool_class="send", summary="x", lines=(), digest="d", expires_at="2026-11-21T12:00:00+01:00"
)


@contextmanager
def typing() -> Generator[tuple[TerminalPerson, PipeInput, io.StringIO]]:
    written = io.StringIO()
    with create_pipe_input() as keys, create_app_session(input=keys, output=Vt100_Output(written, lambda: Size(24, 80), term="xterm")):
        yield TerminalPerson(Screen(Console(file=io.StringIO())), history=None, commands=[]), keys, written


def is_marked(written: io.StringIO) -> bool:
    text = written.getvalue()
    return text.rfind("\x1b[?2004h") > text.rfind("\x1b[?2004l")


@pytest.mark.anyio
async def test_a_terminal_marks_what_is_pasted_also_while_something_runs_and_behind_a_question() -> None:
    with anyio.fail_after(BOUND_S), typing() as (person, keys, written):
        keys.send_text("hello\r")
        assert await person.read() == "hello"
        assert not is_marked(written)
        with person.listening(lambda: None):
            assert is_marked(written)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_answer_soon, keys)
                assert await person.approve(NEEDED) == "yes"
            assert is_marked(written)
            keys.send_text(f"\x1b[200~{TEXT.replace(chr(10), chr(13))}\x1b[201~\r")
        assert not is_marked(written)
        assert await person.read() == TEXT


async def _answer_soon(keys: PipeInput) -> None:
    # What is typed before a question stands there is no answer to it.
    await anyio.sleep(0.2)
    keys.send_text("y\r")


def _keys(text: str) -> list[Key]:
    named = {"\r": "c-m", "\n": "c-j", "\t": "c-i"}
    return [Key(named.get(char, char), char) for char in text]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_many_lines_that_an_old_terminal_gives_at_once_are_one_text_that_waits_in_the_line(end: str) -> None:
    typed = TypeAhead()
    assert typed.take(_keys(TEXT.replace("\n", end)), is_one_read=True) == []
    assert (typed.queue, typed.text) == ([], TEXT)


def test_lines_that_are_typed_fast_are_still_lines() -> None:
    typed = TypeAhead()
    typed.take(_keys("a long line that ends with its one Enter\r"), is_one_read=True)
    typed.take(_keys("one\rtwo"), is_one_read=True)
    assert (typed.queue, typed.text) == (["a long line that ends with its one Enter", "one"], "two")


def test_a_long_paste_goes_on_with_the_next_read_and_enter_behind_it_is_one() -> None:
    typed = TypeAhead()
    typed.take(_keys("a line\r" * 6), is_one_read=True)
    typed.take(_keys("!rm\r/new\r"), is_one_read=True)
    assert (typed.queue, typed.text) == ([], "a line\n" * 6 + "!rm\n/new\n")
    typed.pause()
    typed.take(_keys("\r"), is_one_read=True)
    assert typed.queue == [("a line\n" * 6 + "!rm\n/new")]


@pytest.mark.anyio
async def test_the_marks_end_where_something_breaks() -> None:
    with typing() as (person, _, written):
        with pytest.raises(RuntimeError), person.listening(lambda: None):
            raise RuntimeError
        assert not is_marked(written)
