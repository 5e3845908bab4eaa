"""What is piped into `variet ask`: beside the question where that was asked for, and never lost without a word."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import bots.ask
from agent.event_parts import Attached, Beside
from bots.piped import MAX_PIPED_BYTES
from config.paths import Home
from tests.fakes.runtime import FakeRuntime, open_fake_runtime

UNREAD = "variet ask: standard input was not read"
LOOK = "import bots.piped; print(bots.piped.tell_unread({words!r}))"


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Beside, ...]]]:
    """The questions that were sent, each with what stood beside it."""
    for name, value in Home.at(tmp_path / "home").prepare().environment().items():
        monkeypatch.setenv(name, value)
    found: list[tuple[str, tuple[Beside, ...]]] = []
    send = FakeRuntime.send

    async def noted(self: FakeRuntime, session: str, text: str, **options: Any) -> str:
        found.append((text, tuple(options["attached"])))
        return await send(self, session, text, **options)

    @asynccontextmanager
    async def attach(*_: object, **__: object) -> AsyncGenerator[FakeRuntime]:
        async with open_fake_runtime() as runtime:
            yield runtime

    monkeypatch.setattr(FakeRuntime, "send", noted)
    monkeypatch.setattr(bots.ask, "attach", attach)
    return found


def _run(*arguments: str, piped: str | bytes = "") -> Result:
    return CliRunner().invoke(bots.ask.ask, arguments, input=piped, catch_exceptions=False)


@pytest.mark.parametrize("words", [("what failed here?", "-"), ("what", "failed", "here?", "-")])
def test_a_dash_behind_the_question_puts_what_is_piped_in_beside_it(words: tuple[str, ...], sent: list[object]) -> None:
    assert _run(*words, piped="ERROR disk full\n").exit_code == 0
    assert sent == [("what failed here?", (Attached(name="standard input", text="ERROR disk full\n"),))]


def test_words_need_no_quotes_and_an_option_may_stand_behind_them(sent: list[object]) -> None:
    assert _run("what", "is", "on", "--json").stdout.startswith("{")
    assert sent == [("what is on", ())]


def test_bytes_that_are_no_text_do_not_keep_a_log_from_being_shown(sent: list[tuple[str, tuple[Attached, ...]]]) -> None:
    assert _run("why?", "-", piped=b"\xef\xbb\xbfcaf\xe9").exit_code == 0
    assert sent[0][1][0].text == "caf\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(("piped", "why"), [("x" * (MAX_PIPED_BYTES + 1), "more than 64 KB"), ("a\0b", "no text")])
def test_what_cannot_be_shown_is_refused_before_anything_is_sent(piped: str, why: str, sent: list[object]) -> None:
    ran, told = _run("why?", "-", piped=piped), _run("--json", "why?", "-", piped=piped)
    assert (ran.exit_code, ran.stdout, told.exit_code, sent) == (1, "", 1, [])
    assert why in ran.stderr
    assert '"error"' in told.stdout


def test_a_question_of_blanks_is_none_also_with_something_beside_it(sent: list[object]) -> None:
    assert _run(" ", "-", piped="x").exit_code == 2
    assert sent == []


def test_what_is_piped_in_and_not_read_is_said_at_the_end_where_it_comes_late(sent: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([False, True])
    monkeypatch.setattr("bots.piped._has_unread", lambda: next(looks))
    ran = _run("list")
    assert (ran.exit_code, ran.stdout, ran.stderr.count(UNREAD)) == (0, "You have two events tomorrow.\n", 1)
    assert len(sent) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell how much a pipe holds")
def test_only_what_is_there_and_was_not_asked_for_is_told(tmp_path: Path) -> None:
    log = tmp_path / "error.log"
    log.write_text("ERROR disk full\n")
    with log.open() as some, open(os.devnull, encoding="utf-8") as nothing:
        assert UNREAD in _look(("what", "failed?"), stdin=some)
        assert _look(("what", "failed?"), stdin=nothing) == ""
    assert UNREAD in _look(("what failed?",), input="ERROR\n")
    assert _look(("what failed?",), input="") == ""
    for words in ((), ("-",), ("what failed?", "-")):
        assert _look(words, input="ERROR\n") == "", "it is read, or will be"


def _look(words: tuple[str, ...], **given: Any) -> str:
    ran = subprocess.run([sys.executable, "-c", LOOK.format(words=words)], capture_output=True, text=True, check=True, **given)
    assert ran.stdout.strip() == str(bool(ran.stderr))
    return ran.stderr
