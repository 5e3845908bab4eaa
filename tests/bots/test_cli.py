"""The command line itself: fast, helpful, and honest about what is missing."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from bots.cli import COMMANDS, Lazy, load_command, variet

HELP_CPU_BOUND_S = 0.5
"""CPU time, so that a busy machine does not matter; 0.1 s is usual, and an eager import of a model server costs a second."""
SHOW_HELP = """
import sys
from bots.cli import main
sys.argv = ["variet", "--help"]
try:
    main()
except SystemExit:
    print(sorted(sys.modules))
"""

LOAD_ASK = """
import gc, sys
from bots.cli import COMMANDS, load_command
load_command("ask", COMMANDS["ask"])
from agent.events import RouteChosen
from agent.routes.report import Explanation
print(gc.isenabled(), gc.get_freeze_count() > 0, RouteChosen.__pydantic_complete__, Explanation.__pydantic_complete__)
print(sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_help_imports_nothing_heavy() -> None:
    before = os.times()
    ran = subprocess.run([sys.executable, "-c", SHOW_HELP], capture_output=True, text=True, check=True)
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < HELP_CPU_BOUND_S
    for heavy in ("'pydantic'", "'httpx2'", "'mcp'", "'rich'", "'prompt_toolkit'", "'starlette'", "'openai'", "'importlib.metadata'"):
        assert heavy not in ran.stdout
    assert 'variet ask "what\'s on my calendar tomorrow?"' in ran.stdout
    assert "Exit codes" in ran.stdout


def test_asking_loads_only_what_a_question_needs_and_what_stays_is_no_garbage() -> None:
    ran = subprocess.run([sys.executable, "-c", LOAD_ASK], capture_output=True, text=True, check=True)
    states, packages = ran.stdout.splitlines()
    assert states == "True True False False", (
        "garbage is collected again, what was imported is left out, and no model is built before its use"
    )
    there = (
        "mcp",
        "mcp_types",
        "openai",
        "rich",
        "prompt_toolkit",
        "starlette",
        "uvicorn",
        "jsonschema",
        "opentelemetry",
        "icalendar",
        "sqlite3",
    )
    assert not [name for name in there if f"'{name}'" in packages]


@pytest.mark.parametrize("name", [*COMMANDS, "version"])
def test_every_command_loads_and_explains_itself(name: str) -> None:
    ran = CliRunner().invoke(variet, [name, "--help"])
    assert ran.exit_code == 0, ran.output
    assert "Usage:" in ran.output


def test_the_version_is_an_option_as_well() -> None:
    told = CliRunner().invoke(variet, ["version"]).stdout
    ran = CliRunner().invoke(variet, ["--version"])
    assert (ran.exit_code, ran.stdout) == (0, told)


def test_a_misspelt_command_is_suggested() -> None:
    ran = CliRunner().invoke(variet, ["chta"])
    assert ran.exit_code == 2
    assert "Did you mean `variet chat`?" in ran.output


def test_a_missing_extra_says_what_to_install() -> None:
    lazy = Lazy("json.no_such_module_of_anybody:x", "", "chat")
    with pytest.raises(click.ClickException, match=r'pip install "variet\[chat\]"'):
        load_command("chat", lazy)
