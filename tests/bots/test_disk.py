"""What the disk, the shell or the installation does not let a command do is one sentence, and no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import anyio
import anyio.from_thread
import anyio.to_thread
import click
import pytest
from click.testing import CliRunner
from prompt_toolkit.application import create_app_session
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import DummyInput
from prompt_toolkit.output import DummyOutput

from agent.errors import AgentError
from agent.faces.mcp.cli import mcp_agent
from agent.gateway.cli import gateway
from agent.service.faults import ServiceError
from agent.service.home_use import UNUSABLE
from bots import demo, routes, sessions, undo
from bots.repl.orders import Orders
from bots.repl.place import Place
from bots.repl.shown.screen import Screen
from bots.repl.typed.terminal import TerminalPerson
from config.load import ConfigError
from config.paths import HOME_VARIABLE

pytestmark = pytest.mark.anyio
RUN_BOUND_S = 60.0


@pytest.fixture
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that cannot be: below a file."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "file" / "home"))
    return tmp_path / "file" / "home"


def shell(words: str) -> subprocess.CompletedProcess[str]:
    command = f"exec {sys.executable} -m bots.cli {words}"
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=RUN_BOUND_S, check=False)


def test_a_home_that_is_the_folder_of_nobody_here_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, "~nobody-of-that-name/variet")
    told = shell("sessions")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == "variet: ~nobody-of-that-name/variet: nobody of that name has a home here. Give the whole path\n"


@pytest.mark.parametrize(("module", "command"), [(undo, undo.undo), (sessions, sessions.sessions)])
def test_a_home_that_cannot_be_written_is_one_line_and_one_object_for_a_program(
    module: ModuleType, command: click.Command, no_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the signals, which are those of the tests.
    monkeypatch.setattr(module, "run_until_told", anyio.run)
    told = CliRunner().invoke(command)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr.startswith(f"variet {command.name}: Variet's own folder cannot be used: {no_home}: Not a directory.")
    assert told.stderr.count("\n") == 1
    for_a_program = CliRunner().invoke(command, ["--json"])
    assert (for_a_program.exit_code, for_a_program.stderr) == (1, "")
    assert json.loads(for_a_program.stdout)["error"]["code"] == UNUSABLE


async def test_an_export_into_a_folder_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def export(*_: str) -> str:
        return "text"

    file = tmp_path / "none" / "x.md"
    failures: list[AgentError] = []

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        with pytest.raises(AgentError) as caught:
            anyio.from_thread.run(work, SimpleNamespace(export=export))
        failures.append(caught.value)

    monkeypatch.setattr(sessions, "_run", run)
    assert sessions.export.callback is not None
    await anyio.to_thread.run_sync(sessions.export.callback, "s1", "markdown", file)
    assert str(failures[0]) == f"{file} could not be written: No such file or directory."


@pytest.mark.usefixtures("no_home")
@pytest.mark.parametrize(("command", "option"), [(gateway, "--token"), (gateway, "--json"), (mcp_agent, "--token")])
def test_a_token_that_cannot_be_kept_is_one_line(command: click.Command, option: str) -> None:
    ran = CliRunner().invoke(command, [option])
    assert ran.exit_code == 1
    assert ran.output.count("\n") == 1
    assert "own folder cannot be used" in ran.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to try")
def test_output_that_cannot_be_written_is_one_line() -> None:
    ran = shell("version >/dev/full")
    assert (ran.returncode, ran.stderr) == (1, "variet: the output could not be written: No space left on device\n")


def test_a_closed_standard_input_is_an_empty_one() -> None:
    ran = shell("ask <&-")
    assert ran.returncode == 2, ran.stderr
    assert "The question is empty." in ran.stderr


def test_an_option_of_a_group_before_a_subcommand_is_refused_with_where_it_belongs() -> None:
    for group, words, sentence in (
        (sessions.sessions, ["--json", "search", "x"], "Write it behind: sessions search --json"),
        (sessions.sessions, ["--json", "fork", "x"], "`sessions fork` has no --json."),
        (routes.routes, ["--json", "explain", "x"], "Write it behind: routes explain --json"),
        (routes.routes, ["--limit", "3", "explain", "x"], "`routes explain` has no --limit."),
    ):
        ran = CliRunner().invoke(group, words)
        assert ran.exit_code == 2
        assert sentence in ran.output


def test_ctrl_c_at_the_question_before_deleting_is_told_from_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def say(left: type[BaseException]) -> None:
        def prompt(_: str) -> str:
            raise left

        monkeypatch.setattr("click.termui.visible_prompt_func", prompt)

    say(KeyboardInterrupt)
    with pytest.raises(SystemExit, match="130"):
        sessions._ask("Delete?")  # pyright: ignore[reportPrivateUsage]
    say(EOFError)
    with pytest.raises(click.Abort):
        sessions._ask("Delete?")  # pyright: ignore[reportPrivateUsage]


def test_settings_that_keep_the_service_from_starting_are_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "agent.toml").write_text("[agent]\nzone = 3", encoding="utf-8")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))

    async def fail(_: object) -> None:
        raise AssertionError

    def run(main: object) -> None:
        raise ServiceError("The agent service ended while it was starting.")

    monkeypatch.setattr(routes, "run_until_told", run)
    with pytest.raises(SystemExit, match="2"):
        routes._run(fail, as_json=False)  # pyright: ignore[reportPrivateUsage]
    (tmp_path / "config" / "agent.toml").unlink()
    with pytest.raises(SystemExit, match="1"):
        routes._run(fail, as_json=False)  # pyright: ignore[reportPrivateUsage]
    assert not isinstance(routes._cause(AgentError("x")), ConfigError)  # pyright: ignore[reportPrivateUsage]


async def test_the_demo_says_which_extra_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SEEDER", ("json.no_such_module", "seed"))
    with pytest.raises(AgentError, match=r'The demo needs "json".*pip install "variet\[servers\]"'):
        async with demo.demo_home(1, zone=None):
            pass


@pytest.mark.parametrize(("name", "why"), [("~nobody-at-all.md", "folder of anybody"), ("a\0b.md", "no file's name")])
async def test_a_name_that_no_export_can_have_is_one_sentence(name: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def export(*_: str) -> str:
        return "text"

    async def service() -> object:
        return SimpleNamespace(export=export)

    monkeypatch.chdir(tmp_path)
    place = Place()
    place.move("s1")
    orders = Orders(cast("Any", SimpleNamespace(service=service)), Screen(), cast("Any", None), place, cast("Any", None), None)
    with pytest.raises(AgentError, match=why):
        await orders._export(name)  # pyright: ignore[reportPrivateUsage]


def test_a_history_that_cannot_be_kept_is_one_line_and_the_chat_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "history").mkdir()
    with create_app_session(input=DummyInput(), output=DummyOutput()):
        person = TerminalPerson(Screen(), history=tmp_path / "history", commands=[])
    assert isinstance(person._prompt.history, InMemoryHistory)  # pyright: ignore[reportPrivateUsage]
    assert "is not kept for the next time" in capsys.readouterr().out


def test_a_history_that_turns_unwritable_ends_no_chat(tmp_path: Path) -> None:
    file = tmp_path / "history"
    with create_app_session(input=DummyInput(), output=DummyOutput()):
        person = TerminalPerson(Screen(), history=file, commands=[])
    file.unlink()
    file.mkdir()
    history = person._prompt.history  # pyright: ignore[reportPrivateUsage]
    history.store_string("x")
    assert list(history.load_history_strings()) == []
