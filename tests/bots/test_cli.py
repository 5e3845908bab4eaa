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


def test_help_imports_nothing_heavy() -> None:
    before = os.times()
    ran = subprocess.run([sys.executable, "-c", SHOW_HELP], capture_output=True, text=True, check=True)
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < HELP_CPU_BOUND_S
    for heavy in ("'pydantic'", "'httpx2'", "'mcp'", "'rich'", "'prompt_toolkit'", "'starlette'", "'openai'"):
        assert heavy not in ran.stdout
    assert 'variet ask "what\'s on my calendar tomorrow?"' in ran.stdout
    assert "Exit codes" in ran.stdout


@pytest.mark.parametrize("name", [*COMMANDS, "version"])
def test_every_command_loads_and_explains_itself(name: str) -> None:
    ran = CliRunner().invoke(variet, [name, "--help"])
    assert ran.exit_code == 0, ran.output
    assert "Usage:" in ran.output


def test_a_misspelt_command_is_suggested() -> None:
    ran = CliRunner().invoke(variet, ["chta"])
    assert ran.exit_code == 2
    assert "Did you mean `variet chat`?" in ran.output


def test_a_missing_extra_says_what_to_install() -> None:
    lazy = Lazy("json.no_such_module_of_anybody:x", "", "chat")
    with pytest.raises(click.ClickException, match=r'pip install "variet\[chat\]"'):
        load_command("chat", lazy)
