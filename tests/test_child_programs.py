"""What Variet starts of its own is Variet, whatever lies in the folder that somebody works in."""

from __future__ import annotations

import ast
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.launch import VARIET
from agent.tools.launches import server_specs
from config.paths import HOME_VARIABLE, Home
from config.schema import AgentSettings, EngineSettings
from inference.mode.process import find_mode
from inference.mode.server import start_mode
from tests.fakes.processes import free_port

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("agent", "bots", "config", "inference", "mcp_servers")
OF_THE_PROJECT = ["mcp_servers/workspace/running/commands.py"]
"""Where the folder's own code is what is wanted: a project's tests."""
ISOLATED = {"-P", "-I"}
BOUND_S = 60
"""For a process to start or end on a busy machine."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that somebody cloned and works in, with files named as modules of ours and of Python's own are."""
    folder = tmp_path / "project"
    for name in ("config/__init__.py", "agent/__init__.py", "bots.py", "inference.py", "mcp_servers.py", "calendar.py", "queue.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def wrong(project: Path) -> str:
    """What of the project was run."""
    ran = project.parent / "ran"
    return ran.read_text(encoding="utf-8") if ran.exists() else ""


def started(*command: str, home: Home) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={**os.environ, **home.environment()}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=BOUND_S,
    )  # fmt: skip


@pytest.mark.parametrize("words", [("version",), ("serve", "--help"), ("engine", "serve", "--help")])
def test_the_service_and_its_engine_run_nothing_of_the_folder_they_are_started_in(project: Path, home: Home, words: tuple[str, ...]):
    ran = started(*VARIET, *words, home=home)
    assert (ran.returncode, wrong(project)) == (0, ""), ran.stderr


def test_a_tool_server_runs_nothing_of_the_folder_it_is_started_in(project: Path, home: Home):
    [command] = [spec.command for spec in server_specs(home, AgentSettings()) if spec.builtin == "calendars"]
    ran = started(*command, home=home)
    assert (ran.returncode, wrong(project)) == (0, ""), ran.stderr


def test_the_modes_process_runs_nothing_of_the_folder_it_is_started_in(project: Path, home: Home, monkeypatch: pytest.MonkeyPatch):
    begun: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen[bytes]

    def begin(*command: Any, **options: Any) -> subprocess.Popen[bytes]:
        begun.append(popen(*command, **options))
        return begun[-1]

    monkeypatch.setattr("inference.mode.server.subprocess.Popen", begin)
    monkeypatch.setenv(HOME_VARIABLE, str(home.root))
    config = project.parent / "engine.toml"
    config.write_text(f"[mode]\nport = {free_port()}\n", encoding="utf-8")
    start_mode(home, EngineSettings(), config)
    with begun[0] as process:
        try:
            deadline = time.monotonic() + BOUND_S
            while process.poll() is None and find_mode(home) is None:
                assert time.monotonic() < deadline
                time.sleep(0.02)  # another process has no event to wait for
            ended = process.poll()
        finally:
            process.terminate()
    assert (ended, wrong(project)) == (None, ""), (home.log_dir / "mode.log").read_text(encoding="utf-8")


def test_no_program_of_ours_begins_with_the_modules_of_the_current_folder():
    """`python -m` and `python -c` put it first on the path, before Python's own modules, unless they are told not to."""
    found = [(name, line) for folder in SHIPPED for file in (ROOT / folder).rglob("*.py") for name, line in _unguarded(file)]
    assert sorted({name for name, _ in found}) == OF_THE_PROJECT, found


def _unguarded(file: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if not isinstance(node, ast.Tuple | ast.List) or len(node.elts) < 2 or not _is_python(node.elts[0]):
            continue
        flags = {part.value for part in node.elts[1:] if isinstance(part, ast.Constant) and isinstance(part.value, str)}
        if flags & {"-m", "-c"} and not flags & ISOLATED:
            yield file.relative_to(ROOT).as_posix(), node.lineno


def _is_python(part: ast.expr) -> bool:
    return isinstance(part, ast.Name) and part.id == "python" or isinstance(part, ast.Attribute) and part.attr == "executable"
