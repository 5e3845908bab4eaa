"""`variet sessions` as a shell sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.paths import Home
from tests.bots.conftest import await_service, end_leftover

RUN_BOUND_S = 60.0
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs a command; all of this module share one service, which stays, and one conversation."""
    home = Home.at(tmp_path_factory.mktemp("home")).prepare()
    environment = {**os.environ, **home.environment()}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.service_process", "--stay"], env=environment, stdin=subprocess.DEVNULL
    ) as service:

        def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "tests.fakes.variet", *arguments]
            return subprocess.run(command, env=environment, input="", capture_output=True, text=True, timeout=RUN_BOUND_S, check=False)

        await_service(home)
        assert _run("ask", "list").returncode == 0
        yield _run
        service.terminate()
    end_leftover(home)


@pytest.mark.timeout(300)
def test_they_are_listed_searched_exported_and_deleted(run: Run, tmp_path: Path) -> None:
    session = run("sessions").stdout.split()[0]
    assert f"{session}  " in run("sessions", "search", "list").stdout
    assert run("sessions", "search", "zebra").stderr == "Nothing was found.\n"
    target = tmp_path / "talk.jsonl"
    assert run("sessions", "export", session, "--form", "jsonl", "-o", str(target)).returncode == 0
    assert json.loads(target.read_text(encoding="utf-8").splitlines()[0])["type"] == "turn_started"
    copy = run("sessions", "fork", session).stdout.strip()
    assert run("sessions", "compact", copy).stdout.startswith("Nothing to compact: ")
    assert run("sessions", "delete", copy).returncode == 1, "nobody said yes"
    assert run("sessions", "delete", "--yes", copy).stdout == f"deleted {copy}\n"
    gone = run("sessions", "delete", "--yes", copy)
    assert (gone.returncode, gone.stderr) == (1, f'variet sessions: There is no session "{copy}".\n')
