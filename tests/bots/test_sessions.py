"""`variet sessions` as a shell sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

import bots.sessions
from agent.service.wire import SessionRow
from bots.titles import TITLE_WIDTH
from config.paths import Home
from tests.bots.conftest import await_service, end_leftover

RUN_BOUND_S = 60.0
AT = "2026-11-21T09:00:00+01:00"
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


def test_each_is_one_short_line_whatever_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Service:
        async def sessions(self) -> list[SessionRow]:
            return [
                SessionRow(session="s-1", title="commit 1234\n" * 100, created_at="2026-05-01T09:00:00+01:00", used_at=AT, waiting=1),
                SessionRow(session="s-2", last_text="what is due?\n" * 100, created_at=AT),
            ]

    @asynccontextmanager
    async def attached(*_: object, **__: object) -> AsyncGenerator[Service]:
        yield Service()

    monkeypatch.setattr(bots.sessions, "attach", attached)
    lines = CliRunner().invoke(bots.sessions.sessions, env=Home.at(tmp_path).environment()).output.splitlines()
    titles = [line.removeprefix(f"s-{number}  2026-11-21 09:00  ") for number, line in enumerate(lines, 1)]
    assert [title.partition("…")[2] for title in titles] == ["  (1 waiting for you)", ""]
    assert [len(title.partition("…")[0]) for title in titles] == [TITLE_WIDTH - 1] * 2


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
