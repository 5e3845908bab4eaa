"""The services of docs/keeping-it-running.md start a command that there is, and give the engine the time that it takes to stop in order."""

from __future__ import annotations

import plistlib
import re
from configparser import RawConfigParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import serve
from config.shapes.engine import StopSection
from inference.cli import engine
from inference.door.listening import LAST_ANSWERS_BOUND_S
from inference.processes.children import STOP_ALL_BOUND_S

ROOT = Path(__file__).parents[1]
NAME = "docs/keeping-it-running.md"
PAGE = (ROOT / NAME).read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(ini|xml|powershell)\n(.*?)```", PAGE, re.DOTALL)
DRAIN_S = StopSection().drain_s
STOPPED_WITHIN_S = DRAIN_S + STOP_ALL_BOUND_S + LAST_ANSWERS_BOUND_S
"""From the signal to the end of the engine, when the models take as long as they may."""
COMMAND = "engine serve"


def unit() -> RawConfigParser:
    found = RawConfigParser()
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string(BLOCKS[0][1])
    return found


def test_there_is_one_for_each_system() -> None:
    assert [kind for kind, _ in BLOCKS] == ["ini", "ini", "xml", "powershell"]
    assert f"({NAME})" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_unit_stops_the_engine_alone_and_waits_for_it() -> None:
    service = dict(unit()["Service"])
    assert service["KillMode"] == "process"
    assert float(service["TimeoutStopSec"]) > STOPPED_WITHIN_S
    assert (service["Restart"], unit()["Install"]["WantedBy"]) == ("on-failure", "default.target")
    assert service["ExecStart"].endswith(f"/.venv/bin/variet {COMMAND}")
    assert "%h/.local/bin:" in service["Environment"]
    assert BLOCKS[1][1] == service["ExecStart"].join(("ExecStart=", "\n")).replace(COMMAND, "serve")
    assert f"`stop.drain_s` ({DRAIN_S:.0f}) seconds" in PAGE
    assert int(re.findall(r"at least `stop\.drain_s` and (\d+) seconds more", PAGE)[0]) > STOPPED_WITHIN_S - DRAIN_S


def test_launchd_waits_as_long_and_starts_the_same() -> None:
    found = plistlib.loads(BLOCKS[2][1].encode())
    assert found["ExitTimeOut"] > STOPPED_WITHIN_S
    assert f'exec "$HOME/variet/.venv/bin/variet" {COMMAND} ' in found["ProgramArguments"][-1]
    assert (found["RunAtLoad"], found["KeepAlive"]) == (True, {"SuccessfulExit": False})


def test_windows_starts_the_same_without_an_end() -> None:
    assert f'-Argument "{COMMAND}"' in BLOCKS[3][1]
    assert "-ExecutionTimeLimit ([TimeSpan]::Zero)" in BLOCKS[3][1]


@pytest.mark.parametrize("command", ["engine serve", "engine mode stop", "serve"])
def test_what_the_page_names_is_a_command(command: str) -> None:
    assert f"variet {command}" in PAGE
    first, *words = command.split()
    assert CliRunner().invoke(engine if first == "engine" else serve, [*words, "--help"]).exit_code == 0
