"""An output that is closed, or that lacks signs, changes nothing about what is done and how it ended."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bots.repl.shown.screen import Screen
from config.paths import Home
from tests.bots.conftest import START_BOUND_S, end_leftover

needs_shell = pytest.mark.skipif(sys.platform == "win32", reason="its shell closes nothing")
TITLE = "Zoë → 🍜"


@pytest.fixture
def variet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    home = Home.at(tmp_path / "home").prepare()
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    yield f"{sys.executable} -m tests.fakes.variet"
    end_leftover(home)


def _ran(command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, timeout=START_BOUND_S, check=False)


@needs_shell
def test_a_closed_output_changes_no_exit_code(variet: str) -> None:
    assert _ran(f"{variet} ask --task zzz hi 2>&-").returncode == 2
    assert _ran(f"{variet} ask hello >&- 2>&-").returncode == 0


@needs_shell
def test_an_answer_with_signs_that_the_output_lacks_is_written_all_the_same(variet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "iso-8859-15")
    plain, as_json = (_ran(f"{variet} ask {option} --yes=write 'add {TITLE}'") for option in ("", "--json"))
    assert (plain.returncode, plain.stdout) == (0, "Created: Zoë ? ?\n".encode("iso-8859-15"))
    assert (as_json.returncode, json.loads(as_json.stdout)["answer"]) == (0, f"Created: {TITLE}")


def test_a_file_is_no_terminal_whatever_the_environment_says_of_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    times = iter(range(100))
    screen = Screen(clock=lambda: next(times))
    screen.status("thinking")
    for word in ("Tomorrow ", "is ", "free."):
        screen.grow(word)
    screen.settle()
    assert (screen.is_live, shown.getvalue()) == (False, "Tomorrow is free.\n")
