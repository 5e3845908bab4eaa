"""A chat at the end of a pipe: a script is told when nothing could be done, and somebody at the keyboard sees where to type."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from click.testing import CliRunner, Result

import bots.link
from agent.service.faults import ServiceError
from bots.repl.cli import chat
from bots.repl.typed.pipe import PipePerson
from bots.repl.typed.terminal import APPROVE, PROMPT
from config.paths import Home
from tests.bots.conftest import START_BOUND_S, end_leftover
from tests.bots.in_process import InProcess
from tests.fakes.runtime import open_fake_runtime

if TYPE_CHECKING:
    from agent.events import ApprovalNeeded


class Service(InProcess):
    """What an attached front-end has of it."""

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self.gone = anyio.Event()

    async def sessions(self) -> list[Any]:
        return []


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in Home.at(tmp_path / "home").prepare().environment().items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def working(*_: object, **__: object) -> AsyncGenerator[Service]:
    async with open_fake_runtime() as runtime:
        yield Service(runtime)


def refusing(*_: object, **__: object) -> AbstractAsyncContextManager[Service]:
    raise ServiceError("The agent service could not start.")


def _chat(*arguments: str, lines: str) -> Result:
    return CliRunner().invoke(chat, arguments, input=lines, catch_exceptions=False)


def test_a_service_that_cannot_start_ends_the_program_with_1_and_a_sentence_on_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bots.link, "attach", refusing)
    ran = _chat(lines="hello\nhello again\n")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (1, "", "variet chat: The agent service could not start.\n")


def test_a_conversation_that_is_not_there_is_not_taken_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bots.link, "attach", working)
    ran = _chat("--session", "nobody", lines="hello\n")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "nobody" in ran.stderr


def test_what_goes_wrong_once_a_turn_has_begun_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bots.link, "attach", working)
    ran = _chat(lines="hello\n!ls\nlist\n")
    assert (ran.exit_code, ran.stderr) == (0, "")
    for shown in ("Hello", "run from a keyboard only", "You have two events tomorrow."):
        assert shown in ran.stdout


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.anyio
async def test_only_somebody_at_a_keyboard_is_shown_where_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = cast("ApprovalNeeded", None)
    for stdin, shown in ((Keyboard("hello\nyes\n"), f"{PROMPT}{APPROVE}"), (io.StringIO("hello\nyes\n"), "")):
        monkeypatch.setattr(sys, "stdin", stdin)
        person = PipePerson()
        assert (await person.read(), await person.approve(needed)) == ("hello", "yes")
        assert capsys.readouterr() == ("", shown)


@pytest.mark.parametrize(("is_at_keyboard", "code"), [(True, 0), (False, 1)])
def test_somebody_at_a_keyboard_may_go_on_after_what_could_not_be_done(
    is_at_keyboard: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots.link, "attach", working)
    monkeypatch.setattr("bots.repl.console.is_at_keyboard", lambda: is_at_keyboard)
    ran = _chat(lines="!ls\nhello\n")
    assert (ran.exit_code, "Hello" in ran.stdout) == (code, is_at_keyboard)
    assert "run from a keyboard only" in (ran.stdout if is_at_keyboard else ran.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="there the system says nothing of a pipe that nobody reads")
def test_a_reader_that_ends_first_ends_the_chat_without_a_traceback() -> None:
    command = [sys.executable, "-m", "tests.fakes.variet", "chat"]
    read, write = os.pipe()
    os.close(read)
    try:
        ran = subprocess.run(
            command, input="hello\nlist\n", stdout=write, stderr=subprocess.PIPE, text=True, timeout=START_BOUND_S, check=False
        )
    finally:
        os.close(write)
        end_leftover(Home.find())
    assert (ran.returncode, ran.stderr) == (1, "")
