"""The pages that people read first name only commands, options and files that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted({match.strip() for match in re.findall(r"variet((?: (?:ask|chat|serve|engine|status|switch|unload|keys|add))+)", README)})


def test_every_make_target_on_the_first_page_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z-]+):", makefile))
    assert set(re.findall(r"(?:`|\$ )make ([a-z-]+)", README)) - targets == set()


def test_every_link_on_the_first_page_leads_somewhere():
    linked = re.findall(r"\]\(([\w./-]+)\)", README)
    assert [name for name in linked if not (ROOT / name).exists()] == []


def test_the_decisions_are_listed_and_nothing_else():
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\(([\w.-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(file.name for file in folder.glob("[0-9]*.md"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_on_the_first_page_exists_with_its_options(command: str):
    ran = subprocess.run(
        [sys.executable, "-c", "from bots.cli import main; main()", *command.split(), "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    lines = [line for line in README.splitlines() if f"variet {command}" in line]
    wanted = {option for line in lines for option in re.findall(r" (--[a-z-]+)", line)}
    assert wanted - set(re.findall(r"--[a-z-]+", ran.stdout)) == set()


def test_the_first_page_says_how_variet_gets_on_the_path_before_it_stands_alone_and_takes_that_away_again():
    link = README.index('ln -s "$PWD/.venv/bin/variet" ~/.local/bin/')
    alone = re.search(r"(?<![\w./-])variet [a-z]", README)
    assert alone is not None
    assert link < alone.start()
    assert "~/.local/bin/variet" in README[README.index("## Removing it") :]
