"""`variet ask` as a shell sees it: what is printed where, and the exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.paths import Home
from tests.agent.test_pictures import png
from tests.bots.conftest import await_service, end_leftover

RUN_BOUND_S = 60.0

RunAsk = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run_ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunAsk]:
    """Runs the command; all runs of this module share one service, which stays."""
    home = Home.at(tmp_path_factory.mktemp("home")).prepare()
    environment = {**os.environ, **home.environment()}
    command = [sys.executable, "-m", "tests.fakes.service_process", "--stay"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL) as service:

        def _run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
            ask = [sys.executable, "-m", "tests.fakes.variet", "ask", *arguments]
            return subprocess.run(ask, env=environment, input=stdin, capture_output=True, text=True, timeout=RUN_BOUND_S, check=False)

        await_service(home)
        yield _run
        service.terminate()
    end_leftover(home)


def _object(ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ran.stdout.count("\n") == 1, ran
    parsed: dict[str, Any] = json.loads(ran.stdout)
    return parsed


def test_the_answer_alone_goes_to_standard_output(run_ask: RunAsk) -> None:
    ran = run_ask("list")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "You have two events tomorrow.\n", "")


def test_escape_sequences_in_an_answer_are_made_visible(run_ask: RunAsk) -> None:
    assert run_ask("hello").stdout == "Hello **there**, ␛[2Jyou.\n"


def test_an_answer_that_goes_into_a_file_keeps_its_tabs(run_ask: RunAsk) -> None:
    assert run_ask("make").stdout == "all:\n\ttrue␛[2J\N{REPLACEMENT CHARACTER}\n"


def test_the_word_auto_is_no_tier_but_the_free_choice(run_ask: RunAsk) -> None:
    assert run_ask("list", "--tier", "auto").stderr == ""


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_the_question_may_come_from_a_pipe(run_ask: RunAsk, arguments: tuple[str, ...]) -> None:
    ran = run_ask(*arguments, stdin="list\n")
    assert (ran.returncode, ran.stdout) == (0, "You have two events tomorrow.\n")


def test_json_is_one_object_with_the_calls_as_the_model_made_them(run_ask: RunAsk) -> None:
    answer = _object(run_ask("--json", "--tier", "balanced", "list"))
    assert set(answer) == {"answer", "tier", "reasons", "model", "session", "usage", "tool_calls"}
    assert (answer["tier"], answer["model"], answer["reasons"]) == ("balanced", "nano", ["no rule matched"])
    assert answer["tool_calls"] == [{"name": "list_events", "arguments": {"when": "tomorrow"}, "decision": "allow", "ok": True}]


def test_what_waits_is_shown_with_how_to_approve_it(run_ask: RunAsk) -> None:
    ran = run_ask("add Tea")
    assert ran.returncode == 1
    assert "Create: Tea" in ran.stderr
    assert "Sun 22 Nov 2026 12:00-13:00" in ran.stderr
    assert "variet chat --session s" in ran.stderr


def test_a_call_that_nobody_approved_is_in_the_json(run_ask: RunAsk) -> None:
    ran = run_ask("--json", "add Tea")
    answer = _object(ran)
    assert ran.returncode == 1
    assert answer["tool_calls"] == [{"name": "create_event", "arguments": {"title": "Tea"}, "decision": "denied", "ok": False}]
    assert [waits["summary"] for waits in answer["waiting"]] == ["Create: Tea"]


@pytest.mark.parametrize(("classes", "question", "code"), [("write", "add Tea", 0), ("delete,write", "add Tea", 0), ("write", "send", 1)])
def test_yes_covers_the_classes_that_it_names(run_ask: RunAsk, classes: str, question: str, code: int) -> None:
    assert run_ask(f"--yes={classes}", question).returncode == code


@pytest.mark.parametrize("classes", ["read", "write,everything", ""])
def test_a_class_that_does_not_exist_is_wrong_usage(run_ask: RunAsk, classes: str) -> None:
    ran = run_ask(f"--yes={classes}", "hello")
    assert ran.returncode == 2
    assert "write, send, delete" in ran.stderr


@pytest.mark.parametrize("arguments", [(), ("",), ("--nonsense", "x"), ("--config", "nowhere.toml", "x")])
def test_wrong_usage_is_2(run_ask: RunAsk, arguments: tuple[str, ...]) -> None:
    assert run_ask(*arguments).returncode == 2


def test_a_failed_turn_is_a_sentence_and_an_error_object(run_ask: RunAsk) -> None:
    plain, structured = run_ask("fail"), run_ask("--json", "fail")
    assert (plain.returncode, plain.stdout) == (1, "")
    assert "does not answer" in plain.stderr
    assert (structured.returncode, _object(structured)["error"]["code"]) == (1, "engine_unreachable")


def test_an_unknown_session_is_named(run_ask: RunAsk) -> None:
    ran = run_ask("--json", "--session", "nobody", "hello")
    assert (ran.returncode, _object(ran)["error"]["code"]) == (1, "session_not_found")


def test_a_session_goes_on(run_ask: RunAsk) -> None:
    session = _object(run_ask("--json", "hello"))["session"]
    assert _object(run_ask("--json", "--session", session, "list"))["session"] == session


def test_pictures_are_shown_with_the_question_and_what_is_none_is_refused_before_it_is_sent(run_ask: RunAsk, tmp_path: Path) -> None:
    photo, notes = tmp_path / "photo.png", tmp_path / "notes.txt"
    photo.write_bytes(png(4, 3))
    notes.write_text("no picture")
    assert run_ask("--image", str(photo), "see").stdout == "I see photo.png, 4 by 3\n"
    refused = run_ask("--json", "--image", str(notes), "see")
    assert _object(refused)["error"]["message"] == "notes.txt is no picture that a model can be shown: PNG, JPEG and GIF are."
    assert refused.returncode == 1
